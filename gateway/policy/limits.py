"""How often somebody may ask: the generic cell rate algorithm over one number per key.

Leaves keeping the numbers to the store, which repeats this arithmetic in Lua; a differential test compares the two.
The rule: a refused ask changes nothing, and a clock that is set back never locks anybody out for longer than a burst.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

SLACK_S: Final = 1e-6
"""Forgiven rounding: seconds since the epoch leave a double about 0.2 microseconds of precision."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate_per_s` sustained, and `burst` at once."""

    rate_per_s: float
    burst: int
    interval_s: float = field(init=False, repr=False, compare=False)
    """Seconds that one ask costs."""
    tolerance_s: float = field(init=False, repr=False, compare=False)
    """Seconds' worth of asks that may be made at once."""
    quota: str = field(init=False, repr=False, compare=False)
    """Burst and window in seconds, as a RateLimit-Policy field tells them."""

    def __post_init__(self) -> None:
        """Raises ValueError for a limit that could never be met or counted."""
        if self.rate_per_s <= 0 or self.burst < 1:
            raise ValueError("a limit needs a positive rate and a burst of at least one")
        object.__setattr__(self, "interval_s", 1.0 / self.rate_per_s)
        object.__setattr__(self, "tolerance_s", self.burst / self.rate_per_s)
        window_s = max(1, math.ceil(self.tolerance_s - SLACK_S))
        object.__setattr__(self, "quota", f"q={self.burst};w={window_s}")

    @staticmethod
    def per_minute(count: int, burst: int | None = None) -> Limit:
        """`count` in a minute, all of them at once unless `burst` is less."""
        return Limit(count / 60.0, count if burst is None else burst)


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one ask. `state` is what to keep; `remaining`: how many more would pass right now."""

    state: float
    allowed: bool
    retry_after_s: float
    remaining: int


def take(state: float, now: float, rate_per_s: float, burst: int, cost: int = 1) -> Taken:
    """Ask for `cost`. `state` is that of the last answer, 0.0 for a new key: the time when the key is at rest again.

    Raises ValueError for a limit that could never be met or counted.
    """
    if rate_per_s <= 0 or burst < 1 or cost < 0:
        raise ValueError("a limit needs a positive rate, a burst of at least one, and a cost that is not negative")
    after, wait_s = charge(state, now, rate_per_s, burst, cost)
    interval_s = 1.0 / rate_per_s
    remaining = max(0, math.floor((burst * interval_s - (after - now) + SLACK_S) / interval_s))
    return Taken(after, wait_s == 0.0, wait_s, remaining)


def charge(state: float, now: float, rate_per_s: float, burst: int, cost: int = 1) -> tuple[float, float]:
    """The bare arithmetic of `take`, for every frame of a socket: the state to keep, and the wait, 0.0 when allowed."""
    interval_s = 1.0 / rate_per_s
    tolerance_s = burst * interval_s
    rest_at = min(max(state, now), now + tolerance_s)
    after = rest_at + cost * interval_s
    wait_s = after - tolerance_s - now
    return (after, 0.0) if wait_s <= SLACK_S else (rest_at, wait_s)


def retry_after(wait_s: float) -> int:
    """Whole seconds for a Retry-After header: rounded up, at least one."""
    return max(1, math.ceil(wait_s - SLACK_S))


def ratelimit_headers(name: str, limit: Limit, remaining: int, wait_s: float) -> tuple[tuple[str, str], ...]:
    """RateLimit-Policy and RateLimit of an answer; `wait_s` is 0.0 for a request that passed.

    draft-ietf-httpapi-ratelimit-headers, sections 3 and 4.
    """
    left = f'"{name}";r={remaining}'
    return (
        ("RateLimit-Policy", f'"{name}";{limit.quota}'),
        ("RateLimit", left if wait_s == 0.0 else f"{left};t={retry_after(wait_s)}"),
    )
