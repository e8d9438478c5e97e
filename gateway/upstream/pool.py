"""The connections to one upstream: how many, who gets one next, and who has had one for too long.

Leaves the wire to connection.py and dialling to dial.py. The rule: never more than `max_connections`, and whoever
must wait waits in order and not for long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.upstream.connection import Connection
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.settings import LegSettings, LegStats

Open = Callable[[Callable[[], asyncio.Protocol]], Awaitable[asyncio.Protocol]]


class Pool:
    """A bounded pool of one upstream's connections; the most recently used is used next."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: LegSettings, open_: Open) -> None:
        self._loop = loop
        self._settings = settings
        self._open = open_
        self._idle: list[Connection] = []
        self._held: set[Connection] = set()  # those that count against the bound
        self._live: set[Connection] = set()  # those whose socket is still there, leaving ones too
        self._dialling = 0
        self._dialled = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._ticking: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    def stats(self) -> LegStats:
        """How full it is now."""
        idle = len(self._idle)
        return LegStats(idle, len(self._held) - idle + self._dialling, len(self._waiting), self._dialled)

    def take(self) -> Connection | None:
        """An idle connection that can be used at once, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            self._let_go(connection)
        return None

    async def acquire(self, deadline: float, *, fresh: bool = False) -> Connection:
        """Return a connection, waiting for one when all are in use; `fresh`: one that was never used.

        Raises UpstreamFault: `pool_exhausted` when none came free in time, or what dialling raises.
        """
        wait_until = min(self._loop.time() + self._settings.pool_wait_s, deadline)
        again = False
        while True:
            if self._closed:
                raise UpstreamFault(FaultKind.POOL_EXHAUSTED, "closed")
            if not fresh and (idle := self.take()) is not None:
                return idle
            if fresh and self._idle and not self._has_room():
                self._let_go(self._idle.pop(0))
            if self._has_room():
                return await self._dial(deadline)
            handed = await self._turn(wait_until, first=again)
            again = True
            if handed is not None and handed.usable:
                if not fresh:
                    return handed
                self._let_go(handed)

    async def close(self) -> None:
        """Cut every connection, refuse those who wait, and return when all sockets are gone."""
        self._closed = True
        while self._waiting:
            self._wake_next(None)
        for connection in list(self._live):
            connection.abandon()
        if self._live:
            self._emptied = self._loop.create_future()
            await self._emptied
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _has_room(self) -> bool:
        """May one more connection be dialled?"""
        return len(self._held) + self._dialling < self._settings.max_connections

    async def _dial(self, deadline: float) -> Connection:
        """Open a connection, counted from the start."""
        self._dialling += 1
        try:
            async with asyncio.timeout_at(deadline):
                connection = await self._open(self._make)
        except TimeoutError as exc:
            raise UpstreamFault(FaultKind.CONNECT_TIMEOUT, "deadline passed while dialling") from exc
        else:
            self._dialled += 1
            if not isinstance(connection, Connection):
                raise TypeError("the pool opens nothing but its own connections")
            if self._closed:
                connection.abandon()
                raise UpstreamFault(FaultKind.POOL_EXHAUSTED, "closed")
            if not connection.usable:
                raise UpstreamFault(FaultKind.CONNECT, "closed as soon as it was open")
            self._held.add(connection)
            self._live.add(connection)  # not before: a handshake that fails never tells `lost`
            if self._ticking is None:
                self._ticking = self._loop.call_later(self._settings.tick_s, self._tick)
            return connection
        finally:
            self._dialling -= 1
            self._make_room()

    def _make(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(self._loop, self._settings, self._on_free, self._on_lost)

    async def _turn(self, wait_until: float, *, first: bool) -> Connection | None:
        """Wait in line until a connection is handed over, or (None) until there may be room to dial."""
        if len(self._waiting) >= self._settings.max_waiting and not first:
            raise UpstreamFault(FaultKind.POOL_EXHAUSTED, "waiting room full", retry_after_s=1)
        place: asyncio.Future[Connection | None] = self._loop.create_future()
        if first:
            self._waiting.appendleft(place)  # woken in vain before: keeps its place
        else:
            self._waiting.append(place)
        try:
            async with asyncio.timeout_at(wait_until):
                return await place
        except TimeoutError as exc:
            self._leave(place)
            raise UpstreamFault(FaultKind.POOL_EXHAUSTED, "no connection came free", retry_after_s=1) from exc
        except asyncio.CancelledError:
            self._leave(place)
            raise

    def _leave(self, place: asyncio.Future[Connection | None]) -> None:
        """Leave the line; what was handed over in the same instant goes to the next."""
        if place in self._waiting:
            self._waiting.remove(place)
        if place.done() and not place.cancelled():
            handed = place.result()
            if handed is not None and handed.usable:
                self._on_free(handed)
            else:
                self._make_room()

    def _wake_next(self, connection: Connection | None) -> bool:
        """Hand a connection, or the news that there is room, to the first in line."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(connection)
                return True
        return False

    def _make_room(self) -> None:
        """A place came free: tell the first in line."""
        if self._waiting and self._has_room():
            self._wake_next(None)

    def _on_free(self, connection: Connection) -> None:
        """A connection may be used again."""
        too_old = connection.idle_since - connection.born_at > self._settings.max_age_s
        if self._closed or too_old:
            self._let_go(connection)
        elif not (self._waiting and self._wake_next(connection)):
            self._idle.append(connection)

    def _let_go(self, connection: Connection) -> None:
        """Close a connection that nobody uses; its place is free at once."""
        self._held.discard(connection)
        connection.close()
        self._make_room()

    def _on_lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._live.discard(connection)
        self._held.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._make_room()
        if self._emptied is not None and not self._live and not self._emptied.done():
            self._emptied.set_result(None)

    def _tick(self) -> None:
        """End exchanges that are late, and close connections that were idle for long."""
        now = self._loop.time()
        for connection in list(self._live):
            connection.check(now)
        while self._idle and now - self._idle[0].idle_since >= self._settings.idle_s:
            self._let_go(self._idle.pop(0))
        self._ticking = self._loop.call_later(self._settings.tick_s, self._tick) if self._live else None
