"""The numbers that Genesys enforces, in two tables, and the counter that enforces the rates.

A world copies both tables, so that a test may change a number in its own world only. Counting uses fixed windows that
start with the first hit, as the platform's `inin-ratelimit-reset` header describes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` hits in each window of `window_s` seconds."""

    count: int
    window_s: float


# Web messaging: developer.genesys.cloud/organization/organization/limits; the platform's own: same page, platform.api.
RATES: dict[str, Rate] = {
    "messages_per_session": Rate(5, 1),
    "requests_per_connection": Rate(60, 60),
    "configure_per_session": Rate(60, 60),
    "connections_per_deployment": Rate(1000, 60),
    "history_per_session": Rate(10, 60),
    "echo_per_connection": Rate(2, 60),
    "client.credentials.token.rate.per.minute": Rate(300, 60),
    "org.app.user.rate.per.minute": Rate(3000, 60),
}

SIZES: dict[str, int] = {
    "connections_per_session": 3,
    "custom_attributes_bytes": 2048,
    "text_bytes": 4096,
    "agent_text_chars": 4000,
    "upload_bytes": 10 * 1024 * 1024,
    "file_name_chars": 1024,
    "request_bytes": 512_000,
    "frame_bytes": 128 * 1024,
    "ephemeral_history_s": 15 * 86_400,
    "history_jwt_s": 60,
    "guest_jwt_s": 900,
    "guest_refresh_s": 86_400,
    "upload_url_s": 600,
    "attachment_s": 86_400,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a counter stands after a hit: `over` says that this hit is one too many."""

    count: int
    allowed: int
    reset_s: int
    window_s: float

    @property
    def over(self) -> bool:
        """Whether the limit is passed."""
        return self.count > self.allowed


class Meter:
    """Counts hits per (limit, key) in fixed windows."""

    def __init__(self, rates: dict[str, Rate]) -> None:
        self._rates = rates
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def hit(self, name: str, key: str, now: float) -> Reading:
        """Count one hit of `key` against limit `name` and return how the counter stands."""
        rate = self._rates[name]
        started_at, count = self._windows.get((name, key), (now, 0))
        if now - started_at >= rate.window_s:
            started_at, count = now, 0
        count += 1
        if len(self._windows) > 20_000:
            self._forget(now)
        self._windows[name, key] = (started_at, count)
        reset_s = max(1, math.ceil(started_at + rate.window_s - now))
        return Reading(count, rate.count, reset_s, rate.window_s)

    def _forget(self, now: float) -> None:
        over = [
            key for key, (started_at, _) in self._windows.items() if now - started_at >= self._rates[key[0]].window_s
        ]
        for key in over:
            del self._windows[key]
