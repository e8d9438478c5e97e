"""One worker as its supervisor sees it: started, asked, told to end, ended.

When to do which is `crew.py`'s. The rule: every worker is a fresh interpreter (nothing is ever forked, since threads
run here), and a start that fails leaves no process behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
import yarl

from gateway.app.handover import Handover
from gateway.app.leash import Leash, Message
from gateway.errors import ConfigFault, GatewayError

START_S: Final = 60.0
"""A worker that is not ready after this is given up."""
ASK_S: Final = 30.0
"""A worker that does not answer its supervisor for this long hangs: exec: secrets have their own, shorter time."""
ADMIN_HOST: Final = "http://worker"
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)  # events are read for as long as the operator does


class WorkerFailed(GatewayError):
    """A worker did not come up, or is gone; the message says why."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a worker answered to an operator's call."""

    status: int
    body: bytes


class Worker(Protocol):
    """A worker that serves, as those see it who look after it."""

    slot: int
    pid: int
    started_at: float
    is_told_to_end: bool

    async def ask(self, message: Message) -> Message:
        """Have it do something; returns what it says. Raises WorkerFailed when it is gone or hangs."""
        ...

    async def call(self, path: str, headers: Mapping[str, str], within_s: float) -> Answered:
        """What its own admin listener says to a GET. Raises WorkerFailed without an answer in time."""
        ...

    def opened(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """An operator's call, its answer not yet read. Raises WorkerFailed when the worker is gone meanwhile."""
        ...

    def terminate(self) -> None:
        """Have it finish what is under way, and end."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    async def ended(self) -> int:
        """Wait until it has ended; its exit status, or the signal that ended it below zero."""
        ...


class WorkerProcess:
    """A `Worker` that is a process of its own."""

    def __init__(
        self, slot: int, process: asyncio.subprocess.Process, leash: Leash, client: aiohttp.ClientSession
    ) -> None:
        self.slot, self.pid = slot, process.pid
        self.started_at = asyncio.get_running_loop().time()
        self._process, self._leash, self._client = process, leash, client
        self._asking = asyncio.Lock()
        self.is_told_to_end = False

    @classmethod
    async def start(cls, handover: Handover) -> WorkerProcess:
        """Start one, and wait until it serves. Raises WorkerFailed, or ConfigFault where it says that."""
        try:
            process, leash = await _spawned(handover)
        except OSError as exc:
            raise WorkerFailed(f"worker {handover.slot} cannot be started: {exc.strerror}") from exc
        connector = aiohttp.UnixConnector(str(handover.admin))
        client = aiohttp.ClientSession(connector=connector, auto_decompress=False, timeout=_NO_TIMEOUT)
        worker = cls(handover.slot, process, leash, client)
        try:
            await leash.say(handover.as_message())
            _require_ready(handover.slot, await worker._hear(START_S))
        except BaseException:
            worker.kill()
            await worker.ended()
            raise
        return worker

    async def ask(self, message: Message) -> Message:
        """Have it do something; returns what it says. Raises WorkerFailed when it is gone or hangs."""
        async with self._asking:
            await self._leash.say(message)
            return await self._hear(ASK_S)

    async def call(self, path: str, headers: Mapping[str, str], within_s: float) -> Answered:
        """What its own admin listener says to a GET. Raises WorkerFailed without an answer in time."""
        try:
            async with asyncio.timeout(within_s), self.opened("GET", path, headers=headers) as answer:
                return Answered(answer.status, await answer.read())
        except TimeoutError as exc:
            raise WorkerFailed(f"worker {self.slot} does not answer") from exc

    @contextlib.asynccontextmanager
    async def opened(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An operator's call, its answer not yet read. Raises WorkerFailed when the worker is gone meanwhile."""
        if self._client.closed:
            raise WorkerFailed(f"worker {self.slot} has ended")
        try:
            async with self._client.request(
                method, yarl.URL(ADMIN_HOST + path, encoded=True), headers=headers, data=body or None,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                yield answer
        except aiohttp.ClientError as exc:
            raise WorkerFailed(f"worker {self.slot} does not answer") from exc

    def terminate(self) -> None:
        """Have it finish what is under way, and end."""
        self.is_told_to_end = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Wait until it has ended; its exit status, or the signal that ended it below zero."""
        status = await self._process.wait()
        await self._client.close()
        await self._leash.close()
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            self._process.send_signal(number)

    async def _hear(self, within_s: float) -> Message:
        try:
            async with asyncio.timeout(within_s):
                heard = await self._leash.hear()
        except TimeoutError as exc:
            raise WorkerFailed(f"worker {self.slot} said nothing for {within_s:g} s") from exc
        if heard is None:
            raise WorkerFailed(f"worker {self.slot} ended")
        return heard


async def _spawned(handover: Handover) -> tuple[asyncio.subprocess.Process, Leash]:
    """A fresh interpreter, and our end of its leash. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            descriptors = (theirs.fileno(), handover.listener, handover.board)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "gateway.app.worker", str(theirs.fileno()),
                pass_fds=descriptors, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
    except BaseException:
        ours.close()
        raise
    return process, await Leash.over(ours)


def _require_ready(slot: int, heard: Message) -> None:
    if heard["says"] == "ready":
        return
    faults = [(str(key), str(text)) for key, text in heard["faults"]]
    if heard["kind"] == ConfigFault.__name__:
        raise ConfigFault(faults)
    raise WorkerFailed(f"worker {slot} did not start: {heard['kind']}: {'; '.join(text for _, text in faults)}")
