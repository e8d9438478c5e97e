"""What the soak found: each promise in one line, kept or broken, and what could not be tried. Tries nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FLAT: Final = 1.05
"""Memory after all of it, over memory after half of it: five percent more is growth."""


@dataclass(slots=True)
class Verdicts:
    """Counts and tells."""

    broken: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, kept: bool, words: str) -> None:
        """Note one promise."""
        self.broken += not kept
        self._tell("kept  " if kept else "BROKEN", words)

    def flat(self, what: str, at_half_kib: int, end_kib: int) -> None:
        """Note whether memory stayed flat from half of the work to its end."""
        growth = (end_kib / at_half_kib - 1) * 100
        words = f"memory: {at_half_kib} KiB after half of the {what}, {end_kib} KiB after all ({growth:+.1f} %)"
        self.say(end_kib <= at_half_kib * FLAT, words)

    def note(self, words: str) -> None:
        """Tell a figure that nothing was promised of."""
        self._tell("      ", words)

    def skip(self, words: str) -> None:
        """Tell what was not tried, and why."""
        self._tell("left  ", words)

    def _tell(self, word: str, words: str) -> None:
        self.said.append(f"{word}  {words}")
        print(self.said[-1], flush=True)  # noqa: T201 - a program's own output


def settled(look: Callable[[], float], at_most: float, within_s: float = 30.0) -> float:
    """The figure once it is low enough, or when the time is up."""
    end = time.monotonic() + within_s
    while (found := look()) > at_most and time.monotonic() < end:
        time.sleep(0.2)
    return found
