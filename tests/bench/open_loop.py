"""Questions at a steady pace over kept connections, whether or not the last answers have come: an open loop.

One thread with select(), because a load generator that costs as much as what it measures only measures itself. A
question that finds every connection busy is timed from when it was due; one that this program itself was late for is
timed from when it was sent, so that only what the server adds is counted.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

READ_BYTES: Final = 65_536
GIVE_UP_S: Final = 10.0


@dataclass(slots=True)
class Line:
    """One kept connection. `due`: from when the answer under way is timed."""

    connection: socket.socket
    due: float = 0.0
    heard: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes, due: float) -> None:
        """Send a question."""
        self.due = due
        self.heard.clear()
        self.connection.sendall(request)

    def hear(self) -> bool:
        """Read what has come; True when the answer is whole. Raises RuntimeError when it is not a good one."""
        piece = self.connection.recv(READ_BYTES)
        if not piece:
            raise RuntimeError("the server ended a connection")
        self.heard += piece
        end = self.heard.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.heard[:end]).lower()
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        return len(self.heard) >= end + 4 + int(length)


def waits_ms(port: int, request: bytes, *, per_s: float, seconds: float, connections: int) -> list[float]:
    """Ask for so long at this pace; milliseconds that each answer took, sorted. Raises RuntimeError."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        for connection in opened:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sorted(_asked([Line(connection) for connection in opened], request, per_s, seconds))


def _asked(lines: list[Line], request: bytes, per_s: float, seconds: float) -> Iterator[float]:
    clock = time.perf_counter
    idle, busy, late = deque(lines), dict[socket.socket, Line](), deque[float]()
    due, end = clock(), clock() + seconds
    while due < end or late or busy:
        now = clock()
        while due <= now and due < end:
            late.append(due if busy and not idle else now)
            due += 1 / per_s
            _send(idle, busy, late, request)
        pause_s = max(due - clock(), 0.0) if due < end else GIVE_UP_S
        ready = select.select(list(busy), (), (), pause_s)[0] if busy or due < end else []
        if not ready and due >= end:
            raise RuntimeError("no answer came")
        for connection in ready:
            line = busy[connection]
            if line.hear():
                yield (clock() - line.due) * 1000
                idle.append(busy.pop(connection))
                _send(idle, busy, late, request)


def _send(idle: deque[Line], busy: dict[socket.socket, Line], late: deque[float], request: bytes) -> None:
    """Ask what is due, as long as a connection is free."""
    while late and idle:
        line = idle.popleft()
        busy[line.connection] = line
        line.ask(request, late.popleft())
