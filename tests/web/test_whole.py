"""Answers in one piece: what stands on the wire, by method, status and version, and what may never get there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from gateway.web.whole import WholeAnswer

Make = Callable[[], WholeAnswer]


@asynccontextmanager
async def served(make: Make) -> AsyncIterator[int]:
    """A server that gives this answer; its port."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return make()

    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def said(port: int, request: bytes) -> bytes:
    """What comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def greeting() -> WholeAnswer:
    return WholeAnswer(200, [("X-One", "1")], b"Server: gateway\r\n", b"hello")


@pytest.mark.parametrize(
    ("line", "make", "start", "connection", "length", "body"),
    [
        (b"GET / HTTP/1.1", greeting, b"HTTP/1.1 200 OK\r\n", b"close", b"5", b"hello"),
        (b"HEAD / HTTP/1.1", greeting, b"HTTP/1.1 200 OK\r\n", b"close", b"5", b""),
        (b"HEAD / HTTP/1.1", lambda: WholeAnswer(200, [], b""), b"HTTP/1.1 200 OK\r\n", b"close", None, b""),
        (b"GET / HTTP/1.0", greeting, b"HTTP/1.0 200 OK\r\n", None, b"5", b"hello"),
        (
            b"GET / HTTP/1.1",
            lambda: WholeAnswer(204, [], b"", b"x"),
            b"HTTP/1.1 204 No Content\r\n",
            b"close",
            None,
            b"",
        ),
        (b"GET / HTTP/1.1", lambda: WholeAnswer(304, [], b""), b"HTTP/1.1 304 Not Modified\r\n", b"close", None, b""),
        (b"GET / HTTP/1.1", lambda: WholeAnswer(299, [], b""), b"HTTP/1.1 299 \r\n", b"close", b"0", b""),
    ],
)
async def test_head_and_body_stand_on_the_wire_as_method_status_and_version_want(
    line: bytes, make: Make, start: bytes, connection: bytes | None, length: bytes | None, body: bytes
) -> None:
    async with served(make) as port:
        asks_to_close = b"" if b"1.0" in line else b"Connection: close\r\n"
        head, _, rest = (await said(port, line + b"\r\nHost: a\r\n" + asks_to_close + b"\r\n")).partition(b"\r\n\r\n")
    fields = dict(field.split(b": ", 1) for field in head.split(b"\r\n")[1:])
    assert (head + b"\r\n").startswith(start)
    assert fields.get(b"Connection") == connection
    assert fields.get(b"Content-Length") == length
    assert fields[b"Date"].endswith(b" GMT")
    assert rest == body


async def test_a_connection_is_kept_or_ended_as_the_answer_says() -> None:
    async with served(greeting) as port:
        twice = await said(
            port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )
    assert twice.count(b"hello") == 2

    def last() -> WholeAnswer:
        answer = greeting()
        answer.force_close()
        return answer

    async with served(last) as port:
        once = await said(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert once.count(b"hello") == 1


async def test_an_old_client_that_keeps_its_connection_is_told_so() -> None:
    async with served(greeting) as port:
        asked = b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\nHost: a\r\n\r\n"
        answers = await said(port, asked)
    assert answers.count(b"Connection: keep-alive\r\n") == 1


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "\r\n"])
def test_a_line_break_in_a_value_is_no_second_header(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        WholeAnswer(200, [("X-One", value)], b"")


async def test_a_reader_who_takes_nothing_stops_the_writer() -> None:
    served_count = 0

    def large() -> WholeAnswer:
        nonlocal served_count
        served_count += 1
        return WholeAnswer(200, [], b"", b"x" * 1_000_000)

    async with served(large) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        await reader.readexactly(1)
        before = -1
        while before != served_count:  # nothing more is made once the pipes are full
            before = served_count
            await asyncio.sleep(0.05)
        assert served_count < 20
        writer.transport.abort()
