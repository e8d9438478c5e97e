"""Workers without processes, for tests of those who look after them: they say and do what a test tells them to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp

from gateway.app.leash import Message
from gateway.app.worker_process import Answered, WorkerFailed
from gateway.config.load import Loaded


class Hand:
    """One worker. `says`: what it answers to each order; `shows`: what its admin listener shows at each path."""

    def __init__(self, slot: int, pid: int, loaded: Loaded | None = None) -> None:
        self.slot, self.pid, self.loaded = slot, pid, loaded
        self.started_at = asyncio.get_running_loop().time()
        self.is_told_to_end = False
        self.minds_sigterm = True
        self.status = 200
        self.heard: list[Message] = []
        self.called: list[tuple[str, dict[str, str]]] = []
        self.says: dict[str, Message | None] = {
            "prepare": {"says": "prepared"}, "take": {"says": "taken"}, "reject": {"says": "noted"}
        }  # fmt: skip
        self.shows: dict[str, bytes | None] = {"/healthz": b"ok\n"}
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask(self, message: Message) -> Message:
        """What `says` says."""
        self.heard.append(message)
        answer = self.says[message["do"]]
        if answer is None:
            raise WorkerFailed(f"worker {self.slot} said nothing")
        return answer

    async def call(self, path: str, headers: Mapping[str, str], within_s: float) -> Answered:
        """What `shows` shows."""
        self.called.append((path, dict(headers)))
        body = self.shows.get(path)
        if body is None:
            raise WorkerFailed(f"worker {self.slot} does not answer")
        return Answered(self.status, body)

    def opened(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Nobody is there."""
        raise WorkerFailed(f"worker {self.slot} does not answer")

    def terminate(self) -> None:
        """End, unless it does not mind."""
        self.is_told_to_end = True
        if self.minds_sigterm:
            self.end(0)

    def kill(self) -> None:
        """End."""
        self.end(-9)

    def end(self, status: int) -> None:
        """End with this status."""
        if not self._end.done():
            self._end.set_result(status)

    async def ended(self) -> int:
        """The status, once it has ended."""
        return await asyncio.shield(self._end)


class Hire:
    """Starts hands; `refuse` makes the next starts fail, `prepare` is done to each that starts."""

    def __init__(self) -> None:
        self.hands: list[Hand] = []
        self.refuse: list[Exception] = []
        self.prepare: Callable[[Hand], None] = lambda hand: None
        self._news = asyncio.Event()

    async def __call__(self, slot: int, loaded: Loaded) -> Hand:
        self._news.set()
        if self.refuse:
            raise self.refuse.pop(0)
        hand = Hand(slot, 1_000 + len(self.hands), loaded)
        self.prepare(hand)
        self.hands.append(hand)
        return hand

    async def another(self) -> None:
        """Wait until the next start."""
        self._news.clear()
        async with asyncio.timeout(30):
            await self._news.wait()


class Sleeps:
    """Pauses that end when a test says so; `lengths` are those that were asked for."""

    def __init__(self) -> None:
        self.lengths: list[float] = []
        self._turns = asyncio.Semaphore(0)

    async def __call__(self, pause_s: float) -> None:
        self.lengths.append(pause_s)
        if pause_s:
            await self._turns.acquire()

    def over(self, count: int = 1) -> None:
        """End so many pauses."""
        for _ in range(count):
            self._turns.release()
