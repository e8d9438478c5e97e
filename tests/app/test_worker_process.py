"""A worker as a process: it starts or says why not, answers, ends; and leaves nothing behind when it fails."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import crew, worker_process
from gateway.app.accepting import LoadBoard
from gateway.app.crew import Crew
from gateway.app.handover import Handover, as_message
from gateway.app.worker_process import WorkerFailed, WorkerProcess
from gateway.config.load import Loaded, load
from gateway.config.shipped import shipped_config
from gateway.errors import ConfigFault
from gateway.observe.supervisor_metrics import SupervisorMetrics
from tests.app.node_stage import gone

FLAGS = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error", "log.format": "json"}


def loaded(**flags: object) -> Loaded:
    return load(shipped_config(), {}, {**FLAGS, **{key.replace("__", "."): value for key, value in flags.items()}})


class Place:
    """Where workers of a test start."""

    def __init__(self, directory: Path, listening: socket.socket, board: LoadBoard) -> None:
        self.directory, self.listening, self.board = directory, listening, board

    def handover(self, configuration: Loaded) -> Handover:
        listener, board, admin = self.listening.fileno(), self.board.fd, self.directory / "admin.sock"
        return Handover(0, "node-w0", listener, board, admin, self.directory, configuration)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    board = LoadBoard.create()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield Place(tmp_path, listening, board)
    board.close()


async def test_it_serves_answers_operators_obeys_and_ends_in_order(place: Place) -> None:
    worker = await WorkerProcess.start(place.handover(loaded()))
    reader, writer = await asyncio.open_connection(*place.listening.getsockname())
    writer.write(b"GET /sites/shop/widget.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    answered = await worker.call("/healthz", {}, 10.0)
    assert (answered.status, answered.body) == (200, b"ok\n")
    async with worker.opened("GET", "/version", headers={}) as answer:
        assert (await answer.json())["version"]
    said = await worker.ask({"do": "prepare", "configuration": as_message(loaded(sites__shop__locale="de"))})
    assert said == {"says": "prepared"}
    worker.terminate()
    assert worker.is_told_to_end
    async with asyncio.timeout(60):
        assert await worker.ended() == 0
    worker.terminate()  # it has ended already: nothing happens
    assert place.board.least_of_others(1) == 0


async def test_what_is_said_to_one_that_was_killed_fails(place: Place) -> None:
    worker = await WorkerProcess.start(place.handover(loaded()))
    worker.kill()
    with pytest.raises(WorkerFailed, match="worker 0 ended"):
        await worker.ask({"do": "take"})
    assert await worker.ended() == -9
    with pytest.raises(WorkerFailed, match="worker 0 has ended"):
        await worker.call("/healthz", {}, 10.0)


async def test_one_that_finds_a_fault_says_it_and_is_gone(place: Place) -> None:
    with pytest.raises(ConfigFault, match=r"orgs\.acme\.clients\.reader\.secret"):
        await WorkerProcess.start(place.handover(loaded(orgs__acme__clients__reader__secret="env:NOT_SET_ANYWHERE")))
    (place.directory / "file").write_text("")
    with pytest.raises(WorkerFailed, match="worker 0 did not start: NotADirectoryError"):
        await WorkerProcess.start(place.handover(loaded(audit__dir="file/audit")))


async def test_a_machine_that_has_no_room_for_a_process_is_a_failed_start(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: str, **_options: object) -> asyncio.subprocess.Process:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
    with pytest.raises(WorkerFailed, match="worker 0 cannot be started: Resource temporarily unavailable"):
        await WorkerProcess.start(place.handover(loaded()))


async def test_one_that_is_not_ready_in_time_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(worker_process, "START_S", 0.0)
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)  # type: ignore[arg-type]  # passed on as they are
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    with pytest.raises(WorkerFailed, match="said nothing for 0 s"):
        await WorkerProcess.start(place.handover(loaded()))
    async with asyncio.timeout(30):
        await gone(started[0])


async def test_a_process_that_is_stopped_is_found_to_hang_killed_and_replaced(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither ends nor answers: only looking at it shows that no request of it will ever end."""

    async def start(slot: int, configuration: Loaded) -> WorkerProcess:
        return await WorkerProcess.start(place.handover(configuration))

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    metrics = SupervisorMetrics()
    workers = Crew(start, loaded(), metrics, sleep=at_once)
    await workers.fill(1)
    try:
        victim = workers.serving[0].pid
        os.kill(victim, signal.SIGSTOP)
        with monkeypatch.context() as hurried:
            hurried.setattr(crew, "LOOK_S", 0.3)
            looking = asyncio.create_task(workers.look_after())
            async with asyncio.timeout(60):
                await gone(victim)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        async with asyncio.timeout(60):
            while 0 not in workers.serving or workers.serving[0].pid == victim:
                await asyncio.sleep(0.01)
        assert metrics.exits.child("overdue").value == 1
        assert (await workers.serving[0].call("/healthz", {}, 30.0)).status == 200
    finally:
        await workers.stop()
