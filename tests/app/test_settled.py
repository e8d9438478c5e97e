"""What lasts is out of all collections once a gateway is ready, and what comes later is collected as ever."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

from gateway.app.gateway import Surroundings
from gateway.app.running import Running, serve
from gateway.app.settled import settle
from tests.stack import compiled


class Knot:
    """An object that keeps itself alive."""

    def __init__(self) -> None:
        self.itself = self


def test_what_exists_is_left_alone_and_what_comes_later_is_collected() -> None:
    before = Knot()
    settle()
    after = Knot()
    lasting, passing = weakref.ref(before), weakref.ref(after)
    del before, after
    gc.collect()
    assert lasting() is not None
    assert passing() is None


async def test_a_gateway_settles_before_it_says_that_it_is_ready(tmp_path: Path) -> None:
    flags = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0"}
    frozen: list[int] = []

    def ready(_: Running) -> None:
        frozen.append(gc.get_freeze_count())
        os.kill(os.getpid(), signal.SIGTERM)

    assert gc.get_freeze_count() == 0
    async with asyncio.timeout(30):
        await serve(compiled(flags), Surroundings(tmp_path), lambda: compiled(flags), ready)
    assert frozen[0] > 10_000


def test_commands_are_imported_without_collections_and_run_with_them() -> None:
    script = (
        "import gc; runs = []; gc.callbacks.append(lambda phase, _: runs.append(phase)); "
        "from gateway.cli.main import CommandTable; import click; gc.collect(); runs.clear(); "
        "CommandTable().get_command(click.Context(click.Command('x')), 'serve'); "
        "assert not runs, runs; assert gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
