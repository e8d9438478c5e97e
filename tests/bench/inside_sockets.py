"""Where the time of one WebSocket message there and back goes inside the process: no sockets, no kernel, no waiting.

Many configured sockets speak in turn, so that each is met with cold caches as in life; both ends are transports that
go nowhere. Rule kept: the gateway is composed and opened as in production, only its clock is passed in.
"""

from __future__ import annotations

import asyncio
import base64
import cProfile
import io
import json
import os
import pstats
import time
import uuid
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
from gateway.upstream.ws_handshake import accept_of
from gateway.upstream.ws_wire import TEXT, FrameReader, build_frame
from gateway.web.connection import ConnectionLimits, GatewayServer
from tests.bench.inside import SHOWN, Nowhere
from tests.bench.plan import Plan
from tests.bench.report import Report
from tests.bench.sockets import PATH
from tests.bench.subject import DEPLOYMENT, ORIGIN, Shape, configuration

SOCKETS: Final = 400
ROUNDS: Final = 100
BETWEEN_S: Final = 5.0
"""How far the clock moves between two messages of a guest: nobody may be refused, the counts are kept all the same."""
PROFILE: Final = Path(".bench-profile-sockets.txt")


class Line(Nowhere):
    """A transport that can change its protocol, as a connection does when it becomes a socket."""

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who reads."""
        if self._protocol is None:
            raise RuntimeError("the line is closed")
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another one read."""
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    @property
    def reader(self) -> Callable[[bytes], None]:
        """What takes the bytes that come in."""
        protocol = self.get_protocol()
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError("nobody reads here")
        return protocol.data_received


class Socket:
    """One guest socket: a visitor's line, Genesys' line, and the two frames of a message there and back."""

    def __init__(self, server: GatewayServer) -> None:
        self.token = str(uuid.uuid4())
        self.heard: list[bytes] = []
        self.told: list[bytes] = []
        self.there = self.back = b""
        self.down: Callable[[bytes], None]
        protocol = server()
        self.visitor = Line(protocol, self.heard.append)
        protocol.connection_made(self.visitor)

    def dialled(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Genesys' end: accepts at once."""
        protocol = make()
        genesys = Line(protocol, self.told.append)
        protocol.connection_made(genesys)
        key = self.told[0].partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
        accept = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(key)}\r\n\r\n"
        asyncio.get_running_loop().call_soon(
            protocol.data_received, f"HTTP/1.1 101 Switching Protocols\r\n{accept}".encode()
        )
        self.genesys = genesys
        return protocol

    async def open(self) -> None:
        """Upgrade, configure, and say the message once, as the other measure does; an echo answers."""
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
        page = f"Host: 127.0.0.1\r\nOrigin: {ORIGIN}"
        self.visitor.reader(f"GET {PATH} HTTP/1.1\r\n{page}\r\n{upgrade}\r\n\r\n".encode())
        while not self.heard:
            await asyncio.sleep(0)
        if b" 101 " not in self.heard[0][:20]:
            raise RuntimeError(f"the socket is not opened: {self.heard[0]!r}")
        self._pass({"action": "configureSession", "deploymentId": DEPLOYMENT, "token": self.token})
        text = "Where is my parcel? It was sent on Monday."
        self._pass({"action": "onMessage", "token": self.token, "message": {"type": "Text", "text": text}})
        self.visitor.hear = self.genesys.hear = _nobody

    def _pass(self, frame: dict[str, object]) -> None:
        """One message there and back; the frames of the last one are kept."""
        payload = json.dumps(frame, separators=(",", ":")).encode()
        mask = os.urandom(4)
        self.there = build_frame(TEXT, payload, mask)
        self.visitor.reader(self.there)
        ((_, echo),) = FrameReader(masked=True, max_bytes=65_536).feed(self.told[-1])
        self.back = build_frame(TEXT, echo)
        self.genesys.reader(self.back)
        if json.loads(FrameReader(masked=False, max_bytes=65_536).feed(self.heard[-1])[0][1])["token"] != self.token:
            raise RuntimeError("not an echo")


def _nobody(_: bytes) -> None:
    """Hears nothing."""


class Hand:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


async def _measure(directory: Path) -> tuple[float, str]:
    path = directory / "config.toml"
    path.write_text(configuration(Shape("http://127.0.0.1:9", "ws://127.0.0.1:9"), 18_080, 19_090))
    loaded = load(path, {}, {})
    sources = checks.sources_of(loaded, {})
    checks.require_sound(loaded, sources)
    clock = Hand()
    gateway = Gateway(compile_config(loaded, sources), Surroundings(directory, clock=clock))
    await gateway.start()
    if gateway.front is None:
        raise RuntimeError("the gateway has no front")
    server = GatewayServer(gateway.front, ConnectionLimits(), lambda *_: None)
    sockets = []
    for _ in range(SOCKETS):
        socket = Socket(server)

        async def dial(_: Dialler, make: Callable[[], asyncio.Protocol], at: Socket = socket) -> asyncio.Protocol:
            return at.dialled(make)

        with mock.patch.object(Dialler, "open", dial):
            await socket.open()
        sockets.append((socket.visitor.reader, socket.there, socket.genesys.reader, socket.back))

    def one_round() -> None:
        clock.now += BETWEEN_S
        for up, there, down, back in sockets:
            up(there)
            down(back)

    spent: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        one_round()
        spent.append((time.thread_time() - began) / SOCKETS * 1e6)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(10):
        one_round()
    profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(SHOWN)
    await gateway.stop()
    await server.shutdown(0.1)
    return min(spent), text.getvalue()


def inside_sockets(plan: Plan, report: Report) -> None:
    """CPU per message there and back without sockets and kernel; the profile goes to .bench-profile-sockets.txt."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop_us, profile = runner.run(_measure(plan.directory))
    PROFILE.write_text(profile)
    report.add("inside", "one message there and back", loop_us=loop_us)
