"""What aiohttp's server leaves open by default, closed: half headers, silence, too many connections, its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.web.connection import ConnectionLimits, GatewayConnection
from tests.web.conftest import RunningFront

Start = Callable[..., Awaitable[RunningFront]]


async def connected(front: RunningFront, count: int = 1) -> list[GatewayConnection]:
    """The server's side of the connections, once there are so many."""
    async with asyncio.timeout(30):
        while len(front.server.connections) != count:
            await asyncio.sleep(0)
    return [c for c in front.server.connections if isinstance(c, GatewayConnection)]


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the end; a reset, which unread data causes, is an end too."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def test_a_header_that_is_not_finished_in_time_ends_the_connection(start: Start) -> None:
    front = await start(limits=ConnectionLimits(header_timeout_s=10.0))
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(b"GET /sites/shop/widget.js HTTP/1.1\r\nHost: gw\r\nX-Slow: ")
    (connection,) = await connected(front)
    now = asyncio.get_running_loop().time()
    connection.sweep(now + 9.0)
    assert connection.transport is not None
    assert not connection.transport.is_closing()
    connection.sweep(now + 11.0)
    assert await rest_of(reader) == b""
    writer.close()


async def test_a_connection_that_says_nothing_ends(start: Start) -> None:
    front = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    (connection,) = await connected(front)
    connection.sweep(asyncio.get_running_loop().time() + 11.0)
    assert await rest_of(reader) == b""
    writer.close()


async def test_a_connection_between_two_requests_may_rest(start: Start) -> None:
    front = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(b"GET /nothing HTTP/1.1\r\nHost: gw\r\n\r\n")
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404")
    (connection,) = await connected(front)
    connection.sweep(asyncio.get_running_loop().time() + 60.0)
    assert connection.transport is not None
    assert not connection.transport.is_closing()
    writer.close()
    await writer.wait_closed()


async def test_connections_above_the_cap_are_closed(start: Start) -> None:
    front = await start(limits=ConnectionLimits(connections=1))
    _, first = await asyncio.open_connection("127.0.0.1", front.port)
    await connected(front)
    reader, second = await asyncio.open_connection("127.0.0.1", front.port)
    assert await rest_of(reader) == b""
    for writer in (first, second):
        writer.close()


async def test_what_is_not_http_gets_our_words_and_is_noted(start: Start) -> None:
    front = await start()
    answer = await front.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is a TLS hello\r\n\r\n")
    assert b"request.malformed" in answer
    assert b"TLS hello" not in answer
    assert b"aiohttp" not in answer.lower()
    ((peer, request_id),) = front.malformed
    assert peer == "127.0.0.1"
    assert request_id.encode() in answer
