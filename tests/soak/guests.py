"""Guests by the thousand: WebSocket clients of a few hundred bytes each, which open, configure, stay and close.

What the gateway does meanwhile is measured elsewhere. The rule: a socket counts as open only after its configuration
has gone to the upstream and come back through the gateway.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import uuid
from typing import Final

from tests.bench.subject import DEPLOYMENT, ORIGIN

AT_ONCE: Final = 100
OPEN_S: Final = 60.0
CLOSE_S: Final = 60.0
_NO_MASK: Final = bytes(4)
"""A mask of zeros is a mask (RFC 6455 section 5.3 asks for an unpredictable one; nothing here is worth guessing)."""
_OPCODE_CLOSE: Final = 0x8
_OPCODE_PING: Final = 0x9
_CLOSE: Final = b"\x88\x82" + _NO_MASK + b"\x03\xe8"
_UPGRADE: Final = (
    f"GET /v1?deploymentId={DEPLOYMENT} HTTP/1.1\r\nHost: gateway.example\r\nOrigin: {ORIGIN}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
)


class Guest(asyncio.Protocol):
    """One guest: it is there once `ready` is done, and gone once `lost` is."""

    __slots__ = ("_got", "_switched", "close_code", "lost", "ready", "transport")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.transport: asyncio.Transport | None = None
        self.close_code: int | None = None
        self._got = b""
        self._switched = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to switch."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream is needed")
        self.transport = transport
        transport.write(_UPGRADE.encode() + base64.b64encode(os.urandom(16)) + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        """Hear the 101, configure, hear the configuration come back; then answer pings and the Close."""
        transport = self.transport
        if transport is None:
            return
        self._got += data
        if not self._switched and not self._hear_head(transport):
            return
        while len(self._got) >= 2 and len(self._got) >= (size := _frame_bytes(self._got)):
            frame, self._got = self._got[:size], self._got[size:]
            self._hear(transport, frame[0] & 0x0F, frame)

    def _hear_head(self, transport: asyncio.Transport) -> bool:
        """Is the 101 here?"""
        head, end, rest = self._got.partition(b"\r\n\r\n")
        if not end:
            return False
        if not head.startswith(b"HTTP/1.1 101 "):
            self.ready.set_exception(ConnectionError(head.partition(b"\r\n")[0].decode("latin-1")))
            transport.abort()
            return False
        self._switched, self._got = True, rest
        transport.write(_configuration())
        return True

    def _hear(self, transport: asyncio.Transport, opcode: int, frame: bytes) -> None:
        if opcode == _OPCODE_PING:
            transport.write(b"\x8a\x80" + _NO_MASK)
        elif opcode == _OPCODE_CLOSE:
            self.close_code = int.from_bytes(frame[2:4], "big")
            transport.write(_CLOSE)
        elif not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError("closed before it was open"))
        if not self.lost.done():
            self.lost.set_result(None)


async def open_guests(port: int, count: int) -> list[Guest]:
    """So many open sockets. Raises ConnectionError and TimeoutError when one does not come about."""
    guests: list[Guest] = []
    while len(guests) < count:
        some = min(AT_ONCE, count - len(guests))
        guests += await asyncio.gather(*(_open(port) for _ in range(some)))
    return guests


async def close_guests(guests: list[Guest]) -> int:
    """Close them as browsers do; how many were already gone."""
    gone = 0
    for at in range(0, len(guests), AT_ONCE):
        some = guests[at : at + AT_ONCE]
        for guest in some:
            if guest.lost.done() or guest.transport is None:
                gone += 1
            else:
                guest.transport.write(_CLOSE)
        async with asyncio.timeout(CLOSE_S):
            await asyncio.gather(*(guest.lost for guest in some))
    return gone


async def _open(port: int) -> Guest:
    _, guest = await asyncio.get_running_loop().create_connection(Guest, "127.0.0.1", port)
    async with asyncio.timeout(OPEN_S):
        await guest.ready
    return guest


def _configuration() -> bytes:
    frame = {"action": "configureSession", "deploymentId": DEPLOYMENT, "token": str(uuid.uuid4())}
    payload = json.dumps(frame, separators=(",", ":")).encode()
    if not 126 <= len(payload) < 65_536:
        raise ValueError("the length of the configuration takes two bytes")
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + _NO_MASK + payload


def _frame_bytes(data: bytes) -> int:
    """How long the first frame is, as far as its length is here already."""
    short = data[1] & 0x7F
    if short < 126:
        return 2 + short
    return 4 + int.from_bytes(data[2:4], "big")
