"""A call under way on the short way: what comes meanwhile, who goes, and how the connection rests and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiohttp import web

from gateway.errors import CLIENT_GONE, SESSION_INVALID, Refusal
from gateway.web.connection import ConnectionLimits
from gateway.web.exchange import Exchange
from gateway.web.short_way import KEPT_BYTES, REMEMBERED_S
from gateway.web.whole import WholeAnswer
from tests.patience import PATIENCE_S
from tests.web.conftest import RunningFront, front_rules, new_front
from tests.web.wire import Wire, statuses

CALL = b"POST /sites/shop/api/v2/x HTTP/1.1\r\nHost: gw\r\nContent-Length: 2\r\n\r\n{}"
OTHER = b"POST /sites/shop/api/v2/other HTTP/1.1\r\nHost: gw\r\nContent-Length: 4\r\n\r\nnull"
LAST = CALL.replace(b"Host: gw", b"Host: gw\r\nConnection: close")


class Stage:
    """A front whose proxied calls wait until they are let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self.short: list[bool] = []
        self.ended: list[str] = []
        self.size = 5
        self.front: RunningFront = new_front(
            front_rules(), ConnectionLimits(keepalive_s=75.0), {"rest_proxy": self.serve}
        )
        self.wire = Wire(self.front.server)

    async def serve(self, exchange: Exchange) -> web.StreamResponse:
        self.short.append(not isinstance(exchange.asked, web.BaseRequest))
        body = await exchange.body(1_000)
        await self.go.wait()
        self.ended.append(exchange.target.path)
        return WholeAnswer(200, [("X-Size", str(len(body)))], b"", b"x" * self.size)

    @property
    def reports(self) -> list[str]:
        return self.front.audit.actions()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage()
    yield found
    found.go.set()
    await found.front.server.shutdown(1.0)


async def test_calls_of_a_kept_connection_all_take_the_short_way(stage: Stage) -> None:
    for _ in range(3):
        assert statuses(await stage.wire.hear(CALL)) == [200]
    assert stage.short == [True, True, True]
    assert not stage.wire.is_closing()


async def test_a_body_that_comes_behind_its_head_takes_the_long_way_and_the_next_call_the_short_one(
    stage: Stage,
) -> None:
    assert statuses(await stage.wire.hear(CALL[:-2], CALL[-2:-1], CALL[-1:])) == [200]
    assert statuses(await stage.wire.hear(CALL)) == [200]
    assert stage.short == [False, True]


async def test_other_services_on_the_connection_do_not_end_the_short_way(stage: Stage) -> None:
    session = b"POST /sites/shop/session HTTP/1.1\r\nHost: gw\r\nOrigin: https://shop.example\r\n\r\n"
    assert statuses(await stage.wire.hear(session)) == [200]
    assert statuses(await stage.wire.hear(CALL)) == [200]
    assert stage.short == [True]


