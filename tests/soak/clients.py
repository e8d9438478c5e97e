"""Clients that misbehave slowly, and clients that go on calling while the gateway ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.bench.latency import request_bytes
from tests.bench.load import Ask

CALLERS: Final = 16


@dataclass(slots=True)
class Line:
    """One kept connection and its request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: bytes
    is_last: bool = False
    """The answer said that the connection ends."""

    async def ask(self) -> float:
        """Ask once; milliseconds until the whole answer is there. Raises RuntimeError for another than a 200."""
        clock = asyncio.get_running_loop().time
        began = clock()
        self.writer.write(self.request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        self.is_last = b"\r\nconnection: close\r\n" in head.lower()
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return (clock() - began) * 1000


@dataclass(slots=True)
class Held:
    """What came of the slow clients, and of those who called meanwhile."""

    left: int = 0
    served: int = 0
    failed: int = 0
    worst_ms: float = 0.0


@dataclass(slots=True)
class Tally:
    """Answers, and calls on a connection that had been served before and then got none."""

    answered: int = 0
    lost: int = 0


async def hold_slow(port: int, ask: Ask, count: int, within_s: float) -> Held:
    """Hold `count` connections of each slow kind until they are dropped; call as usual beside them."""
    held, done = Held(), asyncio.Event()
    head = request_bytes(ask).partition(b"\r\n\r\n")[0]
    kinds = (b"", head[:60], head + b"\r\n\r\n")
    slow = [asyncio.create_task(_slow_client(port, kind, within_s)) for kind in kinds for _ in range(count)]
    beside = asyncio.create_task(_beside(port, ask, held, done))
    held.left = sum(await asyncio.gather(*slow))
    done.set()
    await beside
    return held


async def _slow_client(port: int, first: bytes, within_s: float) -> bool:
    """Send a little, then a byte a second. Is it still connected in the end?"""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dropped = asyncio.create_task(reader.read())
    writer.write(first)
    with suppress(ConnectionError):
        for _ in range(int(within_s)):
            if (await asyncio.wait({dropped}, timeout=1.0))[0]:
                break
            if first:
                writer.write(b"x")
    still = not dropped.done()
    dropped.cancel()
    await asyncio.gather(dropped, return_exceptions=True)
    writer.transport.abort()
    return still


async def _beside(port: int, ask: Ask, held: Held, done: asyncio.Event) -> None:
    line = Line(*await asyncio.open_connection("127.0.0.1", port), request_bytes(ask))
    while not done.is_set():
        try:
            held.worst_ms = max(held.worst_ms, await line.ask())
            held.served += 1
        except (RuntimeError, EOFError, ConnectionError):
            held.failed += 1
            line = Line(*await asyncio.open_connection("127.0.0.1", port), request_bytes(ask))
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.02)
    line.writer.close()


async def call_until(port: int, ask: Ask, stop: Callable[[], None]) -> Tally:
    """Call on kept connections, have the gateway stop in the middle, and go on until it takes no more."""
    tally = Tally()
    callers = [asyncio.create_task(_caller(port, ask, tally)) for _ in range(CALLERS)]
    while tally.answered < 500:
        await asyncio.sleep(0.01)
    stop()
    await asyncio.gather(*callers)
    return tally


async def _caller(port: int, ask: Ask, tally: Tally) -> None:
    """One caller after the other's end, as a browser opens a new connection when the old one is closed."""
    while True:
        try:
            line = Line(*await asyncio.open_connection("127.0.0.1", port), request_bytes(ask))
        except ConnectionError:
            return
        served = 0
        while not line.writer.is_closing():
            try:
                await line.ask()
            except (EOFError, ConnectionError):
                # Between two answers an end is an end; one announced by `Connection: close` is not even that.
                tally.lost += served > 0 and not line.is_last
                break
            served += 1
            tally.answered += 1
            if line.is_last:
                break
        line.writer.close()
