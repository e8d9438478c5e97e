"""A stage for socket tests: a scripted Genesys, a gateway on a free port, and visitors; all speak over real sockets.

The framing here is written apart from `ws_wire`, so that the two check each other.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from aiohttp import web

from gateway.errors import Reason, Refusal
from gateway.guestbook import Admission, Guestbook, GuestKeys, SiteBook
from gateway.policy import handles
from gateway.policy.decision import Facts, Guest, Nobody, SiteRules, SocketPermit, decide_socket
from gateway.policy.frames import SocketRules
from gateway.policy.guests import Person, SessionRules
from gateway.policy.handles import HandleKind
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.paths import parse_target
from gateway.policy.routes import RouteTable
from gateway.store.memory import MemoryStore
from gateway.store.sealing import Sealer
from gateway.upstream.settings import LegSettings
from gateway.upstream.websocket import SocketRelay, SocketSettings, SocketSite
from gateway.upstream.ws_caps import SocketCaps
from gateway.upstream.ws_dial import SocketDialer
from gateway.upstream.ws_handshake import accept_of
from gateway.upstream.ws_types import GuestLogin, SessionOpener, SocketBounds, SocketEnding, SocketOpening

DEPLOYMENT = "5f0c1d6e-0000-4000-8000-0123456789ab"
ORIGIN = "https://shop.example"
TOKEN = "7b1c7f0e-1111-4222-8333-444455556666"
SHOP = SiteBook("shop", "acme", SessionRules(), anonymous=True)
WAIT_S = 30.0
BACKLOG = 1_024  # more than any test opens at once


class Wire:
    """One raw WebSocket end: `masks` for a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, masks: bool) -> None:
        self.reader, self.writer, self._masks = reader, writer, masks

    def frame(self, opcode: int, payload: bytes, *, fin: bool = True, masked: bool | None = None) -> bytes:
        masked = self._masks if masked is None else masked
        head = bytes([(0x80 if fin else 0) | opcode])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        if masked:
            mask = os.urandom(4)
            return head + mask + bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        return head + payload

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def say(self, text: str | dict[str, Any]) -> None:
        self.write(self.frame(1, (text if isinstance(text, str) else json.dumps(text)).encode()))

    def say_close(self, code: int | None = 1000, reason: str = "") -> None:
        self.write(self.frame(8, b"" if code is None else struct.pack(">H", code) + reason.encode()))

    async def hear_frame(self) -> tuple[int, bytes]:
        """The next frame, or (-1, b"") when the connection is gone."""
        try:
            async with asyncio.timeout(WAIT_S):
                first, second = await self.reader.readexactly(2)
                length = second & 0x7F
                if length == 126:
                    (length,) = struct.unpack(">H", await self.reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
                assert (second & 0x80 != 0) is not self._masks, "masked the wrong way"
                mask = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
                payload = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return -1, b""
        return first & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))

    async def hear(self) -> str:
        """The next text message."""
        opcode, payload = await self.hear_frame()
        assert opcode == 1, (opcode, payload)
        return payload.decode()

    async def hear_json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(await self.hear())
        return value

    async def hear_close(self) -> tuple[int | None, str]:
        """Code and reason of the Close that must come next."""
        opcode, payload = await self.hear_frame()
        assert opcode == 8, (opcode, payload)
        return (struct.unpack(">H", payload[:2])[0] if payload else None), payload[2:].decode()

    async def gone(self) -> bool:
        """True once the peer has closed the connection; whatever comes before that is read away."""
        try:
            async with asyncio.timeout(WAIT_S):
                while await self.reader.read(65536):
                    pass
        except ConnectionError:
            return True
        return True

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Peer(Wire):
    """Genesys' end of one socket."""

    async def opening(self) -> dict[str, str]:
        """The opening request: header names in lower case, the request line under ``."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (item.split(":", 1) for item in rest)}
        return {"": line, **headers}

    async def accept(self, extra: str = "") -> dict[str, str]:
        head = await self.opening()
        proof = accept_of(head["sec-websocket-key"])
        self.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {proof}\r\n{extra}\r\n".encode()
        )
        return head

    async def refuse(self, status: int, extra: str = "") -> None:
        await self.opening()
        self.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{extra}\r\n".encode())


class Observer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.openings: list[SocketOpening] = []
        self.endings: asyncio.Queue[SocketEnding] = asyncio.Queue()
        self.refused: list[Reason] = []
        self.refuse_with: Refusal | None = None

    async def opened(self, opening: SocketOpening) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
        self.openings.append(opening)

    def closed(self, ending: SocketEnding) -> None:
        self.endings.put_nowait(ending)

    def frame_refused(self, opening: SocketOpening, reason: Reason) -> None:
        self.refused.append(reason)

    async def ending(self) -> SocketEnding:
        return await asyncio.wait_for(self.endings.get(), WAIT_S)


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """Everything of one test."""

    def __init__(self, caps: SocketCaps, bounds: SocketBounds, login: GuestLogin | None) -> None:
        self.clock = Hand()
        self.store = MemoryStore(self.clock)
        self.book = Guestbook(
            self.store,
            keys=GuestKeys(b"g" * 32, 1),
            sealer=Sealer({1: b"s" * 32}, os.urandom),
            entropy=os.urandom,
            clock=self.clock,
        )
        self.observer = Observer()
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.ticket = ""  # the last one that a visitor knocked with
        self.rules = SiteRules("shop", "acme", DEPLOYMENT, OriginRules((parse_pattern(ORIGIN),)), RouteTable(()))
        self._caps, self._bounds, self._login = caps, bounds, login
        self.port = 0
        self.sessions: SessionOpener | None = None
        self.relay: SocketRelay
        self._peers: list[Peer] = []
        self._visitors: list[Visitor] = []
        self.connections_left: Callable[[], int]

    @asynccontextmanager
    async def running(self, socket_rules: SocketRules | None = None) -> AsyncIterator[Stage]:
        """Start Genesys and the gateway on free ports; end with nothing left open."""
        genesys = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=BACKLOG)
        url = f"ws://127.0.0.1:{genesys.sockets[0].getsockname()[1]}"
        site = SocketSite(url, socket_rules or SocketRules(DEPLOYMENT))
        self.settings = SocketSettings({"shop": site}, self._caps, self._bounds)
        dialer = SocketDialer(
            os.urandom, timeout_s=WAIT_S, settings=LegSettings(connect_timeout_s=WAIT_S, attempt_delay_s=WAIT_S)
        )
        self.relay = SocketRelay(
            self.settings, self.book, self.store, dialer, self.observer, self.clock,
            entropy=os.urandom, login=self._login, sessions=self.sessions, jitter=lambda: 0.0,
        )  # fmt: skip
        handler = web.Server(self._handle, access_log=None)
        server = await asyncio.get_running_loop().create_server(handler, "127.0.0.1", 0, backlog=BACKLOG)
        self.port = server.sockets[0].getsockname()[1]
        self.connections_left = lambda: len(handler.connections)
        try:
            yield self
        finally:
            for end in (*self._visitors, *self._peers):
                end.writer.transport.abort()
            await self.relay.close()
            server.close()
            await handler.shutdown(1.0)
            genesys.close()
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, masks=False)
        self._peers.append(peer)
        self.peers.put_nowait(peer)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            subprotocol = request.headers.get("Sec-WebSocket-Protocol")
            permit = await self.permit(request, subprotocol)
            return await self.relay.run(permit, request, subprotocol, request_id="r1", headers={"X-Request-Id": "r1"})
        except Refusal as refusal:
            return web.Response(status=refusal.status, headers={"X-Code": refusal.code})

    async def permit(self, request: web.BaseRequest, subprotocol: str | None) -> SocketPermit:
        caller: Guest | Nobody = Nobody()
        if subprotocol is not None:
            handle = subprotocol.removeprefix("ticket.")
            session = await self.book.redeem_ticket(handle, "shop")
            caller = Guest(session, HandleKind.TICKET, ticket=handles.digest(handle))
        target = parse_target(request.raw_path)
        facts = Facts(request.method, target, target.segments, request.headers.get("Origin"), caller)
        return decide_socket(facts, self.rules, dict(target.parameters).get("deploymentId"), self.clock())

    async def admit(self, person: Person | None = None) -> Admission:
        return await self.book.admit(SHOP, None, person)

    async def knock(
        self, admission: Admission | None = None, extra: str = "", version: str = "13", deployment: str = DEPLOYMENT
    ) -> Visitor:
        """A visitor that has sent its upgrade request."""
        protocol = ""
        if admission is not None:
            self.ticket = (await self.book.issue_ticket(admission.session)).handle
            protocol = f"Sec-WebSocket-Protocol: ticket.{self.ticket}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        visitor = Visitor(reader, writer, masks=True)
        self._visitors.append(visitor)
        key = base64.b64encode(os.urandom(16)).decode()
        visitor.write(
            f"GET /v1?deploymentId={deployment} HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n"
            f"Origin: {ORIGIN}\r\n{protocol}{extra}\r\n".encode()
        )
        visitor.key = key
        return visitor

    async def connect(self, admission: Admission | None = None) -> tuple[Visitor, Peer]:
        """A visitor and Genesys' end of its socket, both open."""
        visitor = await self.knock(admission or await self.admit())
        peer = await self.genesys()
        await peer.accept()
        assert (await visitor.answer())[0] == 101
        return visitor, peer

    async def configured(self, admission: Admission | None = None) -> tuple[Visitor, Peer]:
        """As `connect`, and the session is configured."""
        visitor, peer = await self.connect(admission)
        visitor.say({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT})
        await peer.hear()
        peer.say(SESSION_RESPONSE)
        assert await visitor.hear() == SESSION_RESPONSE
        return visitor, peer

    async def genesys(self) -> Peer:
        """Genesys' end of the next socket that is dialled."""
        return await asyncio.wait_for(self.peers.get(), WAIT_S)


