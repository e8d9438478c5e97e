"""Taking a connection over from aiohttp: early bytes, nothing left behind, and a client that has gone."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.upstream.ws_takeover import is_gone, take_over

UPGRADE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Shout(asyncio.Protocol):
    """Answers in capitals."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())


@asynccontextmanager
async def served(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, web.Server]]:
    """A client connected to an aiohttp server with this handler."""
    server = web.Server(handler, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.sockets[0].getsockname()[1])
    try:
        yield reader, writer, server
    finally:
        writer.transport.abort()
        listening.close()
        await server.shutdown(1.0)
        await asyncio.sleep(0)


async def test_the_connection_speaks_the_new_protocol_and_early_bytes_are_handed_over() -> None:
    early_bytes: list[bytes] = []
    requests: list[weakref.ref[web.BaseRequest]] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(weakref.ref(request))
        await asyncio.sleep(0.01)
        response, early = take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)
        early_bytes.append(early)
        return response

    async with served(handle) as (reader, writer, server):
        writer.write(UPGRADE + b"early")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 101 Go\r\n\r\n"
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        assert early_bytes == [b"early"]
        assert len(server.connections) == 0
        gc.collect()
        assert requests[0]() is None


async def test_shutting_the_server_down_leaves_the_socket_alone() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)[0]

    async with served(handle) as (reader, writer, server):
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await server.shutdown(0.1)
        writer.write(b"still")
        assert await reader.readexactly(5) == b"STILL"


async def test_a_client_that_has_gone_is_not_written_to() -> None:
    outcome: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
    arrived = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert not is_gone(request)
        arrived.set()
        while not is_gone(request):
            await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            take_over(request, b"HTTP/1.1 101 Go\r\n\r\n", Shout)
        outcome.set_result(refused.value)
        return web.Response()

    async with served(handle) as (_reader, writer, _server):
        writer.write(UPGRADE)
        await arrived.wait()
        writer.transport.abort()
        assert (await asyncio.wait_for(outcome, 2)).reason is errors.CLIENT_GONE
