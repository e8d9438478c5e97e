"""When to look at which socket: entries by second, no timer and no task per socket.

The relay asks once a second what is due. Rules kept: a thing stands on the agenda once, at the earliest time it was
entered for; it is given out at or after that time; what was forgotten is held no longer, so that nothing outlives its
socket here.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Agenda(Generic[T]):
    """Things in buckets of one second."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[T, None]] = {}
        self._seconds: list[int] = []
        self._second_of: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._second_of)

    def add(self, thing: T, at: float) -> None:
        """Enter `thing` for the first full second at or after `at`, unless it stands there for an earlier one."""
        second = -int(-at // 1)
        known = self._second_of.get(thing)
        if known is not None:
            if known <= second:
                return
            del self._buckets[known][thing]
        self._second_of[thing] = second
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = {thing: None}
            heapq.heappush(self._seconds, second)
        else:
            bucket[thing] = None

    def forget(self, thing: T) -> None:
        """Take `thing` off the agenda, if it stands there."""
        second = self._second_of.pop(thing, None)
        if second is not None:
            del self._buckets[second][thing]

    def due(self, now: float) -> list[T]:
        """Everything entered for `now` or before, in the order of the seconds, taken off the agenda."""
        things: list[T] = []
        while self._seconds and self._seconds[0] <= now:
            things += self._buckets.pop(heapq.heappop(self._seconds))
        for thing in things:
            del self._second_of[thing]
        return things
