"""The HTTP leg against upstreams that answer well, badly, slowly, twice, in pieces or not at all. Real sockets."""

from __future__ import annotations

import asyncio
import inspect
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import uvloop

from gateway.upstream.answer import Answer
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.settings import LegSettings
from tests.upstream.misbehaving import Peer, Script, Upstream, upstream_of

OK = b"HTTP/1.1 200 OK\r\n"
PATIENT = LegSettings(
    pool_wait_s=30.0, connect_timeout_s=30.0, read_timeout_s=30.0, write_timeout_s=30.0, idle_s=30.0, tick_s=0.02
)


@dataclass
class Heard:
    """An observer that writes down what it hears."""

    events: list[tuple[str, object]] = field(default_factory=list)

    def answered(self, status: int, duration_s: float) -> None:
        self.events.append(("answered", status))

    def failed(self, kind: FaultKind, duration_s: float) -> None:
        self.events.append(("failed", kind.value))

    def retried(self, kind: FaultKind) -> None:
        self.events.append(("retried", kind.value))

    def breaker_moved(self, state: str) -> None:
        self.events.append(("breaker", state))


@asynccontextmanager
async def leg_to(
    script: Script, settings: LegSettings = PATIENT, heard: Heard | None = None
) -> AsyncIterator[tuple[HttpLeg, Upstream]]:
    """A leg and the upstream it goes to."""
    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url, settings, observer=heard)
        try:
            yield leg, upstream
        finally:
            await leg.close()


async def ask(
    leg: HttpLeg,
    method: str = "GET",
    body: bytes | AsyncIterator[bytes] = b"",
    *,
    within_s: float = 5.0,
    idempotent: bool | None = None,
    body_length: int | None = None,
) -> Answer:
    """One request."""
    return await leg.request(
        method,
        b"/x",
        [(b"accept", b"*/*")],
        body,
        deadline=asyncio.get_running_loop().time() + within_s,
        idempotent=method in {"GET", "HEAD", "PUT", "DELETE"} if idempotent is None else idempotent,
        body_length=body_length,
    )


