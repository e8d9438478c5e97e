"""The strict reading of a request in one piece: beside aiohttp's own parser, which must never read it otherwise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.web.framing import cut, cut_again, read_head, whole_length

PLAIN = (
    b"POST /sites/shop/api/v2/x?a=b HTTP/1.1\r\nHost: gw\r\nOrigin: https://shop.example\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\nAuthorization: Bearer abc\r\n\r\n{}"
)
BARE = b"GET /api/v2/x HTTP/1.1\r\nHost: gw\r\n\r\n"


def by_aiohttp(data: bytes) -> list[tuple[Any, bytes, bool]] | None:
    """What aiohttp's parser makes of it: each message, its body, and whether that is whole; None: it refuses."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(
            BaseProtocol(loop), loop, 2**16, max_line_size=8_190, max_field_size=8_190, max_headers=100,
            auto_decompress=False,
        )  # fmt: skip
        messages, _, _ = parser.feed_data(data)
        return [(message, payload.read_nowait(), payload.is_eof()) for message, payload in messages]
    except HttpProcessingError:
        return None
    finally:
        loop.close()


MARKS = [
    b"\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b": ", b"  ", b"#", b"%2f", b"\x80", b"\xff", b"\r\n ",
    b"\r\n\r\n",
    b"\r\nTransfer-Encoding: chunked", b"\r\nContent-Length: 2", b"\r\ncontent-length: 5", b"\r\nCONTENT-LENGTH: 1",
    b"\r\nHost: other", b"\r\nConnection: close", b"\r\nUpgrade: websocket", b"\r\nExpect: 100-continue",
    b"\r\nConnection: keep-alive", b"\r\nX-A: b", b"\r\nX_A: b", b"\r\n: b", b"\r\nX-A:", b"\r\nX-A : b", b"HTTP/1.0",
    b"HTTP/1.1", b"//", b"http://gw/", b"0", b"1", b"9999999", b"+2", b"0x2", b"\r\nTE: trailers", b"\x7f", b"\x0b",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A plain request with pieces put in, cut out, doubled or exchanged."""
    data = draw(st.sampled_from([PLAIN, BARE]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        upto = min(len(data), at + draw(st.integers(0, 6)))
        piece = draw(st.one_of(st.sampled_from(MARKS), st.binary(max_size=4)))
        kind = draw(st.sampled_from(["put in", "cut out", "exchange", "double"]))
        if kind == "put in":
            line_ends = [i for i in range(len(data)) if data.startswith(b"\r\n", i)]
            where = draw(st.sampled_from([at, *line_ends]))
            data = data[:where] + piece + data[where:]
        elif kind == "cut out":
            data = data[:at] + data[upto:]
        elif kind == "exchange":
            data = data[:at] + piece + data[upto:]
        else:
            data = data[:upto] + data[at:]
    return data


@given(mutated())
@example(PLAIN)
@example(BARE)
@example(PLAIN.replace(b"Content-Length: 2", b"content-length: 2"))
def test_what_is_read_here_is_what_aiohttp_reads(data: bytes) -> None:
    found = cut(data)
    read = None if found is None else read_head(found[0])
    if found is None or read is None:
        return
    messages = by_aiohttp(data)
    assert messages is not None
    ((message, body, is_whole),) = messages
    assert is_whole
    assert (message.method, message.path, body) == (read.method, read.target, found[2])
    assert (message.version.major, message.version.minor) == (1, 1)
    assert (message.should_close, message.upgrade, message.chunked, message.compression) == (False, False, False, None)
    assert int(message.headers.get("Content-Length", "0")) == len(body)
    rest = [pair for pair in message.headers.items() if pair[0].lower() != "content-length"]
    assert list(read.headers().items()) == rest


@given(mutated())
@example(PLAIN)
@example(BARE)
@example(b"OPTIONS /x HTTP/1.1\r\nHost: gw\r\ncontent-LENGTH:  2 \r\n\r\n{}")
def test_where_a_request_ends_is_where_aiohttp_ends_it(data: bytes) -> None:
    if whole_length(data) != len(data):
        return
    alone, followed = by_aiohttp(data), by_aiohttp(data + BARE)
    if alone is None or len(alone) != 1 or alone[0][0].should_close:
        return  # refused, or no request at all, or the last one: the connection ends, or nobody relies on the length
    assert alone[0][2]
    assert followed is not None
    assert len(followed) == 2
    assert followed[1][0].path == "/api/v2/x"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"x",
        PLAIN + BARE,
        BARE[:-1],
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: "),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 02"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: +2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2 "),
        PLAIN.replace(b"{}", b"x" * 1_000_000).replace(b"Length: 2", b"Length: 1000000"),
        BARE.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 8_190 + b"\r\n\r\n"),
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_is_not_exactly_one_request_of_usual_size_is_not_cut(data: bytes) -> None:
    found = cut(data)
    assert found is None or read_head(found[0]) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"HTTP/1.1", b"HTTP/2.0"),
        (b"GET ", b"HEAD "),
        (b"GET ", b"get "),
        (b"GET /", b"GET http://gw/"),
        (b"GET ", b"GET  "),
        (b"/api", b"/api#"),
        (b"/api", b"/\xc3\xa4"),
        (b"Host: gw", b"X-Host: gw"),
        (b"Host: gw", b"Host: gw\r\nHost: gw"),
        (b"Host: gw", b"Host: gw\r\nX-A: 1\r\nx-a: 1"),
        (b"Host: gw", b"Host: gw\r\nTransfer-Encoding: chunked"),
        (b"Host: gw", b"Host: gw\r\nContent-Encoding: gzip"),
        (b"Host: gw", b"Host: gw\r\nUpgrade: websocket"),
        (b"Host: gw", b"Host: gw\r\nExpect: 100-continue"),
        (b"Host: gw", b"Host: gw\r\nConnection: close"),
        (b"Host: gw", b"Host: gw\r\nConnection: keep-alive, X-A"),
        (b"Host: gw", b"Host: gw\r\nProxy-Connection: keep-alive"),
        (b"Host: gw", b"Host: gw\r\n X-Folded: 1"),
        (b"Host: gw", b"Host: gw\r\nX-A : 1"),
        (b"Host: gw", b"Host: gw\r\nX-A:1"),
        (b"Host: gw", b"Host: gw\r\nX-A: "),
        (b"Host: gw", b"Host: gw\r\nX-A: 1 "),
        (b"Host: gw", b"Host: gw\r\nX-A: 1\x001"),
        (b"Host: gw", b"Host: gw\r\nX-A: 1\n2"),
        (b"Host: gw", b"Host: gw\nX-A: 1"),
        (b"Host: gw", b"Host: gw\r\nX-A: \xff"),
        (b"Host: gw", b"Host: gw\r\nX(A): 1"),
        (b"Host: gw", b"Host: gw" + b"".join(b"\r\nX-%d: 1" % n for n in range(99))),
        (b"Host: gw", b"Host: gw\r\nContent-Length: 0\r\ncontent-length: 0"),
        (b"Host: gw", b"Host: gw\r\nCONTENT-LENGTH: 0"),
    ],
)
def test_whatever_is_unusual_is_not_read(old: bytes, new: bytes) -> None:
    assert read_head(BARE) is not None
    found = cut(BARE.replace(old, new))
    assert found is None or read_head(found[0]) is None


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (BARE, len(BARE)),
        (PLAIN, len(PLAIN)),
        (PLAIN[:-1], len(PLAIN)),
        (PLAIN + BARE, len(PLAIN)),
        (PLAIN.replace(b"Content-Length: 2", b"CONTENT-length:\t2 "), len(PLAIN) + 1),
        (BARE.replace(b"\r\n\r\n", b"\r\nContent-Length: 7\r\n\r\n"), len(BARE) + 19 + 7),
        (BARE[:-2], None),
        (BARE.replace(b"gw\r\n", b"gw\n", 1) + b"\r\n\r\n", None),
        (PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"), None),
        (PLAIN.replace(b"Content-Length: 2", b"Content-Length: two"), None),
        (PLAIN.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked"), None),
        (BARE.replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\n\r\n"), None),
        (b"CONNECT gw:443 HTTP/1.1\r\nHost: gw\r\n\r\n", None),
    ],
)
def test_the_length_of_a_request_is_told_or_said_to_be_unknown(data: bytes, length: int | None) -> None:
    assert whole_length(data) == length


def test_equal_heads_are_equal_for_bodies_of_any_length() -> None:
    one, two = cut(PLAIN), cut(PLAIN.replace(b"Length: 2", b"Length: 12").replace(b"{}", b"{}          "))
    assert one is not None
    assert two is not None
    assert one[:2] == two[:2]
    assert (one[2], two[2]) == (b"{}", b"{}          ")


@given(mutated(), st.sampled_from([PLAIN, BARE]))
@example(PLAIN.replace(b"Length: 2", b"Length: 12").replace(b"{}", b"{}          "), PLAIN)
@example(PLAIN.replace(b"Length: 2", b"Length: 0").replace(b"{}", b""), PLAIN)
@example(PLAIN.replace(b"Length: 2", b"Length: 9"), PLAIN)
@example(PLAIN.replace(b"Length: 2", b"Length: "), PLAIN)
@example(PLAIN[:90], PLAIN)
@example(b"", PLAIN)
@example(b"", BARE)
def test_a_head_is_known_again_exactly_where_it_would_be_cut_again(data: bytes, last: bytes) -> None:
    known, found = cut(last), cut(data)
    assert known is not None
    head, at, _ = known
    body = found[2] if found is not None and found[0] == head else None
    assert cut_again(data, head[:at], head[at:]) == body


def test_a_head_does_not_show_in_logs() -> None:
    read = read_head(PLAIN[: PLAIN.index(b"\r\n\r\n")].replace(b"Content-Length: 2", b"Content-Length: "))
    assert read is not None
    assert "abc" not in repr(read)
