"""Follows the stream of revocations that every node writes to, so that all hear of each within a second.

A stream, not publish/subscribe: after a lost connection it is read on from where it was left, and nothing is missed.
Rule kept: the reading task ends only with `close`, whatever the store does.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.store.base import Revocation, RevocationListener

log = structlog.get_logger(__name__)
_BLOCK_MS = 400
_ANSWER_S = 2.0
_RETRY_S = 0.25


class RevocationFeed:
    """One reader per node."""

    def __init__(self, client: Redis, stream: str) -> None:
        self.stream = stream
        self._client = client
        self._listeners: list[RevocationListener] = []
        self._task: asyncio.Task[None] | None = None
        self._last: bytes | None = None
        self._following = asyncio.Event()
        self._is_closing = False

    async def is_following(self, within_s: float) -> bool:
        """Does the feed hear of revocations, now or within the time?"""
        try:
            await asyncio.wait_for(self._following.wait(), within_s)
        except TimeoutError:
            return False
        return True

    def subscribe(self, listener: RevocationListener) -> None:
        """Have `listener` called for each revocation."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._follow(), name="revocation-feed")

    async def close(self) -> None:
        """Stop reading."""
        self._is_closing = True
        task, self._task = self._task, None
        while task is not None and not task.done():
            # redis-py may swallow a cancellation while it makes a connection, so one is not always enough
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)

    async def _follow(self) -> None:
        while not self._is_closing:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await self._read()
            except (RedisError, OSError) as exc:  # TimeoutError is an OSError
                if self._following.is_set():
                    log.warning("store.feed_lost", error=type(exc).__name__)
                self._following.clear()
                await asyncio.sleep(_RETRY_S)

    async def _read(self) -> None:
        """Read what is new, waiting a moment for it."""
        if not self._following.is_set():
            await self._find_place()
            self._following.set()
        # blocks on the server for less than the client's own time-out of one answer
        found: Any = await self._client.xread({self.stream: self._last or b"0-0"}, count=1000, block=self._block_ms)
        for _, entries in found or ():
            for entry, fields in entries:
                self._last = entry
                self._tell(fields)

    async def _find_place(self) -> None:
        """Where to read from: where we were, or the end at first, or the end of a stream that began anew."""
        newest: Any = await self._client.xrevrange(self.stream, count=1)
        end = newest[0][0] if newest else b"0-0"
        if self._last is None or _order(end) < _order(self._last):
            self._last = end

    @property
    def _block_ms(self) -> int:
        timeout_s = self._client.connection_pool.connection_kwargs.get("socket_timeout") or 1.0
        return max(10, min(_BLOCK_MS, int(timeout_s * 1000 * 0.6)))

    def _tell(self, fields: dict[bytes, bytes]) -> None:
        until, at = struct.unpack(">dd", fields[b"v"])
        revocation = Revocation(fields[b"s"].decode("utf-8"), at, until)
        for listener in self._listeners:
            listener(revocation)


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)
