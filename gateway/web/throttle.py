"""How much one address, origin, site, guest and route may ask of this node: GCRA counts in front of all that costs.

The arithmetic is `policy/limits.py`. The counts are this process's own: a limit against abuse must work without asking
anybody, and must not be what an outage of the store takes down. What is left is told in the RateLimit headers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.limits import Limit, retry_after
from gateway.store.counts import LocalCounts
from gateway.store.expiry import ExpiryMap
from gateway.web.exchange import Exchange

SESSION_SURFACES: Final = frozenset({"session", "auth_code"})
"""Services that make something to keep; they have a limit of their own."""
PROVIDER_SURFACES: Final = frozenset({"oauth_token", "oidc"})
"""Called by servers: Genesys comes for every visitor of every site from a few addresses, so not their calls are counted
but those that fail to authenticate."""
BARRED_ADDRESSES: Final = 50_000
Ask = tuple[str, Limit]


_per_minute: Final = lru_cache(maxsize=1024)(Limit.per_minute)


@dataclass(frozen=True, slots=True)
class ThrottleRules:
    """Limits of one node. `per_origin`: one listed origin of one site."""

    per_address: Limit
    per_origin: Limit
    per_guest: Limit
    per_site: Limit
    sessions_per_address: Limit


class Throttle:
    """Counts and refuses. `clock`: seconds since the epoch."""

    def __init__(self, rules: ThrottleRules, clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock
        self._counts = LocalCounts()
        self._barred: ExpiryMap[str, float] = ExpiryMap(BARRED_ADDRESSES, evict=True)

    def reload(self, rules: ThrottleRules) -> None:
        """Count by these rules from now on; what was counted stays."""
        self._rules = rules

    def admit(self, exchange: Exchange) -> None:
        """Charge the limits that every request has. Raises Refusal(RATE_LIMITED); then none was charged.

        An origin is counted once it has been found listed: a foreign one is refused before it costs anything.
        """
        rules, trail = self._rules, exchange.trail
        if trail.surface in PROVIDER_SURFACES:
            self._admit_server(trail.client_ip)
            return
        asks: list[Ask] = []
        if trail.site is not None:
            asks.append((f"site:{trail.site}", rules.per_site))
            if exchange.has_listed_origin:
                asks.append((f"origin:{trail.site}:{trail.origin}", rules.per_origin))
        if trail.surface in SESSION_SURFACES:
            asks.append((f"sessions:{trail.client_ip}", rules.sessions_per_address))
        asks.append((f"address:{trail.client_ip}", rules.per_address))
        self._charge(exchange, asks)

    def failed(self, exchange: Exchange) -> None:
        """Note that a server failed to authenticate; an address that goes on and on is not heard for a while."""
        address, now = exchange.trail.client_ip, self._clock()
        _, wait_s = self._counts.charge([(f"failures:{address}", self._rules.sessions_per_address)], now)
        if wait_s:
            self._barred.put(address, now + wait_s, now + wait_s, now)

    def _admit_server(self, address: str) -> None:
        now = self._clock()
        until = self._barred.get(address, now)
        if until is not None:
            raise Refusal(
                errors.RATE_LIMITED, "Too many calls of this address failed to authenticate.",
                retry_after_s=retry_after(until - now),
            )  # fmt: skip

    def admit_guest(self, exchange: Exchange, session_id: str) -> None:
        """Charge the limit of one guest session. Raises Refusal(RATE_LIMITED)."""
        self._charge(exchange, [(f"guest:{session_id}", self._rules.per_guest)])

    def admit_route(self, exchange: Exchange, route: str, caller: str, limit_per_min: int) -> None:
        """Charge a route's own limit per caller; 0 is none. Raises Refusal(RATE_LIMITED)."""
        if limit_per_min:
            self._charge(exchange, [(f"route:{route}:{caller}", _per_minute(limit_per_min))])

    def _charge(self, exchange: Exchange, asks: list[Ask]) -> None:
        """Charge; what is left of the last one, the nearest to the caller, is what the answer tells."""
        found, wait_s = self._counts.charge(asks, self._clock())
        if wait_s == 0.0:
            exchange.allowance = (*asks[-1], found, 0.0)
            return
        key, limit = asks[found]
        exchange.allowance = (key, limit, 0, wait_s)
        limiter = exchange.trail.limiter = key.partition(":")[0]
        raise Refusal(errors.RATE_LIMITED, f"The limit per {limiter} is used up.", retry_after_s=retry_after(wait_s))
