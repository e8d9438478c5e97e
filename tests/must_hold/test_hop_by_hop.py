"""What is meant for one hop stays on that hop: fixed names, names nominated by Connection, and trailers, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.must_hold.wire import WAYS, running_wire
from tests.upstream.misbehaving import Peer

SECRET: Final = "for-this-hop-only"
FIXED: Final = ("Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer")
# RFC 9110 section 7.6.1
NOMINATIONS: Final = (
    ("Connection: X-Hop, keep-alive",),
    ("Connection: keep-alive", "Connection: x-hop"),
    ("Connection:x-HOP",),
    ("Connection: keep-alive ,\t X-Hop\t,",),
    ("CONNECTION: X-Other", "connection: X-hop"),
)
STREAMED: Final = 300_000


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("nomination", NOMINATIONS, ids=str)
async def test_nothing_of_the_callers_hop_goes_on_to_the_upstream(
    tmp_path: Path, nomination: tuple[str, ...], way: str
) -> None:
    async with running_wire(tmp_path) as wire:
        own = [f"{name}: {SECRET}" for name in FIXED]
        answer = await wire.ask(wire.post(b"{}", *nomination, f"X-Hop: {SECRET}", "X-Stays: yes", *own), way)
        assert answer.status == 200
        ((_, headers, body),) = wire.behind.seen
        assert body == b"{}"
        assert SECRET not in str(headers)
        assert not {"x-hop", *(name.lower() for name in FIXED)} & headers.keys()
        assert headers.get("connection", "keep-alive") == "keep-alive"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [20, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("nomination", NOMINATIONS, ids=str)
async def test_nothing_of_the_upstreams_hop_goes_on_to_the_caller(
    tmp_path: Path, nomination: tuple[str, ...], size: int, way: str
) -> None:
    async def script(peer: Peer) -> None:
        lines = [*nomination, f"X-Hop: {SECRET}", *(f"{name}: {SECRET}" for name in FIXED), "Content-Language: en"]
        body = b'"' + b"a" * (size - 2) + b'"'
        extra = "".join(f"{line}\r\n" for line in [*lines, "Content-Type: application/json"]).encode()
        await peer.answer(body, extra=extra)

    async with running_wire(tmp_path, script=script) as wire:
        answer = await wire.ask(wire.post(), way)
        assert (answer.status, len(answer.body)) == (200, size)
        assert SECRET not in str(answer.headers)
        assert answer.headers["content-language"] == "en"


@pytest.mark.parametrize("way", WAYS)
async def test_trailers_are_dropped_both_ways(tmp_path: Path, way: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            b"Trailer: X-Late\r\n\r\n"
            b'a\r\n{"id":"1"}\r\n0\r\nX-Late: %b\r\n\r\n' % SECRET.encode()
        )

    async with running_wire(tmp_path, script=script) as wire:
        line = await wire.open()
        body = b"2\r\n{}\r\n0\r\nX-Late: %b\r\n\r\n" % SECRET.encode()
        for _ in range(2):
            await line.say(wire.start("Transfer-Encoding: chunked", "Trailer: X-Late") + body, way)
            answer = await line.answer()
            assert (answer.status, answer.body) == (200, b'{"id":"1"}')
            assert SECRET not in str(answer.headers)
        assert SECRET not in str(wire.behind.seen)
        assert [sent for _, _, sent in wire.behind.seen] == [b"{}"] * 2
