"""Takes one connection over from aiohttp's server after its upgrade request, so that nothing of aiohttp stays behind.

Leaves judging the request to `ws_handshake.py` and the talk to `ws_pair.py`. Rule kept: the 101 is the first byte
written, bytes that came early are handed on, and a connection that is gone is never written to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from gateway import errors
from gateway.errors import Refusal


class SwitchedResponse(web.StreamResponse):
    """What the handler returns when its connection is a socket now: aiohttp has nothing left to write."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    @property
    def prepared(self) -> bool:
        """The 101 was sent."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing to prepare."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to end: the socket lives on."""


class _EarlyBytes:
    """Stands in for aiohttp's frame parser just long enough to be given what came behind the request."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep it."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """The connection is taken away from aiohttp right after."""


def is_gone(request: web.BaseRequest) -> bool:
    """Has the client closed its connection?"""
    transport = request.transport
    return transport is None or transport.is_closing()


def take_over(
    request: web.BaseRequest, answer: bytes, factory: Callable[[asyncio.Transport], asyncio.Protocol]
) -> tuple[SwitchedResponse, bytes]:
    """Answer 101 and give the transport to the protocol of `factory`; returns also the bytes that came early.

    The caller then resumes reading, which aiohttp may have paused. Must be called from the request's handler, which
    returns the response at once. Raises Refusal(CLIENT_GONE).
    """
    transport, connection = request.transport, request.protocol
    if transport is None or transport.is_closing():
        raise Refusal(errors.CLIENT_GONE)
    early = _EarlyBytes()
    connection.set_parser(early)  # type: ignore[arg-type]  # it asks only for feed_data and feed_eof
    protocol = factory(transport)
    transport.set_protocol(protocol)
    # aiohttp's connection believes itself lost: it forgets the request, its timers and its place in the server,
    # and, since its transport is gone first, leaves the transport alone
    connection.transport = None
    connection.connection_lost(None)
    transport.write(answer)
    return SwitchedResponse(), early.data
