"""The workers of a node: one in each slot, replaced when it ends, and changed together or one after the other.

A process is `worker_process.py`'s. The rule: a worker leaves only after its successor serves, all have the same
configuration, and no change of one kind begins before another one has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final

import structlog

from gateway.app.backoff import Backoff
from gateway.app.handover import as_message
from gateway.app.leash import Message
from gateway.app.worker_process import Worker, WorkerFailed
from gateway.config.load import Loaded
from gateway.errors import GatewayError
from gateway.observe.supervisor_metrics import SupervisorMetrics

log = structlog.get_logger(__name__)
LAST_WORDS_S: Final = 15.0
"""Beyond [server] drain_s: the audit log is sealed, connections to Genesys and the store are closed."""
LOOK_EVERY_S: Final = 10.0
LOOK_S: Final = 10.0
LOOKS: Final = 3
"""A worker that does not answer so many times in a row hangs: no request of it would ever end."""
Start = Callable[[int, Loaded], Awaitable[Worker]]


class Crew:
    """All workers. `serving` holds those that take traffic, by slot."""

    def __init__(
        self,
        start: Start,
        loaded: Loaded,
        metrics: SupervisorMetrics,
        left: Callable[[int], None] = lambda slot: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`start`: makes a worker of a slot with a configuration, and returns once it serves.

        `left`: told of a slot in which no worker accepts connections any more.
        """
        self.serving: dict[int, Worker] = {}
        self.is_stopping = False
        self._start, self._loaded, self._metrics, self._left, self._sleep = start, loaded, metrics, left, sleep
        self._wanted: set[int] = set()
        self._backoffs: dict[int, Backoff] = {}
        self._changing = asyncio.Lock()
        self._alive: set[Worker] = set()
        self._hanging: set[Worker] = set()
        self._watching: set[asyncio.Task[None]] = set()
        metrics.serving.ask(lambda: float(len(self.serving)))
        metrics.wanted.ask(lambda: float(self.wanted))

    @property
    def wanted(self) -> int:
        """How many workers there should be."""
        return len(self._wanted)

    async def fill(self, count: int) -> None:
        """Begin. Raises the first fault of a worker that does not come up; then none is left."""
        self._wanted = set(range(count))
        found = await asyncio.gather(*(self._put(slot) for slot in self._wanted), return_exceptions=True)
        faults = [one for one in found if isinstance(one, BaseException)]
        if faults:
            await self.stop()
            raise faults[0]

    async def reload(self, loaded: Loaded, count: int) -> bool:
        """Have all workers take a configuration, or none: it takes force only after each has found it usable.

        A worker that then cannot take it all the same, or hangs, is replaced by one that starts with it.
        """
        async with self._changing:
            message = {"do": "prepare", "configuration": as_message(loaded)}
            answers = await self._ask_all(message)
            if refusal := next((one for _, one in answers if one is not None and one["says"] == "refused"), None):
                await self._reject(refusal["reason"], refusal["keys"])
                return False
            self._loaded = loaded
            for worker, answer in await self._ask_all({"do": "take"}):
                if answer is None or answer["says"] != "taken":
                    log.error("worker.configuration_not_taken", worker=worker.slot)
                    worker.kill()
        await self._resize(count)
        return True

    async def reject(self, reason: str, keys: Sequence[str]) -> None:
        """Have it recorded that a configuration was not even offered."""
        async with self._changing:
            await self._reject(reason, keys)

    async def restart(self) -> bool:
        """Replace every worker by a fresh one, one after the other. False: one did not come up, and its old one stays.

        The new one serves before the old one is told to end, and what waits at the listening socket is any worker's.
        """
        for slot in sorted(self.serving):
            async with self._changing:
                old = self.serving.get(slot)
                if old is None:
                    continue  # it has just ended, and is being replaced anyway
                try:
                    await self._put(slot)
                except GatewayError as fault:
                    self._metrics.start_failures.inc()
                    log.error("workers.restart_given_up", worker=slot, reason=str(fault))
                    return False
                old.terminate()
            await self._gone(old)
            self._metrics.restarts.inc()
        log.info("workers.restarted")
        return True

    async def look_after(self) -> None:
        """Replace workers that hang, for ever."""
        missed: dict[Worker, int] = {}
        while True:
            await self._sleep(LOOK_EVERY_S)
            looked_at = tuple(self.serving.values())
            alive = await asyncio.gather(*map(_answers, looked_at))
            missed = {one: missed.get(one, 0) + 1 for one, well in zip(looked_at, alive, strict=True) if not well}
            for worker, times in missed.items():
                if times >= LOOKS:
                    self._end_hanging(worker)

    async def stop(self) -> None:
        """Have all finish what is under way; those that do not end in time are killed."""
        self.is_stopping = True
        for task in tuple(self._watching):
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        leaving = tuple(self._alive)
        for worker in leaving:
            worker.terminate()
        await asyncio.gather(*(self._gone(worker) for worker in leaving))
        self.serving.clear()

    async def _put(self, slot: int) -> None:
        """A fresh worker in the slot, watched. Raises GatewayError when it does not come up."""
        worker = await self._start(slot, self._loaded)
        self._alive.add(worker)
        self.serving[slot] = worker
        log.info("worker.serves", worker=slot, pid=worker.pid)
        self._behind(self._watch(slot, worker))

    async def _watch(self, slot: int, worker: Worker) -> None:
        """Wait for its end; one that was not told to is replaced."""
        status = await worker.ended()
        self._alive.discard(worker)
        if worker.is_told_to_end or self.serving.get(slot) is not worker:
            return
        del self.serving[slot]
        self._left(slot)
        reason = "overdue" if worker in self._hanging else "signal" if status < 0 else "status"
        self._hanging.discard(worker)
        self._metrics.exits.child(reason).inc()
        log.error("worker.ended", worker=slot, pid=worker.pid, status=status)
        await self._refill(slot, asyncio.get_running_loop().time() - worker.started_at)

    async def _refill(self, slot: int, lived_s: float) -> None:
        """Try until a worker serves in the slot, or none is wanted there."""
        backoff = self._backoffs.setdefault(slot, Backoff())
        while slot in self._wanted:
            await self._sleep(backoff.next_pause_s(lived_s))
            lived_s = 0.0
            if await self._filled(slot):
                return

    async def _filled(self, slot: int) -> bool:
        """Put a worker in the slot where one is wanted and none is. False: it did not come up."""
        async with self._changing:
            if slot not in self._wanted or slot in self.serving:
                return True
            try:
                await self._put(slot)
            except GatewayError as fault:
                self._metrics.start_failures.inc()
                log.error("worker.not_started", worker=slot, reason=str(fault))
                return False
            return True

    def _behind(self, work: Coroutine[None, None, None]) -> None:
        """Do it while other things go on, until `stop`."""
        task = asyncio.create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _gone(self, worker: Worker) -> None:
        """Wait for the end of a worker that was told to; kill it when it takes too long."""
        try:
            async with asyncio.timeout(self._loaded.config.server.drain_s + LAST_WORDS_S):
                await worker.ended()
        except TimeoutError:
            self._metrics.exits.child("overdue").inc()
            log.error("worker.overdue", worker=worker.slot, pid=worker.pid)
            worker.kill()
            await worker.ended()
        self._alive.discard(worker)

    async def _ask_all(self, message: Message) -> list[tuple[Worker, Message | None]]:
        """What each worker says; None for one that is gone or hangs, which is then killed and replaced."""

        async def ask(worker: Worker) -> tuple[Worker, Message | None]:
            try:
                return worker, await worker.ask(message)
            except WorkerFailed as fault:
                log.error("worker.no_answer", worker=worker.slot, reason=str(fault))
                self._end_hanging(worker)
                return worker, None

        return list(await asyncio.gather(*map(ask, tuple(self.serving.values()))))

    def _end_hanging(self, worker: Worker) -> None:
        log.error("worker.hangs", worker=worker.slot, pid=worker.pid)
        self._hanging.add(worker)
        worker.kill()

    async def _reject(self, reason: str, keys: Sequence[str]) -> None:
        await self._ask_all({"do": "reject", "reason": reason, "keys": list(keys)})

    async def _resize(self, count: int) -> None:
        """More or fewer workers, as the configuration now in force asks for."""
        before, self._wanted = self._wanted, set(range(count))
        for slot in sorted(self._wanted - before):
            if not await self._filled(slot):
                self._behind(self._refill(slot, 0.0))
        leaving = [self.serving.pop(slot) for slot in sorted(before - self._wanted) if slot in self.serving]
        for worker in leaving:
            worker.terminate()
        await asyncio.gather(*map(self._gone, leaving))
        for worker in leaving:
            self._left(worker.slot)


async def _answers(worker: Worker) -> bool:
    try:
        await worker.call("/healthz", {}, LOOK_S)
    except WorkerFailed:
        return False
    return True
