"""A wire tap: a TCP relay before the gateway that keeps every byte of both directions and changes none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536


@dataclass
class Tap:
    """What passed. A listener that does not answer ends the client's connection, as the gateway's own port would."""

    port: int
    to_port: int
    up: bytearray = field(default_factory=bytearray, repr=False)
    down: bytearray = field(default_factory=bytearray, repr=False)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                kept += chunk
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            writer.transport.abort()
        finally:
            writer.close()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until both ends are done."""
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        except OSError:
            writer.transport.abort()
            return
        both = (self._carry(reader, far_writer, self.up), self._carry(far_reader, writer, self.down))
        tasks = {asyncio.create_task(one) for one in both}
        self._under_way |= tasks
        await asyncio.wait(tasks)
        self._under_way -= tasks


@asynccontextmanager
async def tapped(port: int, to_port: int) -> AsyncIterator[Tap]:
    """Listen on `port` and relay to `to_port` for the length of the block."""
    tap = Tap(port, to_port)
    server = await asyncio.start_server(tap.connected, "127.0.0.1", port)
    try:
        yield tap
    finally:
        server.close()
        for task in tuple(tap._under_way):
            task.cancel()
        await asyncio.gather(*tap._under_way, return_exceptions=True)
