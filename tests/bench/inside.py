"""Where the time of one proxied call goes inside the process: no sockets, no kernel, and the same every time.

Both ends are transports that go nowhere: requests are handed to the server's protocol, and the upstream's answer to
the leg's. Prints what the event loop's thread and the whole process spend, and writes a profile beside the figures.
"""

from __future__ import annotations

import asyncio
import cProfile
import io
import json
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from unittest import mock

import uvloop

from gateway.app.gateway import Gateway, Surroundings
from gateway.config import checks
from gateway.config.compile import compile_config
from gateway.config.load import load
from gateway.upstream.dial import Dialler
from gateway.web.connection import ConnectionLimits, GatewayServer
from tests.bench.latency import request_bytes
from tests.bench.peers import ANSWER, TOKEN
from tests.bench.plan import NO_SOCKETS, Plan, post
from tests.bench.report import Report
from tests.bench.subject import ORIGIN, Shape, configuration

LINES: Final = 8
PER_ROUND: Final = 160
ROUNDS: Final = 120
PROFILED: Final = 4_000
SHOWN: Final = 60
PROFILE: Final = Path(".bench-profile.txt")


class Nowhere(asyncio.Transport):
    """A transport whose bytes are given to a function."""

    def __init__(self, protocol: asyncio.BaseProtocol, hear: Callable[[bytes], None]) -> None:
        super().__init__({"peername": ("127.0.0.1", 5555)})
        self.hear = hear
        self._protocol: asyncio.BaseProtocol | None = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give the bytes away."""
        self.hear(bytes(data))

    def is_closing(self) -> bool:
        """Was it closed?"""
        return self._protocol is None

    def get_write_buffer_size(self) -> int:
        """Everything has left."""
        return 0

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""

    def close(self) -> None:
        """Tell the protocol, as a transport does."""
        protocol, self._protocol = self._protocol, None
        if isinstance(protocol, asyncio.Protocol):
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)

    def abort(self) -> None:
        """The same."""
        self.close()


def _answer(body: str) -> bytes:
    head = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


ANSWERS: Final = ((b"/oauth/token", _answer(TOKEN)), (b"/api/v2/tokens/me", _answer("{}")), (b"", _answer(ANSWER)))


async def _dial(_: Dialler, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
    """Stands for the dialler: a connection to an upstream that answers at once."""
    loop, protocol = asyncio.get_running_loop(), make()

    def hear(request: bytes) -> None:
        answer = next(answer for mark, answer in ANSWERS if mark in request[:200])
        loop.call_soon(protocol.data_received, answer)

    protocol.connection_made(Nowhere(protocol, hear))
    return protocol


class Caller:
    """One kept connection of a page."""

    def __init__(self, server: GatewayServer) -> None:
        self._heard: asyncio.Future[bytes] | None = None
        self._protocol = server()
        self._protocol.connection_made(Nowhere(self._protocol, self._hear))

    def _hear(self, data: bytes) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(data)

    async def ask(self, request: bytes) -> bytes:
        """Send a request; its answer."""
        self._heard = asyncio.get_running_loop().create_future()
        self._protocol.data_received(request)
        return await self._heard

    async def ask_often(self, request: bytes, count: int) -> None:
        """The same again and again."""
        for _ in range(count):
            await self.ask(request)


async def _measure(directory: Path) -> tuple[float, float, str]:
    path = directory / "config.toml"
    path.write_text(configuration(Shape("http://127.0.0.1:9", NO_SOCKETS), 18_080, 19_090))
    loaded = load(path, {}, {})
    sources = checks.sources_of(loaded, {})
    checks.require_sound(loaded, sources)
    gateway = Gateway(compile_config(loaded, sources), Surroundings(directory))
    await gateway.start()
    if gateway.front is None:
        raise RuntimeError("the gateway has no front")
    server = GatewayServer(gateway.front, ConnectionLimits(), lambda *_: None)
    callers = [Caller(server) for _ in range(LINES)]
    request = await _request(callers[0])

    async def round_of(count: int) -> None:
        await asyncio.gather(*(caller.ask_often(request, count // LINES) for caller in callers))

    await round_of(PER_ROUND)
    threads: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        await round_of(PER_ROUND)
        threads.append((time.thread_time() - began) / PER_ROUND * 1e6)
    began = time.process_time()
    await round_of(PROFILED)
    process = (time.process_time() - began) / PROFILED * 1e6
    profiler = cProfile.Profile()
    profiler.enable()
    await round_of(PROFILED)
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("cumulative").print_stats(SHOWN)
    await gateway.stop()
    await server.shutdown(0.1)
    return min(threads), process, text.getvalue()


async def _request(caller: Caller) -> bytes:
    """The measured call, with the handle of a session that was opened for it."""
    opened = await caller.ask(
        b"POST /sites/shop/session HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}" % ORIGIN.encode()
    )
    handle = str(json.loads(opened.partition(b"\r\n\r\n")[2])["session_token"])
    request = request_bytes(post(handle))
    if b" 200 " not in (await caller.ask(request))[:20]:
        raise RuntimeError("the call is not carried")
    return request


def inside(plan: Plan, report: Report) -> None:
    """CPU per proxied call without sockets and kernel; the profile goes to .bench-profile.txt."""
    with mock.patch.object(Dialler, "open", _dial), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        thread_us, process_us, profile = runner.run(_measure(plan.directory))
    PROFILE.write_text(profile)
    report.add("inside", "one proxied call", loop_us=thread_us, process_us=process_us)
