"""Connections that are cut, half closed or dripping, on either side: a caller never takes a part for the whole."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from tests.must_hold.wire import WAYS, Behind, Wire, running_wire
from tests.upstream.misbehaving import Peer

PIECE: Final = b"[" + b'"' + b"x" * 8_188 + b'",' + b"\r"
"""8 KiB of the middle of a JSON array."""
LARGE: Final = 100
"""Pieces of an answer that is streamed."""
JSON_LINE: Final = b"Content-Type: application/json\r\n"
MIB: Final = 1 << 20


async def start_large(peer: Peer, pieces: int) -> None:
    """The head of a large answer and so many pieces of it."""
    await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (JSON_LINE, LARGE * len(PIECE)))
    for _ in range(pieces):
        await peer.send(PIECE)


async def reset_before(peer: Peer) -> None:
    peer.reset()


async def reset_in_the_head(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    peer.reset()


async def reset_in_a_small_body(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 50\r\n\r\n{" % JSON_LINE)
    peer.reset()


async def end_in_a_small_body(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: 50\r\n\r\n{" % JSON_LINE)
    peer.writer.write_eof()
    await peer.gone()


async def end_before(peer: Peer) -> None:
    peer.writer.write_eof()
    await peer.gone()


NO_ANSWER: Final = (reset_before, reset_in_the_head, reset_in_a_small_body, end_before, end_in_a_small_body)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("script", NO_ANSWER)
async def test_an_upstream_that_breaks_off_before_its_answer_is_whole_is_a_502(
    tmp_path: Path, script: Callable[[Peer], Awaitable[None]], way: str
) -> None:
    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        await line.say(wire.post(), way)
        answer = await line.answer()
        assert (answer.status, answer.code.partition(".")[0]) == (502, "upstream")
        assert len(wire.behind.seen) == 1  # a message is never sent twice
        wire.behind.script = Behind().script
        await line.say(wire.post(), way)
        assert (await line.answer()).status == 200
        line.close()


@pytest.mark.parametrize("how", ["reset", "end", "half close"])
async def test_an_upstream_that_breaks_off_within_a_streamed_answer_cuts_the_caller_too(
    tmp_path: Path, how: str
) -> None:
    async def script(peer: Peer) -> None:
        await start_large(peer, LARGE // 2)
        if how == "reset":
            peer.reset()
        elif how == "end":
            peer.writer.close()
        else:
            peer.writer.write_eof()
            await peer.gone()

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        await line.say(wire.post())
        said = await line.rest()
        head, _, body = said.partition(b"\r\n\r\n")
        assert not said or b" 200 " in head
        assert len(body) < LARGE * len(PIECE)
        counted = await wire.refusals()
        assert sum(count for code, count in counted.items() if code.startswith("upstream.")) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("half", [False, True], ids=["reset", "half close"])
async def test_an_upstream_that_ends_after_its_answer_costs_nobody_anything(
    tmp_path: Path, half: bool, way: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(b'{"id":"1"}', extra=JSON_LINE)
        if half:
            peer.writer.write_eof()
            await peer.gone()
        else:
            await peer.writer.drain()
            peer.writer.close()

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        for _ in range(5):
            await line.say(wire.post(), way)
            assert (await line.answer()).body == b'{"id":"1"}'
            await wire.turn()
        line.close()
        assert len(wire.behind.seen) == 5


@pytest.mark.parametrize("way", WAYS)
async def test_both_sides_may_speak_a_byte_at_a_time(tmp_path: Path, way: str) -> None:
    async def script(peer: Peer) -> None:
        answer = b'HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\na\r\n{"id":"1"}\r\n0\r\n\r\n' % JSON_LINE
        for byte in answer:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0)

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        for _ in range(2):
            request = wire.post()
            for at in range(len(request)):
                line.writer.write(request[at : at + 1])
                await line.writer.drain()
                await asyncio.sleep(0)
            assert (await line.answer()).body == b'{"id":"1"}'
            await line.say(wire.post(), way)
            assert (await line.answer()).body == b'{"id":"1"}'
        line.close()
        assert {body for _, _, body in wire.behind.seen} == {b'{"body":"hello"}'}


@pytest.mark.parametrize("way", WAYS)
async def test_an_upstream_that_drips_is_given_up_at_the_routes_time(tmp_path: Path, way: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n" + JSON_LINE)
        async with asyncio.timeout(60):
            while not peer.reader.at_eof():
                await peer.send(b"X-A: b\r\n")
                await asyncio.sleep(0.05)  # the pace of the upstream, not a wait of the test

    async with running_wire(tmp_path, {"routes.0.timeout_s": 0.4}, script) as wire:
        answer = await wire.ask(wire.post(), way)
        assert (answer.status, answer.code) in ((504, "upstream.timeout"), (502, "upstream.bad_answer"))


@pytest.mark.parametrize("way", WAYS)
async def test_a_body_that_does_not_come_in_time_is_a_408(tmp_path: Path, way: str) -> None:
    async with running_wire(tmp_path, {"server.body_timeout_s": 0.3}) as wire:
        line = await wire.open()
        await line.say(wire.head(500) + b'{"body":', way)
        answer = await line.answer()
        assert (answer.status, answer.code) == (408, "request.timeout")
        await line.rest()
        assert wire.behind.seen == []


async def test_a_body_slower_than_allowed_is_a_408_and_one_that_is_faster_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    real = loop.time
    async with running_wire(tmp_path, {"server.body_min_bytes_per_s": 100}) as wire:
        slow, fast = await wire.open(), await wire.open()
        await slow.say(wire.head(5_000) + b"a" * 99)
        await fast.say(wire.head(5_000, "Content-Language: en") + b"b" * 4_000)
        await wire.turn()
        monkeypatch.setattr(loop, "time", lambda: real() + 6.0)  # a second beyond the first five
        await slow.say(b"a")
        answer = await slow.answer()
        assert (answer.status, answer.code) == (408, "request.timeout")
        await fast.say(b"b" * 1_000)
        assert (await fast.answer()).status == 200
        fast.close()
        await slow.rest()
        assert [len(body) for _, _, body in wire.behind.seen] == [5_000]


@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_who_leaves_within_its_body_is_counted_and_nothing_is_sent_on(tmp_path: Path, way: str) -> None:
    async with running_wire(tmp_path) as wire:
        line = await wire.open()
        await line.say(wire.head(500) + b'{"body":', way)
        await wire.turn()
        line.close()
        async with asyncio.timeout(60):
            while (await wire.refusals()).get("request.client_gone") != 1:
                await wire.turn()
        assert wire.behind.seen == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_whose_caller_leaves_is_carried_to_its_end_and_recorded(tmp_path: Path, way: str) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        asked.set()
        await left.wait()
        await peer.answer(b'{"id":"1"}', extra=JSON_LINE)

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        await line.say(wire.post(), way)
        await asked.wait()
        line.writer.transport.abort()
        await wire.turn()
        left.set()
        async with asyncio.timeout(60):
            while "proxy.allowed" not in await actions(wire):
                await wire.turn()
        assert (await wire.ask(wire.post(), way)).status == 200


async def actions(wire: Wire) -> list[str]:
    """What is on record."""
    return [str(record["event.action"]) for record in wire.gateway.audit.tail(50)]


async def test_ten_megabytes_pass_with_flat_memory(tmp_path: Path) -> None:
    pieces = 10 * MIB // len(PIECE)

    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (JSON_LINE, pieces * len(PIECE)))
        for _ in range(pieces):
            await peer.send(PIECE)

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        await line.say(wire.post())
        await line.reader.readuntil(b"\r\n\r\n")
        gc.collect()
        tracemalloc.start()
        try:
            got = 0
            while got < pieces * len(PIECE):
                got += len(await line.reader.read(65_536))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * MIB
        await line.say(wire.post())
        await line.reader.readuntil(b"\r\n\r\n")
        line.close()


async def test_a_caller_who_reads_nothing_holds_the_upstream_back(tmp_path: Path) -> None:
    """What is on its way fills the kernel's buffers and ours, and then waits: far less than all of it."""
    sent = 0
    whole = 64 * MIB

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (JSON_LINE, whole))
        while sent < whole:
            await peer.send(PIECE * 8)
            sent += len(PIECE) * 8

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        assert isinstance(line.writer.transport, asyncio.Transport)
        line.writer.transport.pause_reading()
        await line.say(wire.post())
        before = -1
        async with asyncio.timeout(60):
            while sent == 0 or sent != before:
                before = sent
                for _ in range(20):
                    await wire.turn()
        assert sent < whole / 2
        line.writer.transport.abort()


