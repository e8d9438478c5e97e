"""GCRA counts of this process: the memory store's limits, and what the Redis store falls back to.

The arithmetic is `gateway.policy.limits`; here are only the states, bounded. Rule kept: several limits asked
together are charged all or none, so that a request refused by one limit does not use up another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.policy import limits
from gateway.policy.limits import SLACK_S, Limit
from gateway.store.base import LimitAsk, LimitResult
from gateway.store.expiry import ExpiryMap

_SLACK_KEPT_S: Final = 1.0
"""How much longer than needed a state is kept: so that not every ask moves it in the map."""


class _Count:
    """One limit's state, and until when the map keeps it."""

    __slots__ = ("kept_until", "state")

    def __init__(self) -> None:
        self.state = 0.0
        self.kept_until = 0.0


class LocalCounts:
    """At most `max_keys` limit states; when full the state nearest to full recovery is forgotten."""

    def __init__(self, max_keys: int = 200_000) -> None:
        self._counts: ExpiryMap[str, _Count] = ExpiryMap(max_keys, evict=True)

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, asks: Sequence[LimitAsk], now: float, *, local: bool) -> tuple[LimitResult, ...]:
        """Answer all asks at `now`; `local` is noted in the results."""
        results: list[LimitResult] = []
        charged: list[tuple[str, _Count, float]] = []
        for ask in asks:
            count = self._counts.get(ask.key, now) or _Count()
            taken = limits.take(count.state, now, ask.rate_per_s, ask.burst, ask.cost)
            count.state = min(count.state, taken.state)  # no charge: what a clock that was set back left behind
            results.append(LimitResult(taken.allowed, taken.retry_after_s, taken.remaining, local))
            charged.append((ask.key, count, taken.state))
        if all(result.allowed for result in results):
            for key, count, state in charged:
                self._keep(key, count, state, now)
        return tuple(results)

    def charge(self, asks: Sequence[tuple[str, Limit]], now: float) -> tuple[int, float]:
        """Charge one of each, or none: how many more of the last would pass, and 0.0 seconds to wait.

        Refused: the index of the limit that refuses, and the seconds until it would not. At least one is asked. The
        same arithmetic as `take`, written for the data path, where every request asks for three.
        """
        entries = self._counts.entries  # a state that has expired there is one at rest: it counts as none
        charged: list[tuple[str, _Count, float]] = []
        after = latest = now
        for key, limit in asks:
            entry = entries.get(key)
            count = _Count() if entry is None else entry[1]
            state = count.state
            latest = now + limit.tolerance_s
            if state < now:
                state = now
            elif state > latest:  # the clock was set back, or the limit made smaller
                state = count.state = latest
            after = state + limit.interval_s
            if after - latest > SLACK_S:
                return len(charged), after - latest
            charged.append((key, count, after))
        for key, count, state in charged:
            count.state = state
            if state > count.kept_until:
                self._keep(key, count, state, now)
        last = asks[-1][1]
        return min(last.burst, max(0, int((latest - after + SLACK_S) / last.interval_s))), 0.0

    def _keep(self, key: str, count: _Count, state: float, now: float) -> None:
        """Set a state; the map is told only when it would forget too early."""
        count.state = state
        if state > count.kept_until:
            count.kept_until = state + _SLACK_KEPT_S
            self._counts.put(key, count, count.kept_until, now)
