"""How much one address, guest and site may ask of this node: GCRA counts in front of everything that costs.

The arithmetic is `policy/limits.py`. The counts are this process's own: a limit against abuse must work without asking
anybody, and must not be what an outage of the store takes down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.limits import Limit, retry_after
from gateway.store.base import LimitAsk
from gateway.store.counts import LocalCounts
from gateway.web.exchange import Exchange

SESSION_SURFACES: Final = frozenset({"session", "oauth_token"})
"""Services that make something to keep; they have a limit of their own."""


@dataclass(frozen=True, slots=True)
class ThrottleRules:
    """Limits of one node."""

    per_address: Limit
    per_guest: Limit
    per_site: Limit
    sessions_per_address: Limit


class Throttle:
    """Counts and refuses. `clock`: seconds since the epoch."""

    def __init__(self, rules: ThrottleRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._counts = LocalCounts()

    def reload(self, rules: ThrottleRules) -> None:
        """Count by these rules from now on; what was counted stays."""
        self._rules = rules

    def admit(self, exchange: Exchange) -> None:
        """Charge the limits that every request has. Raises Refusal(RATE_LIMITED); then none was charged."""
        rules, trail = self._rules, exchange.trail
        asks = [_ask(f"address:{trail.client_ip}", rules.per_address)]
        if trail.site is not None:
            asks.append(_ask(f"site:{trail.site}", rules.per_site))
        if trail.surface in SESSION_SURFACES:
            asks.append(_ask(f"sessions:{trail.client_ip}", rules.sessions_per_address))
        self._charge(asks)

    def admit_guest(self, session_id: str) -> None:
        """Charge the limit of one guest session. Raises Refusal(RATE_LIMITED)."""
        self._charge([_ask(f"guest:{session_id}", self._rules.per_guest)])

    def admit_route(self, route: str, caller: str, limit_per_min: int) -> None:
        """Charge a route's own limit per caller; 0 is none. Raises Refusal(RATE_LIMITED)."""
        if limit_per_min:
            self._charge([_ask(f"route:{route}:{caller}", Limit.per_minute(limit_per_min))])

    def _charge(self, asks: list[LimitAsk]) -> None:
        for ask, result in zip(asks, self._counts.take(asks, self._clock(), local=True), strict=True):
            if not result.allowed:
                limiter = ask.key.partition(":")[0]
                raise Refusal(
                    errors.RATE_LIMITED,
                    f"The limit per {limiter} is used up.",
                    retry_after_s=retry_after(result.retry_after_s),
                )


def _ask(key: str, limit: Limit) -> LimitAsk:
    return LimitAsk(key, limit.rate_per_s, limit.burst)
