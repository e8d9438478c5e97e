"""How long to wait before a worker that ended is replaced: not at all the first time, then longer each time. Pure."""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0
STEADY_S: Final = 60.0
"""A worker that lived as long as this was sound: the next one is replaced at once again."""


class Backoff:
    """The pauses of one slot."""

    def __init__(self) -> None:
        self._failures = 0

    def next_pause_s(self, lived_s: float) -> float:
        """The pause after a worker that lived so long; 0 for one that never came up counts as a failure like others."""
        self._failures = 0 if lived_s >= STEADY_S else self._failures
        pause_s = 0.0 if self._failures == 0 else min(FIRST_S * 2.0 ** (self._failures - 1), LONGEST_S)
        self._failures = min(self._failures + 1, 16)
        return pause_s