@pytest.mark.parametrize(
    "odd",
    [
        CALL + OTHER,
        CALL[:20],
        CALL.replace(b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        CALL.replace(b"\r\n\r\n", b"\r\n\r\n", 1) + b"POST",
    ],
)
async def test_after_a_framing_that_only_aiohttp_knows_everything_is_left_to_aiohttp(stage: Stage, odd: bytes) -> None:
    await stage.wire.hear(odd)
    stage.short.clear()
    await stage.wire.hear(OTHER)
    assert True not in stage.short


async def test_two_calls_in_one_piece_are_both_answered_in_order(stage: Stage) -> None:
    sent = await stage.wire.hear(CALL + OTHER)
    assert statuses(sent) == [200, 200]
    assert sent.index(b"X-Size: 2") < sent.index(b"X-Size: 4")


async def test_what_comes_during_a_call_is_served_after_it(stage: Stage) -> None:
    stage.go.clear()
    assert await stage.wire.hear(CALL, OTHER) == b""
    assert stage.ended == []
    stage.go.set()
    await stage.wire.rest()
    assert stage.ended == ["/sites/shop/api/v2/x", "/sites/shop/api/v2/other"]
    assert statuses(stage.wire.sent) == [200, 200]


async def test_a_caller_who_sends_on_and_on_during_a_call_is_not_read_any_more(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL, b"POST /sites/shop/api/v2/x HTTP/1.1\r\nHost: gw\r\nX-Long: ")
    assert stage.wire.is_reading()
    await stage.wire.hear(b"x" * KEPT_BYTES)
    assert not stage.wire.is_reading()
    stage.go.set()
    await stage.wire.rest()
    assert stage.wire.is_reading()
    assert statuses(stage.wire.sent) == [200, 400]  # the field is longer than any may be


async def test_a_caller_who_goes_does_not_stop_its_call(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL)
    stage.wire.connection.connection_lost(None)
    await stage.wire.rest()
    assert stage.ended == []
    stage.go.set()
    await stage.wire.rest()
    assert stage.ended == ["/sites/shop/api/v2/x"]
    assert stage.wire.sent == b""
    assert stage.front.front.under_way == 0
    assert stage.front.server.calls == set()


async def test_a_slow_reader_gets_no_second_answer_before_it_took_the_first(stage: Stage) -> None:
    stage.wire.connection.pause_writing()
    await stage.wire.hear(CALL, OTHER)
    assert stage.ended == ["/sites/shop/api/v2/x"]
    stage.wire.connection.resume_writing()
    await stage.wire.rest()
    assert stage.ended == ["/sites/shop/api/v2/x", "/sites/shop/api/v2/other"]


async def test_a_slow_reader_who_goes_ends_the_call(stage: Stage) -> None:
    stage.wire.connection.pause_writing()
    await stage.wire.hear(CALL)
    stage.wire.connection.connection_lost(ConnectionResetError())
    await stage.wire.rest()
    assert stage.front.server.calls == set()


async def test_a_connection_that_ends_ends_after_the_answer(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL)
    stage.wire.connection.end()
    await stage.wire.hear(OTHER)
    assert not stage.wire.is_closing()
    stage.go.set()
    await stage.wire.rest()
    assert statuses(stage.wire.sent) == [200]
    assert stage.wire.is_closing()
    assert stage.ended == ["/sites/shop/api/v2/x"]


async def test_a_draining_gateway_says_that_the_connection_ends(stage: Stage) -> None:
    stage.front.front.draining = True
    sent = await stage.wire.hear(CALL)
    assert b"Connection: close\r\n" in sent
    assert stage.wire.is_closing()


async def test_a_call_gets_its_time_when_the_server_is_shut_down(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL)
    stage.front.server.pre_shutdown()
    ending = asyncio.create_task(stage.front.server.shutdown(30.0))
    await stage.wire.rest()
    assert not ending.done()
    stage.go.set()
    await asyncio.wait_for(ending, PATIENCE_S)
    assert statuses(stage.wire.sent) == [200]


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_call_that_takes_longer_is_cancelled_and_recorded(stage: Stage, *, is_gone: bool) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL)
    if is_gone:
        stage.wire.connection.connection_lost(None)
    stage.front.server.pre_shutdown()
    await asyncio.wait_for(stage.front.server.shutdown(0.01), PATIENCE_S)
    assert stage.ended == []
    assert stage.wire.sent == b""
    assert stage.front.refusals(CLIENT_GONE.code) == 1
    assert stage.front.server.calls == set()


async def test_the_time_of_an_idle_connection_does_not_run_during_a_call(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL)
    connection = stage.wire.connection
    connection._process_keepalive()
    await stage.wire.rest()
    assert not stage.wire.is_closing()
    stage.go.set()
    await stage.wire.rest()
    assert statuses(stage.wire.sent) == [200]
    connection._next_keepalive_close_time = 0.0  # it is over
    connection._process_keepalive()
    await stage.wire.rest()
    assert stage.wire.is_closing()


