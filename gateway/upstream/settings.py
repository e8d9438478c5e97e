"""The numbers of one upstream leg, and the ear that hears what happens on it.

Leaves to the app: which numbers, and what an event becomes (metrics, log). The rule: every wait has an end of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.upstream.faults import FaultKind


@dataclass(frozen=True, slots=True)
class LegSettings:
    """Bounds of one upstream leg; the defaults suit the Platform API."""

    max_connections: int = 64
    max_waiting: int = 512
    pool_wait_s: float = 2.0
    dns_timeout_s: float = 3.0
    dns_keep_s: float = 30.0
    connect_timeout_s: float = 3.0
    attempt_delay_s: float = 0.25  # RFC 8305 section 8: the recommended connection attempt delay
    tls_timeout_s: float = 5.0
    write_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    idle_s: float = 20.0
    max_age_s: float = 300.0
    expect_timeout_s: float = 1.0
    expect_from_bytes: int | None = None  # streamed bodies from this size ask first (Expect: 100-continue); None: never
    max_head_bytes: int = 65_536
    max_headers: int = 128
    max_interim_answers: int = 8
    high_water_bytes: int = 65_536
    tick_s: float = 0.1

    def __post_init__(self) -> None:
        """Refuse numbers that would switch a bound off."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and value <= 0 and (name, value) != ("max_waiting", 0):
                raise ValueError(f"{name}: must be above 0")


@dataclass(frozen=True, slots=True)
class LegStats:
    """How full a leg is now."""

    idle: int
    active: int
    waiting: int
    dialled: int


class LegObserver(Protocol):
    """Hears about one leg. Methods are called in the data path: they count and return, and never raise."""

    def answered(self, status: int, duration_s: float) -> None:
        """An answer's head came `duration_s` after the request was begun."""

    def failed(self, kind: FaultKind, duration_s: float) -> None:
        """A request ended without a usable answer; called once per request, not per attempt."""

    def retried(self, kind: FaultKind) -> None:
        """A request is sent a second time after a fault of this kind."""

    def breaker_moved(self, state: str) -> None:
        """The circuit breaker is now `closed`, `open` or `half_open`."""


class Unheard:
    """The observer of a leg that nobody listens to."""

    def answered(self, status: int, duration_s: float) -> None:
        """Forget it."""

    def failed(self, kind: FaultKind, duration_s: float) -> None:
        """Forget it."""

    def retried(self, kind: FaultKind) -> None:
        """Forget it."""

    def breaker_moved(self, state: str) -> None:
        """Forget it."""
