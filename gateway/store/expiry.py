"""A bounded mapping whose entries expire: the ground of the memory store and of the near-caches.

It has no timer and no task: the caller passes `now`, and each write sweeps a few entries whose time has passed.
Rule kept: never more than `max_entries` entries, and no entry is given out at or after its expiry.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SWEEP_PER_WRITE = 8


class ExpiryMap(Generic[K, V]):
    """A mapping with an expiry per entry, in buckets of a second: a renewed entry moves bucket, nothing piles up.

    `evict`: when full, drop what would expire first (a cache); without it `put` answers False (a store).
    """

    __slots__ = ("_buckets", "_evict", "_heap", "entries", "max_entries")

    def __init__(self, max_entries: int, *, evict: bool) -> None:
        self.max_entries = max_entries
        self._evict = evict
        self.entries: dict[K, tuple[float, V]] = {}
        """By key: when the entry expires, and its value. Others may look here, also at what has expired; only look."""
        self._buckets: dict[int, set[K]] = {}
        self._heap: list[int] = []

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self.entries))

    def get(self, key: K, now: float) -> V | None:
        """The value, or None when there is none or its time has passed."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        if entry[0] <= now:
            self.pop(key)
            return None
        return entry[1]

    def expires_at(self, key: K) -> float | None:
        """When the entry expires, whether or not that is past; None when there is none."""
        entry = self.entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V, expires_at: float, now: float) -> bool:
        """Set an entry. False: full of living entries, and this map does not evict."""
        self.sweep(now, _SWEEP_PER_WRITE)
        old = self.entries.get(key)
        if old is not None:
            self._unlink(key, old[0])
        elif len(self.entries) >= self.max_entries and not self._make_room(now):
            return False
        self.entries[key] = (expires_at, value)
        bucket = int(expires_at)
        keys = self._buckets.get(bucket)
        if keys is None:
            self._buckets[bucket] = {key}
            heapq.heappush(self._heap, bucket)
        else:
            keys.add(key)
        return True

    def pop(self, key: K) -> V | None:
        """Remove an entry and return its value, whether or not its time has passed."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return None
        self._unlink(key, entry[0])
        return entry[1]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._buckets.clear()
        self._heap.clear()

    def sweep(self, now: float, limit: int) -> int:
        """Remove at most `limit` entries whose time has passed; returns how many."""
        removed = 0
        while removed < limit and self._heap and self._heap[0] < int(now):
            removed += self._drop_one_of(self._heap[0])
        return removed

    def _make_room(self, now: float) -> bool:
        """Free one place: of an expired entry, or by eviction where that is the rule."""
        if self.sweep(now, 1):
            return True
        if not self._evict:
            return False
        while self._heap:
            if self._drop_one_of(self._heap[0]):
                return True
        return False

    def _drop_one_of(self, bucket: int) -> int:
        """Remove one entry of the first bucket, or the bucket itself when it is empty; returns how many entries."""
        keys = self._buckets[bucket]
        dropped = 0
        if keys:
            del self.entries[keys.pop()]
            dropped = 1
        if not keys:
            heapq.heappop(self._heap)
            del self._buckets[bucket]
        return dropped

    def _unlink(self, key: K, expires_at: float) -> None:
        self._buckets[int(expires_at)].discard(key)