async def test_the_time_of_a_header_does_not_run_during_a_call_but_for_one_begun_after_it(stage: Stage) -> None:
    stage.go.clear()
    await stage.wire.hear(CALL, OTHER[:10])
    sweep = partial(stage.wire.connection.sweep, asyncio.get_running_loop().time() + 11.0)
    sweep()
    assert not stage.wire.is_closing()
    stage.go.set()
    await stage.wire.rest()
    sweep()
    await stage.wire.rest()
    assert stage.wire.is_closing()


async def test_a_connection_at_rest_holds_the_head_of_its_last_call_for_a_short_while_only(stage: Stage) -> None:
    await stage.wire.hear(CALL)
    connection, now = stage.wire.connection, asyncio.get_running_loop().time()
    held = []
    for later in (0.0, REMEMBERED_S + 1.0):
        connection.sweep(now + later)
        held.append(connection._last is not None)
    assert held == [True, False]
    assert statuses(await stage.wire.hear(CALL)) == [200]
    assert stage.short == [True, True]


async def test_a_handler_that_fails_is_a_500_and_the_connection_goes_on() -> None:
    async def fails(exchange: Exchange) -> web.StreamResponse:
        await exchange.body(10)
        raise RuntimeError("hunter2")

    front = new_front(front_rules(), handlers={"rest_proxy": fails})
    wire = Wire(front.server)
    sent = await wire.hear(CALL, CALL)
    assert statuses(sent) == [500, 500]
    assert b"hunter2" not in sent
    wire.close()
    await front.server.shutdown(1.0)


async def test_a_refused_call_whose_body_nobody_took_ends_the_connection_on_both_ways() -> None:
    async def refuses(exchange: Exchange) -> web.StreamResponse:
        raise Refusal(SESSION_INVALID)

    front = new_front(front_rules(), handlers={"rest_proxy": refuses})
    for chunks in ((CALL,), (CALL[:9], CALL[9:])):
        wire = Wire(front.server)
        sent = await wire.hear(*chunks)
        assert b"Connection: close\r\n" in sent
        assert wire.closed
    await front.server.shutdown(1.0)


async def test_an_answer_in_pieces_is_written_as_aiohttp_writes_it() -> None:
    async def streams(exchange: Exchange) -> web.StreamResponse:
        await exchange.body(10)
        answer = web.StreamResponse()
        await answer.prepare(exchange.request)
        for piece in (b"one", b"two"):
            await answer.write(piece)
        return answer

    front = new_front(front_rules(), handlers={"rest_proxy": streams})
    wire = Wire(front.server)
    sent = await wire.hear(CALL)
    assert b"Transfer-Encoding: chunked\r\n" in sent
    assert sent.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert not wire.closed
    assert statuses(await wire.hear(CALL)) == [200]
    wire.close()
    await front.server.shutdown(1.0)


async def test_an_answer_that_cannot_be_written_ends_the_connection() -> None:
    class Broken(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> None:
            raise RuntimeError("hunter2")

    async def breaks(exchange: Exchange) -> web.StreamResponse:
        await exchange.body(10)
        return Broken()

    front = new_front(front_rules(), handlers={"rest_proxy": breaks})
    wire = Wire(front.server)
    assert await wire.hear(CALL) == b""
    assert wire.closed
    await front.server.shutdown(1.0)


async def test_over_a_real_socket_a_kept_connection_takes_both_ways() -> None:
    seen: list[bool] = []

    async def serves(exchange: Exchange) -> web.StreamResponse:
        seen.append(not isinstance(exchange.asked, web.BaseRequest))
        return WholeAnswer(200, [], b"", await exchange.body(10))

    front = new_front(front_rules(), handlers={"rest_proxy": serves})
    runner = web.ServerRunner(front.server, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
    for call in (CALL, LAST):
        writer.write(call)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert statuses(head) == [200]
        assert await asyncio.wait_for(reader.readexactly(2), PATIENCE_S) == b"{}"
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    await writer.wait_closed()
    await runner.cleanup()
    assert seen == [True, False]
