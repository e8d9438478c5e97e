"""GCRA counts of this process: the memory store's limits, and what the Redis store falls back to.

The arithmetic is `gateway.policy.limits`; here are only the states, bounded. Rule kept: several limits asked
together are charged all or none, so that a request refused by one limit does not use up another.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.policy import limits
from gateway.store.base import LimitAsk, LimitResult
from gateway.store.expiry import ExpiryMap


class LocalCounts:
    """At most `max_keys` limit states; when full the state nearest to full recovery is forgotten."""

    def __init__(self, max_keys: int = 200_000) -> None:
        self._states: ExpiryMap[str, float] = ExpiryMap(max_keys, evict=True)

    def __len__(self) -> int:
        return len(self._states)

    def take(self, asks: Sequence[LimitAsk], now: float, *, local: bool) -> tuple[LimitResult, ...]:
        """Answer all asks at `now`; `local` is noted in the results."""
        results: list[LimitResult] = []
        charged: list[tuple[str, float]] = []
        for ask in asks:
            state = self._states.get(ask.key, now) or 0.0
            taken = limits.take(state, now, ask.rate_per_s, ask.burst, ask.cost)
            results.append(LimitResult(taken.allowed, taken.retry_after_s, taken.remaining, local))
            charged.append((ask.key, taken.state))
        if all(result.allowed for result in results):
            for key, state in charged:
                self._states.put(key, state, state, now)
        return tuple(results)
