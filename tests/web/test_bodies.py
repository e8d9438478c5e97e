"""Bodies that are still to come: strict JSON, and what a body of another kind, size or pace is told."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from gateway.errors import Refusal
from gateway.web.bodies import parse_object
from gateway.web.exchange import BodyLimits, Exchange
from tests.web.conftest import front_rules, new_front
from tests.web.wire import Wire, statuses

HEAD = b"POST /sites/shop/session HTTP/1.1\r\nHost: gw\r\nOrigin: https://shop.example\r\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{", b'{"a":1}{"b":2}', b'{"a":1,"a":2}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b"nope"],
)
def test_what_is_not_one_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_object(data)
    assert refused.value.code == "request.json_malformed"


def test_an_object_is_read() -> None:
    assert parse_object(b'{"a": {"b": 1}}') == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("fields", "pieces", "status"),
    [
        (b"Content-Type: application/json\r\nContent-Length: 2", [b"{}"], 200),
        (b"Content-Type: application/json\r\nContent-Length: 2", [b"{", b"}"], 200),
        (b"Content-Length: 0", [], 200),
        (b"Content-Type: text/plain\r\nContent-Length: 2", [b"{", b"}"], 415),
        (b"Content-Type: application/json\r\nContent-Length: 2", [b"[", b"]"], 400),
        (b"Content-Type: application/json\r\nContent-Length: 101", [b"{"], 413),
        (b"Content-Encoding: gzip\r\nContent-Length: 2", [b"{", b"}"], 415),
        (b"Transfer-Encoding: chunked", [b"64\r\n" + b" " * 100 + b"\r\n", b"1\r\n{\r\n"], 413),
    ],
)
async def test_a_body_is_read_as_one_object_or_refused_as_what_it_is(
    fields: bytes, pieces: list[bytes], status: int
) -> None:
    async def serve(exchange: Exchange) -> web.StreamResponse:
        return exchange.json_answer(200, await exchange.json_object(100))

    front = new_front(front_rules(), handlers={"session": serve})
    wire = Wire(front.server)
    assert statuses(await wire.hear(HEAD + fields + b"\r\n\r\n", *pieces)) == [status]
    wire.close()
    await front.server.shutdown(1.0)


async def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    ended = asyncio.Event()

    async def serve(exchange: Exchange) -> web.StreamResponse:
        try:
            return exchange.json_answer(200, await exchange.json_object(100))
        finally:
            ended.set()

    front = new_front(front_rules(body_limits=BodyLimits(timeout_s=0.0)), handlers={"session": serve})
    wire = Wire(front.server)
    await wire.hear(HEAD + b"Content-Length: 2\r\n\r\n{")
    await asyncio.wait_for(ended.wait(), 30.0)
    await wire.rest()
    assert statuses(wire.sent) == [408]
    wire.close()
    await front.server.shutdown(1.0)
