"""Answers of GET routes that say `cache_s`: kept per site for as long as the route says, and not one second longer.

Leaves to rest.py which answers may be kept. The rule: bounded in number and bytes; the oldest goes first.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

CacheKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A whole answer, filtered as it was for its first caller."""

    status: int
    lines: bytes
    has_cache_control: bool
    body: bytes


class AnswerCache:
    """A bounded memory of answers by key."""

    def __init__(
        self, *, max_entries: int = 1_000, max_bytes: int = 8_388_608, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._kept: OrderedDict[CacheKey, tuple[float, KeptAnswer]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    def get(self, key: CacheKey) -> KeptAnswer | None:
        """The answer kept under the key, unless its time is over."""
        found = self._kept.get(key)
        if found is None:
            return None
        if self._clock() >= found[0]:
            self._drop(key)
            return None
        return found[1]

    def put(self, key: CacheKey, answer: KeptAnswer, life_s: float) -> None:
        """Keep an answer; one that is larger than a tenth of all room is not kept."""
        if len(answer.body) * 10 > self._max_bytes:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = (self._clock() + life_s, answer)
        self._bytes += len(answer.body)
        while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Forget everything; called when the configuration changes."""
        self._kept.clear()
        self._bytes = 0

    def _drop(self, key: CacheKey) -> None:
        """Forget one."""
        self._bytes -= len(self._kept.pop(key)[1].body)
