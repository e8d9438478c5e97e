"""The receiving half without a socket: what an exchange's bytes come to, and after which nothing more is believed."""

from __future__ import annotations

import asyncio
import sys

import pytest

from gateway.upstream.answer import Answer
from gateway.upstream.framing import Framing
from gateway.upstream.reader import AnswerReader
from gateway.upstream.settings import LegSettings

OK = b"HTTP/1.1 200 OK\r\n"
LEAST = LegSettings(max_headers=3, max_interim_answers=2)


def begun(method: str = "GET") -> tuple[AnswerReader, Answer]:
    """A reader that waits for the answer of a request."""
    reader, answer = AnswerReader(LEAST), Answer(asyncio.new_event_loop(), method, 1e9, 4, None)
    answer.loop.close()
    reader.begin(answer)
    return reader, answer


@pytest.mark.parametrize("cut", [0, 1, 17, 30, 45, 47, 49])
def test_a_whole_answer_is_done_and_not_the_last(cut: int) -> None:
    reader, answer = begun()
    data = OK + b"ETag: \t1 \t\r\nContent-Length: 2\r\n\r\nok"
    assert (reader.feed(data[:cut]), reader.feed(data[cut:])) == (None, None)
    assert (reader.done, reader.is_last) == (True, False)
    assert (answer.status, answer.headers) == (200, [(b"ETag", b"1"), (b"Content-Length", b"2")])
    assert (answer.plan.framing, answer.buffered) == (Framing.LENGTH, 2)


def test_the_next_answer_begins_with_nothing_of_the_one_before() -> None:
    reader, _ = begun()
    reader.feed(OK + b"ETag: 1\r\nContent-Length: 0\r\n\r\n")
    other = Answer(_.loop, "GET", 1e9, 4, None)
    reader.begin(other)
    assert not reader.done
    reader.feed(b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n")
    assert (reader.done, other.status, len(other.headers)) == (True, 404, 1)


def test_after_head_the_reader_waits_for_no_body() -> None:
    reader, answer = begun("HEAD")
    assert reader.feed(OK + b"Content-Length: 7\r\n\r\n") is None
    assert reader.done
    reader.renew()
    reader.begin(answer)
    reader.feed(OK + b"Content-Length: 7\r\n\r\n")
    assert (reader.done, reader.is_last) == (True, False)


def test_an_interim_answer_is_passed_over_and_a_hundred_lets_the_body_go() -> None:
    reader, answer = begun()
    reader.feed(b"HTTP/1.1 103 H\r\nLink: x\r\n\r\n")
    assert (reader.may_send, answer.arrived, reader.done) == (False, False, False)
    reader.feed(b"HTTP/1.1 100 C\r\n\r\n")
    assert (reader.may_send, answer.arrived) == (True, False)
    reader.feed(OK + b"Content-Length: 0\r\n\r\n")
    assert (reader.done, len(answer.headers)) == (True, 1)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"HTTP/1.1 101 S\r\n\r\n", "interim"),
        (b"HTTP/1.1 103 H\r\n\r\n" * 3, "interim"),
        (OK + b"A: 1\r\n" * 4 + b"\r\n", "too many header fields"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", ""),
        (b"nonsense\r\n\r\n", ""),
    ],
)
def test_what_cannot_be_believed_is_told_and_is_the_last(data: bytes, wrong: str) -> None:
    reader, answer = begun()
    said = reader.feed(data)
    assert said is not None
    assert wrong in said
    assert (reader.is_last, reader.done, answer.arrived) == (True, False, False)


@pytest.mark.parametrize(
    "data",
    [
        OK + b"Content-Length: 0\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Content-Length: 0\r\n\r\nX",
        OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_with_more_behind_it_or_that_says_so_is_whole_and_the_last(data: bytes) -> None:
    reader, answer = begun()
    assert reader.feed(data) is None
    assert (reader.done, reader.is_last, answer.status) == (True, True, 200)


def test_the_trailer_is_dropped_and_bytes_of_a_body_end_the_silence() -> None:
    reader, answer = begun()
    reader.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    assert reader.silent_bytes > 0
    reader.feed(b"2\r\nok\r\n")
    assert reader.silent_bytes == 0
    reader.feed(b"0\r\nX-T: 1\r\nX-U: 1\r\nX-V: 1\r\nX-W: 1\r\n\r\n")
    assert (reader.done, len(answer.headers), answer.buffered) == (True, 1, 2)


def test_a_closed_reader_leaves_nothing_to_the_cycle_collector() -> None:
    reader = AnswerReader(LEAST)
    held = sys.getrefcount(reader)
    reader.close()
    assert reader.feed(b"x") == "closed"
    left = sys.getrefcount(reader)
    assert left == 2 < held  # this function's name and the argument, and the parser's before