class Visitor(Wire):
    """A client of the gateway."""

    key = ""

    async def answer(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer to the upgrade request; a 101 must prove that the key was read."""
        async with asyncio.timeout(WAIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (item.split(":", 1) for item in rest)}
        status = int(line.split(" ")[1])
        if status == 101:
            assert headers["sec-websocket-accept"] == accept_of(self.key)
        return status, headers


SESSION_RESPONSE = (
    '{"type":"response","class":"SessionResponse","code":200,"body":{"connected":true,"newSession":true}}'
)


def message(text: str) -> dict[str, Any]:
    """An onMessage frame."""
    return {"action": "onMessage", "token": TOKEN, "message": {"type": "Text", "text": text}}


@asynccontextmanager
async def stage(
    *,
    caps: SocketCaps | None = None,
    bounds: SocketBounds | None = None,
    login: GuestLogin | None = None,
    rules: SocketRules | None = None,
    sessions: SessionOpener | None = None,
) -> AsyncIterator[Stage]:
    """A running stage."""
    made = Stage(caps or SocketCaps(), bounds or SocketBounds(), login)
    made.sessions = sessions
    async with made.running(rules) as running:
        yield running


Script = Callable[[], Coroutine[None, None, None]]


def scripts_of(names: dict[str, Any]) -> list[Script]:
    """The tests of a module that are scripts without parameters."""
    return [
        script
        for name, script in sorted(names.items())
        if name.startswith("test_") and inspect.iscoroutinefunction(script) and not inspect.signature(script).parameters
    ]


def name_of(script: Script) -> str:
    """How a script is called in reports."""
    return script.__name__.removeprefix("test_")


def run_on_uvloop(script: Script) -> None:
    """Run a script on a loop of uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(script())
