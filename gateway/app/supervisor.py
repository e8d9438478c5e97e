"""`gateway serve` with several workers: holds the listening socket and the admin listener, and answers signals.

The workers are `crew.py`'s. The rule: this process serves nobody and reads the configuration alone; a configuration
that cannot be used leaves all workers on the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from gateway.app.accepting import ABSENT, LoadBoard
from gateway.app.crew import Crew
from gateway.app.gateway import Surroundings
from gateway.app.handover import Handover, compiled_of
from gateway.app.known_secrets import teach
from gateway.app.listeners import address_of, serve_admin, shared_socket
from gateway.app.node_admin import NodeAdmin
from gateway.app.running import watch_secrets, words_of
from gateway.app.worker_count import worker_count
from gateway.app.worker_process import WorkerProcess
from gateway.config.compile import Compiled
from gateway.config.load import Loaded
from gateway.errors import GatewayError
from gateway.observe.log import REDACTOR
from gateway.observe.supervisor_metrics import SupervisorMetrics

log = structlog.get_logger(__name__)
Reread = Callable[[], Loaded]
"""Reads the configuration again; raises GatewayError when it has not even the right shape."""
STOP: Final = (signal.SIGTERM, signal.SIGINT)
RELOAD: Final = signal.SIGHUP
RESTART: Final = signal.SIGUSR2


@dataclass(frozen=True, slots=True)
class Supervising:
    """A node that serves. `url` and `admin_url` hold the ports that were bound."""

    url: str
    admin_url: str
    workers: int


class Supervisor:
    """One node: its crew, and the configuration in force."""

    def __init__(self, loaded: Loaded, compiled: Compiled, surroundings: Surroundings, reread: Reread) -> None:
        """Nothing is started yet. `surroundings`: only its directory and node reach the workers."""
        teach(REDACTOR, compiled)
        self.compiled = compiled
        self.metrics = SupervisorMetrics()
        self._board = LoadBoard.create()
        self.crew = Crew(self._start, loaded, self.metrics, lambda slot: self._board.set(slot, ABSENT))
        self.orders: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._surroundings, self._reread = surroundings, reread
        self._listening = shared_socket(compiled.config.server.listen)
        self._room = tempfile.TemporaryDirectory(prefix="gateway-")  # mode 0700: the workers' Unix sockets
        self._numbers = count()

    async def run(self, stop: asyncio.Event, ready: Callable[[Supervising], None]) -> None:
        """Serve until `stop` is set; `ready` is called once every worker serves.

        Raises ConfigFault for an address that cannot be bound, and the first fault of a worker that does not come up.
        """
        config, token = self.compiled.config, self.compiled.admin_token
        admin = NodeAdmin(
            lambda: tuple(self.crew.serving.values()),
            lambda: self.crew.wanted,
            self.metrics,
            lambda: self.crew.is_stopping,
            token.reveal() if token is not None else None,
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._room.cleanup)
            stack.callback(self._board.close)
            stack.callback(self._listening.close)
            admin_url = await serve_admin(admin, config.admin.listen, None, stack)
            stack.push_async_callback(self.crew.stop)
            stack.callback(self._listening.close)  # from now on nobody waits at it in vain
            workers = worker_count(config.server.workers)
            if not await _first(self.crew.fill(workers), stop):
                return
            scheme = "https" if config.server.tls is not None else "http"
            ready(Supervising(f"{scheme}://{address_of(self._listening, config.server.listen)}", admin_url, workers))
            await _first(self._obey(), stop)

    async def _obey(self) -> None:
        """Do what signals say in order, have changed secrets read, and look after the crew. Never returns."""

        def secrets_changed() -> None:
            self.orders.put_nowait(RELOAD)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_guarded(watch_secrets(lambda: self.compiled, secrets_changed), "secrets"))
            tasks.create_task(_guarded(self.crew.look_after(), "workers"))
            while True:
                order = await self.orders.get()
                await _guarded(self.reload() if order is RELOAD else self.crew.restart(), order.name)

    async def reload(self) -> bool:
        """Read the configuration again, and have all workers take it, or none."""
        try:
            loaded = await asyncio.to_thread(self._reread)
            compiled = await asyncio.to_thread(compiled_of, loaded)
        except (GatewayError, ValueError) as fault:
            await self.crew.reject(*words_of(fault))
            log.info("config.kept_by_all")
            return False
        teach(REDACTOR, compiled)
        if not await self.crew.reload(loaded, worker_count(compiled.config.server.workers)):
            return False
        self.compiled = compiled
        log.info("config.reloaded_by_all")
        return True

    async def _start(self, slot: int, loaded: Loaded) -> WorkerProcess:
        """A worker of the slot; each has a Unix socket of its own, since two may share a slot for a moment."""
        place = Path(self._room.name) / f"{slot}-{next(self._numbers)}.sock"
        surroundings = self._surroundings
        node, listener, board = f"{surroundings.node}-w{slot}", self._listening.fileno(), self._board.fd
        return await WorkerProcess.start(Handover(slot, node, listener, board, place, surroundings.directory, loaded))


async def supervise(
    loaded: Loaded,
    compiled: Compiled,
    surroundings: Surroundings,
    reread: Reread,
    ready: Callable[[Supervising], None],
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads, SIGUSR2 replaces all workers one after the other."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    supervisor = Supervisor(loaded, compiled, surroundings, reread)
    for number in STOP:
        loop.add_signal_handler(number, stop.set)
    for number in (RELOAD, RESTART):
        loop.add_signal_handler(number, supervisor.orders.put_nowait, number)
    try:
        await supervisor.run(stop, ready)
    finally:
        for number in (*STOP, RELOAD, RESTART):
            loop.remove_signal_handler(number)


async def _first(work: Coroutine[None, None, None], stop: asyncio.Event) -> bool:
    """Do the work unless `stop` is set first; then it is cancelled, and the answer is False."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _guarded(work: Coroutine[None, None, object], name: str) -> None:
    """Do the work; a fault of ours in it is told, and never ends a node that serves."""
    try:
        await work
    except Exception as exc:
        log.error("supervisor.failed", work=name, exc_info=exc)
