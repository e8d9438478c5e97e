"""When to look at which socket: entries by second, no timer and no task per socket.

The relay asks once a second what is due. Rule kept: an entry is given out once, at or after its time.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """Entries in buckets of one second; the same thing may be entered more than once."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[T]] = {}
        self._seconds: list[int] = []

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, thing: T, at: float) -> None:
        """Enter `thing` for the first full second at or after `at`."""
        second = -int(-at // 1)
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = [thing]
            heapq.heappush(self._seconds, second)
        else:
            bucket.append(thing)

    def due(self, now: float) -> list[T]:
        """Everything entered for `now` or before, taken off the agenda."""
        things: list[T] = []
        while self._seconds and self._seconds[0] <= now:
            things += self._buckets.pop(heapq.heappop(self._seconds))
        return things