async def pause(seconds: float) -> None:
    """Be slow on purpose: slowness is what these tests are about."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def echo(peer: Peer) -> None:
    """Answer each request with its body."""
    while True:
        first, _, body = await peer.request()
        await peer.answer(body or first.encode())


async def test_many_requests_share_one_connection() -> None:
    async with leg_to(echo) as (leg, upstream):
        for number in range(5):
            answer = await ask(leg, "POST", b"%d" % number)
            assert (answer.status, await answer.read(100)) == (200, b"%d" % number)
        assert upstream.connections == 1
        assert (leg.stats().idle, leg.stats().active) == (1, 0)


async def test_request_head_holds_our_framing_only() -> None:
    async def script(peer: Peer) -> None:
        first, headers, body = await peer.request()
        assert (first, body) == ("POST /x HTTP/1.1", b"hello")
        assert headers == {"host": peer.writer.get_extra_info("sockname")[0] + f":{port}", "accept": "*/*",
                           "content-length": "5"}  # fmt: skip
        await peer.answer(b"")

    async with leg_to(script) as (leg, upstream):
        port = upstream.port
        assert await (await ask(leg, "POST", b"hello")).read(10) == b""


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n3\r\n!!!\r\n0\r\nX-T: v\r\n\r\n", b"ok!!!"),
        (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 None\r\n\r\n", b""),
    ],
    ids=["chunked with trailer", "interim answers", "no content"],
)  # fmt: skip
async def test_answer_is_understood_in_one_piece_and_byte_by_byte(wire: bytes, body: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(wire)
        await peer.request()
        await peer.send(*[wire[place : place + 1] for place in range(len(wire))])
        await peer.gone()

    async with leg_to(script) as (leg, upstream):
        for _ in range(2):
            answer = await ask(leg)
            assert await answer.read(100) == body
            assert not [name for name, _ in answer.headers if name.lower() in {b"x-t", b"link"}]
        assert upstream.connections == 1


async def test_body_until_close_is_whole_when_the_upstream_closes() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"abc", b"def")

    async with leg_to(script) as (leg, _):
        assert await (await ask(leg)).read(100) == b"abcdef"
        assert leg.stats().idle == 0


async def test_head_answer_has_no_body_and_keeps_the_connection() -> None:
    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
        await echo(peer)

    async with leg_to(script) as (leg, upstream):
        for _ in range(2):
            answer = await ask(leg, "HEAD")
            assert (answer.complete, await answer.read(1)) == (True, b"")
        assert await (await ask(leg, "POST", b"x")).read(9) == b"x"
        assert upstream.connections == 1


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"<html>hello</html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(200)) + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
        b"HTTP/1.1 103 H\r\n\r\n" * 9,
    ],
)
async def test_answer_that_is_ambiguous_or_no_http_is_a_protocol_fault(wire: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(wire)
        await peer.gone()

    async with leg_to(script) as (leg, _):
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg)
        assert (caught.value.kind, caught.value.answer_seen) == (FaultKind.PROTOCOL, True)
        assert caught.value.refusal().code == "upstream.bad_answer"


@pytest.mark.parametrize(
    "wire",
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2;" + b"x" * 600_000,
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: " + b"x" * 600_000],
    ids=["chunk size", "chunk extension", "trailer"],
)  # fmt: skip
async def test_framing_that_breaks_in_the_body_breaks_the_body(wire: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(wire)
        await peer.gone()

    async with leg_to(script) as (leg, _):
        with pytest.raises(UpstreamFault, match="protocol"):
            await (await ask(leg)).read(1000)


async def test_bytes_behind_an_answer_are_never_the_next_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        )
        await echo(peer)

    async with leg_to(script) as (leg, upstream):
        assert await (await ask(leg)).read(10) == b"ok"
        assert leg.stats().idle == 0
        with pytest.raises(UpstreamFault, match="protocol"):  # the second connection plays the same trick after `ok`
            await (await ask(leg)).read(1)
        assert upstream.connections == 2


async def test_bytes_on_an_idle_connection_close_it() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number > 1:
            await echo(peer)
        await peer.request()
        await peer.answer(b"ok")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.gone()
        closed.set()

    async with leg_to(script) as (leg, upstream):
        assert await (await ask(leg)).read(10) == b"ok"
        await closed.wait()
        assert await (await ask(leg, "POST", b"fine")).read(10) == b"fine"
        assert upstream.connections == 2


async def test_cut_before_the_answer_is_not_repeated_for_post() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            peer.reset()
        await peer.answer(b"again")

    async with leg_to(script) as (leg, upstream):
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg, "POST", b"x")
        assert (caught.value.kind, caught.value.request_sent, caught.value.answer_seen) == (
            FaultKind.RESET,
            True,
            False,
        )
        assert caught.value.refusal().code == "upstream.unreachable"
        assert upstream.connections == 1


async def test_cut_of_a_stale_connection_is_repeated_once_for_get_and_not_for_post() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"%d" % peer.number)
        await peer.request()
        peer.reset()

    heard = Heard()
    async with leg_to(script, heard=heard) as (leg, upstream):
        assert await (await ask(leg)).read(9) == b"1"
        assert await (await ask(leg)).read(9) == b"2"
        with pytest.raises(UpstreamFault, match="reset"):
            await ask(leg, "POST", b"x")
        assert upstream.connections == 2
    assert heard.events == [("answered", 200), ("retried", "reset"), ("answered", 200), ("failed", "reset")]


async def test_get_is_repeated_once_and_no_more() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with leg_to(script) as (leg, upstream):
        with pytest.raises(UpstreamFault, match="reset"):
            await ask(leg)
        assert upstream.connections == 2


async def test_cut_after_a_byte_of_the_answer_is_never_repeated() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 2")

    async with leg_to(script) as (leg, upstream):
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg)
        assert (caught.value.kind, caught.value.answer_seen, upstream.connections) == (FaultKind.RESET, True, 1)


@pytest.mark.parametrize("head", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
async def test_body_that_is_cut_is_never_whole(head: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n", b"3\r\nabc\r\n")

    async with leg_to(script) as (leg, _):
        answer = await ask(leg)
        with pytest.raises(UpstreamFault, match="reset"):
            async for _ in answer.stream():
                pass


async def test_silence_is_a_read_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with leg_to(script, replace(PATIENT, read_timeout_s=0.3)) as (leg, upstream):
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg)
        assert (caught.value.kind, upstream.connections) == (FaultKind.READ_TIMEOUT, 1)
        assert caught.value.refusal().code == "upstream.timeout"


async def test_dripping_answer_ends_at_the_deadline() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await pause(0.05)

    async with leg_to(script) as (leg, _):
        with pytest.raises(UpstreamFault, match="total_timeout"):
            await (await ask(leg, within_s=0.5)).read(1000)


async def test_upstream_that_takes_no_bytes_is_a_write_timeout() -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can read
        await asyncio.Event().wait()

    async with leg_to(script, replace(PATIENT, write_timeout_s=0.3)) as (leg, _):
        with pytest.raises(UpstreamFault, match="write_timeout"):
            await ask(leg, "POST", b"x" * 20_000_000)


async def test_refused_connection_says_that_nothing_was_sent() -> None:
    async with upstream_of(echo) as upstream:
        url = upstream.url
    leg = HttpLeg(url, PATIENT)
    with pytest.raises(UpstreamFault) as caught:
        await ask(leg, "POST", b"x")
    assert (caught.value.kind, caught.value.request_sent) == (FaultKind.CONNECT, False)
    await leg.close()


async def test_name_without_address_is_a_dns_fault() -> None:
    leg = HttpLeg("http://nowhere.invalid", PATIENT)
    with pytest.raises(UpstreamFault, match="dns"):
        await ask(leg)
    await leg.close()


async def test_full_pool_makes_wait_and_then_refuses() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await go.wait()
            await peer.answer(b"ok")

    async with leg_to(script, replace(PATIENT, max_connections=2, max_waiting=3, pool_wait_s=2.0)) as (leg, upstream):
        tasks = [asyncio.create_task(ask(leg, "POST")) for _ in range(6)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        fault = done.pop().exception()
        assert isinstance(fault, UpstreamFault)
        assert (fault.kind, fault.refusal().code) == (FaultKind.POOL_EXHAUSTED, "upstream.busy")
        assert (leg.stats().active, leg.stats().waiting) == (2, 3)
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, Answer) for result in results) == 5
        assert upstream.connections == 2
        go.clear()
        late = [asyncio.create_task(ask(leg, "POST")) for _ in range(3)]
        done, _ = await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
        assert "no connection came free" in str(done.pop().exception())
        go.set()


async def test_cancelled_request_cuts_its_connection_and_frees_its_place() -> None:
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        if peer.number > 1:
            await echo(peer)
        await peer.request()
        arrived.set()
        await peer.gone()
        closed.set()

    async with leg_to(script, replace(PATIENT, max_connections=1)) as (leg, _):
        task = asyncio.create_task(ask(leg))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()
        assert await (await ask(leg, "POST", b"x")).read(9) == b"x"


async def test_answer_given_up_cuts_its_connection() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        await peer.gone()
        closed.set()

    async with leg_to(script) as (leg, _):
        async with await ask(leg) as answer:
            assert answer.status == 200
        await closed.wait()
        with pytest.raises(UpstreamFault, match="given up"):
            await answer.read(1000)


async def test_body_above_the_limit_is_refused_announced_or_not() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.answer(b"x" * 101)
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 101)
        await peer.gone()

    async with leg_to(script) as (leg, _):
        for _ in range(2):
            with pytest.raises(UpstreamFault, match="above the limit"):
                await (await ask(leg)).read(100)


async def test_idle_connections_are_closed_in_time() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"ok")
        await peer.gone()
        closed.set()

    async with leg_to(script, replace(PATIENT, idle_s=0.05)) as (leg, _):
        await (await ask(leg)).read(9)
        await closed.wait()
        assert leg.stats().idle == 0


async def test_old_connections_are_not_used_again() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await pause(0.03)
            await peer.answer(b"ok")

    async with leg_to(script, replace(PATIENT, max_age_s=0.01)) as (leg, upstream):
        for _ in range(3):
            await (await ask(leg)).read(99)
        assert upstream.connections == 3


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    """A body that comes in pieces."""
    for _ in range(count):
        yield b"p" * size


@pytest.mark.parametrize("length", [None, 30])
async def test_streamed_body_arrives_whole(length: int | None) -> None:
    async with leg_to(echo) as (leg, upstream):
        for _ in range(2):
            answer = await ask(leg, "POST", pieces(3, 10), body_length=length)
            assert await answer.read(100) == b"p" * 30
        assert upstream.connections == 1


async def test_early_answer_stops_the_sending_and_ends_the_connection() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)
        finally:
            stopped.set()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.answer(b"too much", 413)
        await peer.gone()

    async with leg_to(script) as (leg, _):
        answer = await ask(leg, "POST", endless())
        assert (answer.status, await answer.read(99)) == (413, b"too much")
        await stopped.wait()
        assert leg.stats().idle == 0


async def test_failing_body_cuts_the_request_and_is_raised_on() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("the caller's body broke")

    async def script(peer: Peer) -> None:
        with pytest.raises(asyncio.IncompleteReadError):
            await peer.request()

    async with leg_to(script) as (leg, _):
        with pytest.raises(LookupError):
            await ask(leg, "POST", failing())


async def test_large_body_asks_first_and_is_not_sent_against_a_refusal() -> None:
    sent = []

    async def body() -> AsyncIterator[bytes]:
        sent.append(True)
        yield b"x" * 30

    async def script(peer: Peer) -> None:
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue\r\n" in head
        if peer.number == 1:
            await peer.answer(b"", 417, b"Connection: close\r\n")
            return
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.reader.readexactly(30) == b"x" * 30
        await peer.answer(b"taken")

    settings = replace(PATIENT, expect_from_bytes=20, expect_timeout_s=60)
    async with leg_to(script, settings) as (leg, _):
        assert ((await ask(leg, "POST", body(), body_length=30)).status, sent) == (417, [])
        assert await (await ask(leg, "POST", body(), body_length=30)).read(9) == b"taken"


async def test_slow_sender_is_not_blamed_on_the_upstream() -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(12):
            await pause(0.2)
            yield b"x"

    async with leg_to(echo, replace(PATIENT, read_timeout_s=2.0)) as (leg, _):
        assert await (await ask(leg, "POST", slow())).read(99) == b"x" * 12


async def test_ten_megabytes_stream_with_flat_memory_and_the_wire_waits_for_a_slow_reader() -> None:
    size = 10_000_000
    handed = 0

    async def script(peer: Peer) -> None:
        nonlocal handed
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 50_000):
            await peer.send(b"x" * 50_000)
            handed += 50_000

    async with leg_to(script) as (leg, _):
        answer = await ask(leg, within_s=30)
        tracemalloc.start()
        total = 0
        stream = answer.stream()
        total += len(await anext(stream))
        settled = -1
        while settled != handed:  # the upstream stands still: all buffers are full, and it cannot have sent it all
            settled = handed
            await pause(0.1)
        assert settled < size
        async for piece in stream:
            total += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (total, peak < 2_500_000) == (size, True)


async def test_closed_leg_refuses() -> None:
    async with leg_to(echo) as (leg, _):
        await (await ask(leg)).read(99)
        await leg.close()
        with pytest.raises(UpstreamFault, match="closed"):
            await ask(leg)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x/path", "http://x?y", "https://user@x", "x"])
def test_base_url_is_scheme_host_and_port(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL"):
        HttpLeg(url)


def test_default_port_stays_out_of_the_host() -> None:
    assert HttpLeg("http://api.example:80/").base_url == "http://api.example"
    assert HttpLeg("http://[::1]:8080").base_url == "http://[::1]:8080"


STORIES = [
    story
    for name, story in list(globals().items())
    if name.startswith("test_") and inspect.iscoroutinefunction(story) and not inspect.signature(story).parameters
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_holds_on_uvloop_too(story: Callable[[], Awaitable[None]]) -> None:
    async def tell() -> None:
        await story()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(tell())
