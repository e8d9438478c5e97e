"""An answer apart from any socket: order of pieces, who is woken, what a fault or a leave does."""

from __future__ import annotations

import asyncio

import pytest

from gateway.upstream.answer import Answer
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.framing import BodyPlan, Framing


class Wire:
    """Writes down what the answer asks of its connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def resume(self) -> None:
        self.asked.append("resume")

    def abandon(self) -> None:
        self.asked.append("abandon")


def answer_on(wire: Wire, length: int | None = None) -> Answer:
    answer = Answer(asyncio.get_running_loop(), "GET", 1e9, 4, wire)
    framing = Framing.CHUNKED if length is None else Framing.LENGTH
    answer.set_head(200, [], BodyPlan(framing, length, keep_alive=True))
    return answer


async def test_reader_lets_the_wire_go_on_when_half_is_read() -> None:
    wire = Wire()
    answer = answer_on(wire)
    assert [answer.put(piece) for piece in (b"abc", b"def", b"ghi")] == [3, 6, 9]
    answer.is_paused = True
    stream = answer.stream()
    assert (await anext(stream), wire.asked) == (b"abc", [])
    assert (await anext(stream), wire.asked, answer.is_paused) == (b"def", ["resume"], False)
    await stream.aclose()  # type: ignore[attr-defined]  # it is an async generator
    assert wire.asked == ["resume", "abandon"]


async def test_pieces_before_a_fault_are_handed_out_first() -> None:
    answer = answer_on(Wire())
    answer.put(b"abc")
    answer.fail(UpstreamFault(FaultKind.RESET))
    stream = answer.stream()
    assert await anext(stream) == b"abc"
    with pytest.raises(UpstreamFault, match="reset"):
        await anext(stream)


async def test_first_fault_counts_and_none_after_the_end() -> None:
    broken, whole = answer_on(Wire()), answer_on(Wire())
    for kind in (FaultKind.READ_TIMEOUT, FaultKind.RESET):
        broken.fail(UpstreamFault(kind))
    with pytest.raises(UpstreamFault, match="read_timeout"):
        broken.raise_fault()
    whole.put(b"x")
    whole.finish()
    whole.fail(UpstreamFault(FaultKind.RESET))
    assert (broken.ended, whole.ended, await whole.read(1)) == (True, True, b"x")


async def test_waiting_reader_is_woken_by_each_kind_of_news() -> None:
    for well in (True, False):
        answer = answer_on(Wire())
        reading = asyncio.create_task(answer.read(9))
        await asyncio.sleep(0)
        if well:
            answer.finish()
        else:
            answer.fail(UpstreamFault(FaultKind.RESET))
        await asyncio.wait({reading}, timeout=1)
        assert reading.done()
        assert (reading.exception() is None) is well


async def test_leaving_a_complete_answer_leaves_its_connection_alone() -> None:
    wire = Wire()
    async with answer_on(wire, 1) as answer:
        answer.put(b"x")
        answer.finish()
    answer.abort()
    assert wire.asked == []


async def test_reader_who_leaves_gives_the_answer_up() -> None:
    wire = Wire()
    reading = asyncio.create_task(answer_on(wire).read(9))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    assert (reading.cancelled(), wire.asked) == (True, ["abandon"])


@pytest.mark.parametrize(
    ("pieces", "complete", "max_bytes", "expected"),
    [
        ([], True, 10, b""),
        ([b"abc"], True, 3, b"abc"),
        ([b"abc"], True, 2, None),
        ([b"abc"], False, 10, None),
        ([b"a", b"b"], True, 10, None),
    ],
)
async def test_a_body_is_handed_out_at_once_only_when_all_of_it_is_here_in_one_piece(
    pieces: list[bytes], complete: bool, max_bytes: int, expected: bytes | None
) -> None:
    answer = Answer(asyncio.get_running_loop(), "GET", 0.0, 100, None)
    for piece in pieces:
        answer.put(piece)
    if complete:
        answer.finish()
    assert answer.whole(max_bytes) == expected
