"""Accepting from a listening socket that several workers share, each about as often as it should.

Left to the kernel, the worker that wakes first takes nearly all: of 32 connections one had 31. So each tells the others
how many it has, and the one with more than the rest waits a moment. The rule: it waits only a moment, so that a worker
that hangs delays connections and never stops them.
"""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.config.check_network import MAX_WORKERS

log = structlog.get_logger(__name__)
SLOTS: Final = MAX_WORKERS
ABSENT: Final = -1
_CELL_BYTES: Final = 8
HOLD_S: Final = 0.002
"""How long a worker leaves connections to the others. It then takes one all the same, and twice as many each further
time, until the others take their share again."""
MOST_AT_ONCE: Final = 64
SLACK: Final = 1
"""So many more than the least busy worker it may have, and an eighth."""
HANDSHAKE_S: Final = 10.0
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_PAUSE_S: Final = 1.0


class LoadBoard:
    """How many connections each worker has, in memory that all of them see. Each writes its own cell only."""

    def __init__(self, fd: int) -> None:
        """Attach to the board of this descriptor."""
        self.fd = fd
        self._memory = mmap.mmap(fd, SLOTS * _CELL_BYTES)
        self._cells = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls) -> LoadBoard:
        """A new board, on which nobody is."""
        fd = os.memfd_create("gateway-load")
        os.ftruncate(fd, SLOTS * _CELL_BYTES)
        board = cls(fd)
        for slot in range(SLOTS):
            board.set(slot, ABSENT)
        return board

    def set(self, slot: int, connections: int) -> None:
        """Write how many the worker of a slot has; ABSENT when there is none."""
        self._cells[slot] = connections

    def least_of_others(self, slot: int) -> int | None:
        """The fewest that another worker has; None when this one is alone."""
        others = [count for other, count in enumerate(self._cells.tolist()) if count >= 0 and other != slot]
        return min(others, default=None)

    def close(self) -> None:
        """Detach."""
        self._cells.release()
        self._memory.close()
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Shared:
    """A worker's place at the shared listening socket."""

    listening: socket.socket
    board: LoadBoard
    slot: int


class Accepting:
    """Takes connections from the shared socket, for ever."""

    def __init__(
        self,
        shared: Shared,
        protocol: Callable[[], asyncio.Protocol],
        connections: Callable[[], int],
        context: ssl.SSLContext | None,
    ) -> None:
        """`connections`: how many this worker has now, those of open sockets too. `taken` counts what it accepted."""
        self._shared, self._protocol, self._connections, self._context = shared, protocol, connections, context
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[None]] = set()
        self._held: asyncio.TimerHandle | None = None
        self._forced = 1
        self.taken = 0
        self._is_stopped = False
        self.publish()
        self._loop.add_reader(shared.listening.fileno(), self._readable)

    def publish(self) -> None:
        """Tell the others how many this worker has. Called whenever that changes."""
        if not self._is_stopped:
            self._shared.board.set(self._shared.slot, self._count())

    async def stop(self) -> None:
        """Accept no more; returns once what was accepted has a protocol. What waits is the other workers'."""
        if not self._is_stopped:
            self._is_stopped = True
            self._pause()
            self._shared.listening.close()
        await asyncio.gather(*self._starting)

    def _count(self) -> int:
        return self._connections() + len(self._starting)

    def _room(self) -> int:
        """How many more this worker may take before the others had their turn."""
        least = self._shared.board.least_of_others(self._shared.slot)
        return MOST_AT_ONCE if least is None else least + least // 8 + SLACK - self._count()

    def _readable(self) -> None:
        room = self._room()
        if room > 0:
            self._forced = 1
            self._take(room)
        else:
            self._hold(HOLD_S)

    def _hold(self, pause_s: float) -> None:
        self._pause()
        self._held = self._loop.call_later(pause_s, self._resume)

    def _pause(self) -> None:
        self._loop.remove_reader(self._shared.listening.fileno())
        if self._held is not None:
            self._held.cancel()

    def _resume(self) -> None:
        self._held = None
        self._loop.add_reader(self._shared.listening.fileno(), self._readable)
        if self._room() <= 0:
            taken = self._take(self._forced)
            self._forced = min(self._forced * 2, MOST_AT_ONCE) if taken else 1

    def _take(self, most: int) -> int:
        """Accept what waits, at most so many; returns how many that were."""
        for taken in range(most):
            try:
                connection, _ = self._shared.listening.accept()
            except (BlockingIOError, InterruptedError):
                return taken
            except ConnectionAbortedError:
                continue  # the caller has given up while it waited
            except OSError as exc:
                if exc.errno not in EXHAUSTED:
                    raise
                log.error("connections.exhausted", error=os.strerror(exc.errno))
                self._hold(EXHAUSTED_PAUSE_S)
                return taken
            connection.setblocking(False)
            self.taken += 1
            task = self._loop.create_task(self._begin(connection))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
            self.publish()
        return most

    async def _begin(self, connection: socket.socket) -> None:
        """Give the connection its protocol, after the handshake where there is TLS."""
        within_s = HANDSHAKE_S if self._context is not None else None
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=within_s
            )
        except OSError:
            connection.close()  # gone, or no TLS: nobody is there to be answered
