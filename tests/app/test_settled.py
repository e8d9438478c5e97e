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


def test_a_command_is_imported_without_collections_and_run_with_them() -> None:
    script = (
        "import gc, sys; runs = []; gc.callbacks.append(lambda phase, _: runs.append(phase)); "
        "from gateway.cli.main import import_command; gc.collect(); runs.clear(); "
        "import_command([]); import_command(['nonsense']); import_command(['serve']); "
        "from gateway.cli.main import COMMANDS, Entry; COMMANDS['lost'] = Entry('no.such:part', ''); "
        "import_command(['lost']); "
        "assert 'gateway.cli.serve' in sys.modules; assert not runs, runs; "
        "assert gc.isenabled(); assert gc.get_freeze_count() > 10_000"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
