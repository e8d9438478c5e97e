"""The mock's clock: real time plus an offset that tests and the control port may move.

Everything in the mock that has a life (tokens, sessions, windows of limits, presigned URLs) asks this clock and no
other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, from `source` (the machine's clock unless told) plus what `advance` added."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self.offset_s = 0.0

    def now(self) -> float:
        """Return the mock's present in seconds since the epoch."""
        return self._source() + self.offset_s

    def advance(self, seconds: float) -> None:
        """Move the present by `seconds`; negative values move it back."""
        self.offset_s += seconds


def frozen_clock(at_s: float = 1_800_000_000.0) -> Clock:
    """Return a clock that stands still at `at_s` until it is advanced."""
    return Clock(lambda: at_s)


def iso_time(at_s: float) -> str:
    """Return the instant as Genesys writes it: UTC, milliseconds, `Z`."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
