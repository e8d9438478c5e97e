"""One connection's promises at its seams: late bytes, early ends, half-closed peers, slow callers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.upstream.faults import FaultKind, UpstreamFault
from tests.upstream.misbehaving import Peer
from tests.upstream.test_http import OK, PATIENT, ask, echo, leg_to, pause


async def test_half_closed_upstream_still_gets_its_whole_answer_across() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"Content-Length: 4\r\n\r\nwhole"[:-1])
        peer.writer.write_eof()
        await peer.gone()

    async with leg_to(script) as (leg, _):
        assert await (await ask(leg)).read(9) == b"whol"
        assert leg.stats().active == 0


async def test_upstream_that_half_closes_before_answering_is_a_reset() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write_eof()
        await peer.gone()

    async with leg_to(script) as (leg, _):
        with pytest.raises(UpstreamFault) as caught:
            await ask(leg, "POST")
        assert caught.value.kind is FaultKind.RESET


async def test_close_framed_body_that_is_cut_by_a_reset_is_not_whole() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\nabc")
        await go.wait()
        peer.reset()

    async with leg_to(script) as (leg, _):
        answer = await ask(leg)
        stream = answer.stream()
        assert await anext(stream) == b"abc"
        go.set()
        with pytest.raises(UpstreamFault, match="ConnectionResetError"):
            await anext(stream)


async def test_body_behind_a_head_that_allows_none_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK + b"Content-Length: 4\r\n\r\nevil")
            await peer.gone()
        await peer.answer(b"")

    async with leg_to(script) as (leg, upstream):
        assert (await ask(leg, "HEAD")).status == 200
        assert (await ask(leg, "HEAD")).status == 200
        assert upstream.connections == 2


async def test_connection_close_of_the_upstream_is_obeyed() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.answer(b"x", extra=b"Connection: Close\r\n")
        await peer.gone()

    async with leg_to(script) as (leg, upstream):
        for _ in range(2):
            assert await (await ask(leg)).read(9) == b"x"
        assert upstream.connections == 2


async def test_early_answer_to_a_large_buffered_body_ends_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.answer(b"no", 413)
        await peer.gone()

    async with leg_to(script) as (leg, _):
        answer = await ask(leg, "POST", b"x" * 20_000_000)
        assert (answer.status, await answer.read(9)) == (413, b"no")
        assert leg.stats().idle == 0


async def test_unfinished_early_answer_ends_the_connection_once_it_is_read() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 X\r\nContent-Length: 6\r\n\r\nabc")
        await go.wait()
        await peer.send(b"def")
        await peer.gone()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await pause(0.001)

    async with leg_to(script) as (leg, _):
        answer = await ask(leg, "POST", endless())
        go.set()
        assert await answer.read(9) == b"abcdef"
        assert leg.stats().idle == 0


async def test_streamed_body_waits_for_a_slow_upstream() -> None:
    go, handed = asyncio.Event(), 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal handed
        for _ in range(400):
            handed += 50_000
            yield b"x" * 50_000

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can read
        await go.wait()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]  # a stream's transport can read
        await echo(peer)

    async with leg_to(script, PATIENT) as (leg, _):
        task = asyncio.create_task(ask(leg, "POST", body(), body_length=20_000_000))
        settled = -1
        while settled != handed:
            settled = handed
            await pause(0.1)
        assert 0 < settled < 20_000_000
        go.set()
        answer = await task
        assert len(await answer.read(20_000_000)) == 20_000_000


async def test_caller_who_leaves_in_the_middle_of_a_stream_cuts_it() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        with pytest.raises(asyncio.IncompleteReadError):
            await peer.request()
        closed.set()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    async with leg_to(script) as (leg, _):
        task = asyncio.create_task(ask(leg, "POST", slow()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()
        assert leg.stats().active == 0