@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_who_reads_nothing_is_cut_in_the_end_and_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    loop = asyncio.get_running_loop()
    real, cut = loop.time, asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (JSON_LINE, 64 * MIB))
        try:
            while True:
                await peer.send(PIECE * 8)
        finally:
            cut.set()

    async with running_wire(tmp_path, {"routes.0.timeout_s": 0.5}, script) as wire:
        front = wire.gateway.front
        assert front is not None
        line = await wire.open()
        assert isinstance(line.writer.transport, asyncio.Transport)
        line.writer.transport.pause_reading()
        await line.say(wire.post(), way)
        async with asyncio.timeout(60):
            await cut.wait()  # at the route's time the upstream is let go; the caller still reads nothing
            await wire.turn()
        assert front.under_way == 1
        monkeypatch.setattr(loop, "time", lambda: real() + 31.0)
        async with asyncio.timeout(60):
            while front.under_way:
                await wire.turn()
        line.writer.transport.resume_reading()
        assert len(await line.rest()) < 64 * MIB
        monkeypatch.undo()
        wire.behind.script = Behind().script
        assert (await wire.ask(wire.post(), way)).status == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [20, LARGE * len(PIECE)], ids=["whole", "streamed"])
async def test_a_caller_who_closes_its_half_after_asking_gets_its_answer(tmp_path: Path, size: int, way: str) -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        asked.set()
        await closed.wait()
        await peer.answer(b"1" * size, extra=JSON_LINE)

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        await line.say(wire.post(), way)
        await asked.wait()
        line.writer.write_eof()
        await wire.turn()
        closed.set()
        answer = await line.answer()
        assert (answer.status, len(answer.body)) == (200, size)
        assert await line.rest() == b""


@pytest.mark.parametrize("way", WAYS)
async def test_a_caller_who_closes_its_half_at_rest_or_within_a_request_is_let_go(tmp_path: Path, way: str) -> None:
    async with running_wire(tmp_path) as wire:
        for sent in (b"", wire.post()[:50], wire.head(500) + b"{"):
            line = await wire.open()
            await line.say(wire.post())
            assert (await line.answer()).status == 200
            await line.say(sent, way)
            line.writer.write_eof()
            assert await line.rest() == b""
        assert len(wire.behind.seen) == 3
