"""A connection without a socket: the test says what is received, what is sent is kept, time is the loop's turns.

Each call of `hear` is one chunk as the transport would deliver it, so that a test decides where a request is cut.
"""

from __future__ import annotations

import asyncio
import re

from gateway.web.connection import GatewayConnection, GatewayServer

_VARYING = re.compile(rb"[0-9a-f]{32}|Date: [^\r]+")
TURNS = 40
"""More turns of the loop than any answer takes that waits for nobody."""


class Wire(asyncio.Transport):
    """The transport of one connection."""

    def __init__(self, server: GatewayServer, peer: str = "192.0.2.7") -> None:
        super().__init__({"peername": (peer, 5555)})
        self.sent = b""
        self.closed = False
        self.reading = True
        made = server()
        assert isinstance(made, GatewayConnection)
        self.connection = made
        self.connection.connection_made(self)

    async def rest(self) -> Wire:
        """Let everything happen that waits for nobody."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return self

    async def hear(self, *chunks: bytes) -> bytes:
        """Receive these chunks and rest; what was sent meanwhile."""
        await self.rest()
        before = len(self.sent)
        for chunk in chunks:
            if not self.closed:
                self.connection.data_received(chunk)
        await self.rest()
        return self.sent[before:]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written after the end"
        self.sent += bytes(data)

    def writelines(self, chunks: object) -> None:
        assert isinstance(chunks, list | tuple)
        self.write(b"".join(chunks))

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def abort(self) -> None:
        self.close()


def steady(answer: bytes) -> bytes:
    """An answer without its ids and date, so that two can be compared."""
    return _VARYING.sub(b"-", answer)


def statuses(sent: bytes) -> list[int]:
    """The statuses of the answers on a wire."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", sent)]
