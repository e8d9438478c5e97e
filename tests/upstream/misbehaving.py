"""Upstreams that misbehave on purpose: raw asyncio servers on free ports, written as a script of one conversation."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Peer"], Awaitable[None]]


@dataclass
class Peer:
    """One accepted connection, seen from the upstream."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        """Read one request: its first line, its headers in lower case, its body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            return first, headers, await self._chunks()
        return first, headers, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def _chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return body

    async def send(self, *parts: bytes) -> None:
        """Send bytes as they are."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self, body: bytes, status: int = 200, extra: bytes = b"") -> None:
        """Send a well-formed answer."""
        await self.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n" % (status, len(body), extra) + body)

    def reset(self) -> None:
        """Cut with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        while await self.reader.read(65_536):
            pass


@dataclass
class Upstream:
    """A running server: where it is, and what it has seen."""

    url: str = ""
    port: int = 0
    connections: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def upstream_of(script: Script, **options: object) -> AsyncIterator[Upstream]:
    """Run a server whose every connection plays `script`; its failures other than a cut are raised at the end."""
    seen = Upstream()
    tasks: set[asyncio.Task[None]] = set()
    faults: list[BaseException] = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            await script(Peer(seen.connections, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except Exception as exc:  # noqa: BLE001 - a script's failed assertion is raised where the test sees it
            faults.append(exc)
        finally:
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(play, "127.0.0.1", 0, **options)  # type: ignore[arg-type]  # options of the test
    seen.port = server.sockets[0].getsockname()[1]
    seen.url = f"{'https' if 'ssl' in options else 'http'}://127.0.0.1:{seen.port}"
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()
    if faults:
        raise faults[0]
