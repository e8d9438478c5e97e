"""Workers at one listening socket: each takes its share, one that hangs stops nobody, nothing accepted is dropped."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from gateway.app.accepting import ABSENT, Accepting, LoadBoard, Shared


class Hello(asyncio.Protocol):
    """Says a word to whoever comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@asynccontextmanager
async def accepting(
    listening: socket.socket, board: LoadBoard, slot: int, has: Callable[[], int]
) -> AsyncIterator[Accepting]:
    """A worker that accepts for the length of the block."""
    made = Accepting(Shared(listening.dup(), board, slot), Hello, has, None)
    yield made
    await made.stop()


@pytest.fixture
def board() -> Iterator[LoadBoard]:
    made = LoadBoard.create()
    yield made
    made.close()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        made.setblocking(False)
        yield made


async def greeted(listening: socket.socket) -> bytes:
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    try:
        return await reader.read()
    finally:
        writer.close()


def test_each_sees_what_the_others_wrote(board: LoadBoard) -> None:
    assert board.least_of_others(0) is None
    board.set(0, 5)
    assert board.least_of_others(0) is None
    other = LoadBoard(os.dup(board.fd))
    other.set(1, 7)
    other.set(2, 3)
    assert board.least_of_others(0) == 3
    assert board.least_of_others(2) == 5
    board.set(2, ABSENT)
    assert board.least_of_others(0) == 7
    other.close()


async def test_a_worker_that_is_alone_takes_all(board: LoadBoard, listening: socket.socket) -> None:
    async with accepting(listening, board, 0, lambda: 1_000):
        assert await greeted(listening) == b"hello"


async def test_one_with_more_than_the_rest_leaves_connections_to_them(
    board: LoadBoard, listening: socket.socket
) -> None:
    async with accepting(listening, board, 0, lambda: 9) as busy, accepting(listening, board, 1, lambda: 0) as idle:
        for _ in range(40):
            assert await greeted(listening) == b"hello"
        assert busy.taken + idle.taken == 40
        assert idle.taken > busy.taken


async def test_one_that_hangs_delays_connections_and_stops_none(board: LoadBoard, listening: socket.socket) -> None:
    board.set(7, 0)  # it says that it has none, and takes none
    async with accepting(listening, board, 0, lambda: 50) as worker, asyncio.timeout(30):
        assert set(await asyncio.gather(*(greeted(listening) for _ in range(30)))) == {b"hello"}
        assert worker.taken == 30


async def test_what_it_has_is_told_to_the_others(board: LoadBoard, listening: socket.socket) -> None:
    count = 3
    async with accepting(listening, board, 4, lambda: count) as worker:
        assert board.least_of_others(0) == 3
        count = 8
        worker.publish()
        assert board.least_of_others(0) == 8


async def test_after_the_end_nothing_is_accepted_and_what_was_is_served(
    board: LoadBoard, listening: socket.socket
) -> None:
    async with accepting(listening, board, 0, lambda: 0) as worker:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        while not worker.taken:
            await asyncio.sleep(0)
        await worker.stop()
        assert await reader.read() == b"hello"
        writer.close()
        late = asyncio.create_task(greeted(listening))
        await asyncio.sleep(0)
        async with accepting(listening, board, 1, lambda: 0):
            assert await late == b"hello"
        assert worker.taken == 1


async def test_without_descriptors_it_pauses_and_goes_on(
    board: LoadBoard, listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.accepting.EXHAUSTED_PAUSE_S", 0.0)
    failures = [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError()]

    class Exhausted(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if failures:
                raise failures.pop(0)
            return super().accept()

    sometimes = Exhausted(fileno=listening.dup().detach())
    worker = Accepting(Shared(sometimes, board, 0), Hello, lambda: 0, None)
    assert await greeted(listening) == b"hello"
    assert failures == []
    await worker.stop()
