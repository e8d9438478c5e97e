"""What the upstream leg makes of any bytes: the same answer however they are cut, and never two opinions of one wire.

Bytes go straight into the protocol, without sockets, so that hypothesis can try many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream.answer import Answer
from gateway.upstream.connection import Connection
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.settings import LegSettings

FAR = 1e12
LEAST = LegSettings(max_headers=20, max_head_bytes=4_096)


@dataclass
class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    protocol: Connection | None = None
    closed: bool = False
    written: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        """Everything is there already."""

    def resume_reading(self) -> None:
        """Everything is there already."""

    def get_write_buffer_size(self) -> int:
        return 0


@dataclass
class Outcome:
    """What came of an exchange: the answer or the fault, and whether the connection was offered again."""

    status: int = 0
    body: bytes = b""
    fault: str | None = None
    complete: bool = False
    offered: int = 0
    is_cut: bool = False


async def exchange(method: str, pieces: Sequence[bytes]) -> Outcome:
    """One request, answered by these pieces and then by the end of the connection."""
    outcome, wire = Outcome(), Wire()

    def free(_: Connection) -> None:
        outcome.offered += 1

    connection = Connection(asyncio.get_running_loop(), LEAST, free, lambda _: None)
    connection.connection_made(wire)
    asking = asyncio.ensure_future(connection.exchange(method, b"GET / HTTP/1.1\r\n\r\n", FAR))
    await asyncio.sleep(0)
    for piece in pieces:
        if wire.closed:
            break
        connection.data_received(piece)
    outcome.is_cut = wire.closed
    if not wire.closed:
        connection.eof_received()
    connection.connection_lost(None)
    try:
        answer: Answer = await asking
        outcome.status = answer.status
        outcome.body = await answer.read(1_000_000)
        outcome.complete = True
    except UpstreamFault as fault:
        outcome.fault = str(fault.kind)
    return outcome


def run(method: str, pieces: Sequence[bytes]) -> Outcome:
    """The outcome, on a loop of its own."""
    with asyncio.Runner() as runner:
        return runner.run(exchange(method, pieces))


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The bytes in pieces."""
    marks = sorted({0, len(data), *(mark % (len(data) + 1) for mark in at)})
    return [data[a:b] for a, b in pairwise(marks)]


bodies = st.binary(max_size=200)
cuts = st.lists(st.integers(0, 10_000), max_size=12)
names = st.sampled_from([b"X-One", b"content-type", b"Set-Cookie", b"ETag", b"x"])
values = st.sampled_from([b"", b"1", b"a b", b"\xff", b"x" * 300])
fields = st.lists(st.tuples(names, values), max_size=8)


def head(status: int, extra: Sequence[tuple[bytes, bytes]]) -> bytes:
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in extra)
    return b"HTTP/1.1 %d Fine\r\n" % status + lines


def chunked(body: bytes, sizes: Sequence[int]) -> bytes:
    """The body in chunks."""
    pieces = [piece for piece in cut(body, sizes) if piece]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@settings(deadline=None)
@given(st.sampled_from([200, 201, 400, 404, 503]), fields, bodies, cuts)
def test_an_answer_of_known_length_is_the_same_however_it_is_cut(
    status: int, extra: list[tuple[bytes, bytes]], body: bytes, at: list[int]
) -> None:
    data = head(status, [*extra, (b"Content-Length", b"%d" % len(body))]) + b"\r\n" + body
    outcome = run("GET", cut(data, at))
    assert (outcome.status, outcome.body, outcome.offered) == (status, body, 1)


@settings(deadline=None)
@given(bodies, cuts, cuts)
def test_a_chunked_answer_is_the_same_however_it_is_cut_and_chunked(
    body: bytes, sizes: list[int], at: list[int]
) -> None:
    data = head(200, [(b"Transfer-Encoding", b"chunked")]) + b"\r\n" + chunked(body, sizes)
    outcome = run("GET", cut(data, at))
    assert (outcome.body, outcome.offered, outcome.fault) == (body, 1, None)


@settings(deadline=None)
@given(bodies, st.binary(min_size=1, max_size=50).filter(lambda more: bool(more.strip(b"\r\n"))))
def test_bytes_behind_an_answer_are_nobodys_and_end_the_connection(body: bytes, more: bytes) -> None:
    """Empty lines alone are passed over, as RFC 9112 section 2.2 wants it of a lenient reader."""
    data = head(200, [(b"Content-Length", b"%d" % len(body))]) + b"\r\n" + body + more
    outcome = run("GET", [data])
    assert outcome.is_cut
    assert outcome.offered == 0


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 199), cuts)
def test_a_body_that_is_cut_short_is_never_whole(length: int, sent: int, at: list[int]) -> None:
    body = b"x" * min(sent, length - 1)
    data = head(200, [(b"Content-Length", b"%d" % length)]) + b"\r\n" + body
    outcome = run("GET", cut(data, at))
    assert not outcome.complete
    assert outcome.offered == 0


AMBIGUOUS = st.sampled_from(
    [
        (b"Content-Length", b"1, 1"), (b"Content-Length", b"+1"), (b"Content-Length", b"0x1"),
        (b"Content-Length", b"-1"), (b"Content-Length", b"1 "), (b"Content-Length ", b"1"),
        (b"Transfer-Encoding", b"gzip, chunked"),
        (b"Transfer-Encoding", b"identity"), (b"Transfer-Encoding", b"chunked, chunked"), (b"X-Null", b"a\x00b"),
        (b"X Space", b"1"), (b"X-Fold", b"a\r\n b"), (b"X-Bare", b"a\nb"), (b"X-CR", b"a\rb"),
    ]
)  # fmt: skip


@settings(deadline=None)
@given(AMBIGUOUS, cuts)
def test_what_two_readers_could_read_differently_is_a_fault_however_it_is_cut(
    field_: tuple[bytes, bytes], at: list[int]
) -> None:
    data = head(200, [(b"Content-Length", b"5"), field_]) + b"\r\nhello"
    outcome = run("GET", cut(data, at))
    assert not outcome.complete or outcome.body == b"hello"
    if field_[0].lower().strip() in {b"content-length", b"transfer-encoding"}:
        assert outcome.fault == "protocol"
        assert outcome.offered == 0


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=12), st.sampled_from(["GET", "HEAD", "POST"]))
def test_any_bytes_end_in_an_answer_or_a_fault_and_are_never_offered_again_without_a_whole_answer(
    pieces: list[bytes], method: str
) -> None:
    outcome = run(method, pieces)
    assert (outcome.fault is None) is outcome.complete
    assert outcome.offered <= int(outcome.complete)


@settings(deadline=None)
@given(st.tuples(st.integers(0, 400), st.integers(0, 255)), bodies.filter(bool), cuts)
def test_one_wrong_byte_never_makes_two_answers(change: tuple[int, int], body: bytes, at: list[int]) -> None:
    data = bytearray(head(200, [(b"Content-Length", b"%d" % len(body)), (b"X-One", b"1")]) + b"\r\n" + body)
    data[change[0] % len(data)] = change[1]
    outcome = run("GET", cut(bytes(data), at))
    assert outcome.offered <= 1
    assert (outcome.fault is None) is outcome.complete
    if outcome.complete:
        assert len(outcome.body) <= len(body) + 1
