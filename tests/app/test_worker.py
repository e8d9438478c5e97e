"""One worker at its leash: it serves, obeys, says why it cannot, and ends with its supervisor."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.app.accepting import LoadBoard
from gateway.app.handover import Handover, as_message
from gateway.app.leash import Leash
from gateway.app.worker import work
from gateway.config.load import Loaded, load
from gateway.config.shipped import shipped_config

FLAGS = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error", "log.format": "json"}


def loaded(**flags: object) -> Loaded:
    return load(shipped_config(), {}, {**FLAGS, **{key.replace("__", "."): value for key, value in flags.items()}})


@asynccontextmanager
async def leashed(directory: Path, configuration: Loaded) -> AsyncIterator[tuple[Leash, asyncio.Task[int]]]:
    """The supervisor's end, and the worker at the other one."""
    ours, theirs = socket.socketpair()
    supervisor = await Leash.over(ours)
    working = asyncio.create_task(work(await Leash.over(theirs)))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        handover = Handover(
            0,
            "node-w0",
            listening.dup().detach(),
            LoadBoard.create().fd,
            directory / "admin.sock",
            directory,
            configuration,
        )
        await supervisor.say(handover.as_message())
        yield supervisor, working
        await supervisor.close()
        async with asyncio.timeout(30):
            await working


async def test_it_takes_a_configuration_that_it_was_given_to_prepare(tmp_path: Path) -> None:
    async with leashed(tmp_path, loaded()) as (supervisor, _):
        assert await supervisor.hear() == {"says": "ready"}
        assert gc.get_freeze_count() > 10_000  # settled before that
        await supervisor.say({"do": "take"})
        assert await supervisor.hear() == {"says": "kept"}  # nothing was prepared
        await supervisor.say({"do": "prepare", "configuration": as_message(loaded(sites__shop__locale="de"))})
        assert await supervisor.hear() == {"says": "prepared"}
        await supervisor.say({"do": "take"})
        assert await supervisor.hear() == {"says": "taken"}


async def test_it_refuses_what_it_cannot_use_and_serves_on(tmp_path: Path) -> None:
    async with leashed(tmp_path, loaded()) as (supervisor, _):
        assert await supervisor.hear() == {"says": "ready"}
        bad = as_message(loaded(orgs__acme__clients__reader__secret="env:NOT_SET_ANYWHERE"))
        await supervisor.say({"do": "prepare", "configuration": bad})
        heard = await supervisor.hear()
        assert heard == {"says": "refused", "reason": "ConfigFault", "keys": ["orgs.acme.clients.reader.secret"]}
        await supervisor.say({"do": "reject", "reason": "ConfigFault", "keys": ["x"]})
        assert await supervisor.hear() == {"says": "noted"}
        records = b"".join(path.read_bytes() for path in (tmp_path / ".gateway" / "audit").glob("*.jsonl"))
        assert b"config.rejected" in records


async def test_it_says_why_it_cannot_serve(tmp_path: Path) -> None:
    async with leashed(tmp_path, loaded(server__workers=0)) as (supervisor, working):
        heard = await supervisor.hear()
        assert heard is not None
        assert (heard["says"], heard["kind"], heard["faults"][0][0]) == ("failed", "ConfigFault", "server.workers")
        assert await working == 1


async def test_a_worker_without_a_supervisor_never_begins() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    assert await work(await Leash.over(theirs)) == 1


async def test_it_ends_in_order_on_sigterm_and_minds_no_other_signal(tmp_path: Path) -> None:
    async with leashed(tmp_path, loaded()) as (supervisor, working):
        assert await supervisor.hear() == {"says": "ready"}
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            os.kill(os.getpid(), number)
        await supervisor.say({"do": "take"})
        assert await supervisor.hear() == {"says": "kept"}
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await working == 0


async def test_it_ends_when_the_supervisor_is_gone(tmp_path: Path) -> None:
    async with leashed(tmp_path, loaded()) as (supervisor, working):
        assert await supervisor.hear() == {"says": "ready"}
        await supervisor.close()
        async with asyncio.timeout(30):
            assert await working == 0
