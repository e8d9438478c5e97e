"""Whatever two readers could frame or address differently is refused at the door and never reaches the upstream."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.bench.subject import POST_PATH
from tests.must_hold.wire import HOST, WAYS, Wire, running_wire

STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
Build = Callable[[Wire], bytes]


def lines(*more: str, body: bytes = b"") -> Build:
    """A message with exactly these lines about its body."""
    return lambda wire: wire.start(*more) + body


def with_line(line: bytes) -> Build:
    """A message that is proper but for one raw line in its middle."""
    return lambda wire: wire.post().replace(b"Content-Type:", line + b"\r\nContent-Type:", 1)


def target(text: str) -> Build:
    """A proper message to an odd target."""
    return lambda wire: wire.post(b'{"body":"hello"}', "Connection: close", target=text)


def changed(old: bytes, new: bytes) -> Build:
    """A proper message with one thing changed on the wire."""
    return lambda wire: wire.post().replace(old, new, 1)


CHUNKED: Final = "Transfer-Encoding: chunked"
CHUNKS: Final = b"5\r\nhello\r\n0\r\n\r\n"
FRAMINGS: Final[dict[str, Build]] = {
    "TE and CL": lines("Content-Length: 5", CHUNKED, body=CHUNKS),
    "CL and TE": lines(CHUNKED, "Content-Length: 15", body=CHUNKS),
    "TE and CL 0": lines("Content-Length: 0", CHUNKED, body=CHUNKS),
    "two lengths that differ": lines("Content-Length: 5", "Content-Length: 6", body=b"hello!"),
    "two lengths that agree": lines("Content-Length: 5", "Content-Length: 5", body=b"hello"),
    "a list of lengths": lines("Content-Length: 5, 5", body=b"hello"),
    "a signed length": lines("Content-Length: +5", body=b"hello"),
    "a negative length": lines("Content-Length: -5", body=b"hello"),
    "a length in hex": lines("Content-Length: 0x5", body=b"hello"),
    "a length with a fraction": lines("Content-Length: 5.0", body=b"hello"),
    "a length with a blank in it": lines("Content-Length: 1 5", body=b"hello"),
    "a length of other digits": lines("Content-Length: \u00b2", body=b"he"),
    "a length of nothing": lines("Content-Length: ", body=b"hello"),
    "a length without end": lines("Content-Length: 99999999999999999999999", body=b"hello"),
    "TE under a name with a blank": lines("Content-Length: 5", "Transfer-Encoding : chunked", body=CHUNKS),
    "TE of another coding": lines("Transfer-Encoding: gzip, chunked", body=CHUNKS),
    "TE of identity": lines("Transfer-Encoding: identity", body=CHUNKS),
    "TE with a tail": lines("Transfer-Encoding: chunked, identity", body=CHUNKS),
    "TE in quotes": lines('Transfer-Encoding: "chunked"', body=CHUNKS),
    "TE twice": lines(CHUNKED, CHUNKED, body=CHUNKS),
    "TE behind a vertical tab": lines("Transfer-Encoding: \x0bchunked", body=CHUNKS),
    "TE folded": lines("Transfer-Encoding:\r\n chunked", body=CHUNKS),
    "a chunk size that is no number": lines(CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a sign": lines(CHUNKED, body=b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with 0x": lines(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size too large for any number": lines(CHUNKED, body=b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "a chunk longer than it says": lines(CHUNKED, body=b"3\r\nhello\r\n0\r\n\r\n"),
    "a chunk that ends in a bare line feed": lines(CHUNKED, body=b"5\r\nhello\n0\r\n\r\n"),
    "a chunk size that ends in a bare line feed": lines(CHUNKED, body=b"5\nhello\r\n0\r\n\r\n"),
}
LINES: Final[dict[str, Build]] = {
    "a folded line": with_line(b"X-A: a\r\n b"),
    "a line folded by a tab": with_line(b"X-A: a\r\n\tb"),
    "a bare line feed": with_line(b"X-A: a\nX-B: b"),
    "a bare carriage return": with_line(b"X-A: a\rX-B: b"),
    "a NUL in a value": with_line(b"X-A: a\x00b"),
    "a NUL in a name": with_line(b"X\x00A: b"),
    "a control character in a value": with_line(b"X-A: a\x01b"),
    "a DEL in a value": with_line(b"X-A: a\x7fb"),
    "a blank before the colon": with_line(b"X-A : b"),
    "a blank before the name": with_line(b" X-A: b"),
    "no colon": with_line(b"X-A"),
    "no name": with_line(b": b"),
    "a name that is no token": with_line(b"X(A): b"),
    "a name of other letters": with_line("X-Ä: b".encode()),
    "two hosts": with_line(b"Host: other.example"),
    "two credentials": with_line(b"Authorization: Bearer gws_x"),
    "two origins": with_line(b"Origin: https://evil.example"),
    "no host": changed(b"Host: gateway.example\r\n", b""),
    "a host with a path": changed(b"Host: gateway.example", b"Host: gateway.example/sites"),
    "a host with a user": changed(b"Host: gateway.example", b"Host: a@gateway.example"),
    "line feeds instead of line ends": lambda wire: wire.post().replace(b"\r\n", b"\n"),
    "a request line of two words": changed(b" HTTP/1.1", b""),
    "a request line of four words": changed(b" HTTP/1.1", b" x HTTP/1.1"),
    "a tab in the request line": changed(b"POST ", b"POST\t"),
    "another version": changed(b"HTTP/1.1", b"HTTP/1.2"),
    "an older protocol": changed(b"HTTP/1.1", b"HTTP/0.9"),
    "a newer protocol": changed(b"HTTP/1.1", b"HTTP/2.0"),
    "a version in small letters": changed(b"HTTP/1.1", b"http/1.1"),
    "a method that is no token": changed(b"POST", b"PO(ST"),
    "a line that is too long": with_line(b"X-A: " + b"a" * 9_000),
    "more lines than anybody sends": with_line(b"\r\n".join(b"X-%d: a" % n for n in range(101))),
}
TARGETS: Final[dict[str, Build]] = {
    "absolute-form": target(f"http://{HOST}{POST_PATH}"),
    "absolute-form of another host": target(f"http://other.example{POST_PATH}"),
    "authority-form": target("gateway.example:80"),
    "asterisk-form": target("*"),
    "an encoded slash": target(POST_PATH.replace("/api/", "/api%2f")),
    "an encoded slash in capitals": target(POST_PATH.replace("/api/", "/api%2F")),
    "an encoded backslash": target(POST_PATH.replace("/api/", "/api%5c")),
    "a backslash": target(POST_PATH.replace("/api/", "/api\\")),
    "an encoded dot": target(POST_PATH.replace("/v2", "/%2e%2e/api/v2")),
    "a dot segment": target(POST_PATH.replace("/v2", "/../api/v2")),
    "a single dot": target(POST_PATH.replace("/v2", "/./v2")),
    "an empty segment": target(POST_PATH.replace("/v2", "//v2")),
    "a letter that need not be encoded": target(POST_PATH.replace("/v2", "/%762")),
    "an encoding twice over": target(POST_PATH.replace("/v2", "/%252e%252e/v2")),
    "an encoded NUL": target(POST_PATH + "%00"),
    "an encoded line end": target(POST_PATH + "%0d%0aX-A:%20b"),
    "a spoilt encoding": target(POST_PATH + "%zz"),
    "a fragment": target(POST_PATH + "#a"),
    "a path parameter": target(POST_PATH + ";a=b"),
    "a longer target than anybody needs": target(POST_PATH + "?" + "a" * 9_000),
}  # fmt: skip
REFUSED: Final = re.compile(rb'"code":"request\.(malformed|header_invalid|path_invalid)"')
SMUGGLED: Final = b"GET /static/smuggled HTTP/1.1\r\nHost: gateway.example\r\n\r\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kept", [False, True], ids=["first of its connection", "behind a proper one"])
@pytest.mark.parametrize("cases", [FRAMINGS, LINES, TARGETS], ids=["framings", "lines", "targets"])
async def test_what_is_ambiguous_is_refused_once_and_reaches_nobody(
    tmp_path: Path, cases: dict[str, Build], kept: bool, way: str
) -> None:
    tail = b"" if cases is TARGETS else SMUGGLED  # behind a target that is refused may come an honest request
    async with running_wire(tmp_path) as wire:
        for case, build in cases.items():
            line = await wire.open()
            if kept:
                await line.say(wire.post())
                assert (await line.answer()).status == 200, case
            carried = len(wire.behind.seen)
            await line.say(build(wire) + tail, way)
            said = await line.rest()
            assert STATUS.findall(said) == [b"400"], case
            assert REFUSED.search(said), case
            assert b"aiohttp" not in said.lower(), case
            assert len(wire.behind.seen) == carried, case
        assert (await wire.ask(wire.post(), way)).status == 200  # nobody else has noticed
