"""A node with several workers as an operator runs it, with a Redis of its own, and callers that never stop calling."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from gateway.config.shipped import shipped_config
from tests.store.conftest import RedisServer

ORIGIN = "http://127.0.0.1:8088"
MANY = 10_000_000
READY = re.compile(r"gateway: serving (http://[^\s,]+), admin (http://[^\s,]+)")


@dataclass
class Node:
    """A running node: what it has said so far, and how to ask it."""

    process: asyncio.subprocess.Process
    client: aiohttp.ClientSession
    config: Path
    said: list[str] = field(default_factory=list)
    url: str = ""
    admin_url: str = ""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def read(self) -> None:
        """Take in what it says, until it ends."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            async with self._news:
                self.said.append(line.decode())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what it has said."""
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: holds() or self.process.returncode is not None)
        assert holds(), "".join(self.said)

    async def ready(self) -> None:
        """Wait until it serves."""
        await self.until(lambda: any(READY.match(line) for line in self.said))
        found = next(match for line in self.said if (match := READY.match(line)))
        self.url, self.admin_url = found.groups()

    def events(self, message: str) -> list[dict[str, Any]]:
        """The lines of its log that say this."""
        lines = [json.loads(line) for line in self.said if line.startswith("{")]
        return [line for line in lines if line["message"] == message]

    def pids(self) -> dict[int, int]:
        """The newest process of each slot."""
        return {line["worker"]: line["pid"] for line in self.events("worker.serves")}

    async def admin(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str]:
        """Status and text of a call to the admin listener."""
        async with self.client.request(method, self.admin_url + path, **options) as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str, **labels: str) -> dict[str, float]:
        """The samples with these labels, summed by worker, once all workers are in one exposition."""
        async with asyncio.timeout(60):
            while True:
                _, text = await self.admin("/metrics")
                samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
                serving = sum(one.value for one in samples if one.name == "gateway_workers")
                if len({one.labels["worker"] for one in samples} - {"supervisor"}) == serving:
                    break  # a busy machine: one had no second to answer in
        found: dict[str, float] = {}
        for one in samples:
            if one.name == name and labels.items() <= one.labels.items():
                found[one.labels["worker"]] = found.get(one.labels["worker"], 0.0) + one.value
        return found

    async def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


@asynccontextmanager
async def running_node(directory: Path, workers: int = 2, *settings: str) -> AsyncIterator[Node]:
    """Run a node for the length of the block; `settings`: KEY=VALUE on top of the shipped configuration."""
    redis = RedisServer()
    config = directory / "config.toml"
    config.write_text(re.sub(r"(?m)^workers = 1\b", f"workers = {workers}", shipped_config().read_text()))
    try:
        process = await started(directory, config, f"store.url={redis.url}", *settings)
        async with aiohttp.ClientSession() as client:
            node = Node(process, client, config)
            reading = asyncio.create_task(node.read())
            try:
                await node.ready()
                yield node
            finally:
                if process.returncode is None:
                    process.terminate()
                async with asyncio.timeout(60):
                    await process.wait()
                    await reading
    finally:
        redis.stop()


async def started(directory: Path, config: Path, *settings: str) -> asyncio.subprocess.Process:
    """`gateway serve` on free ports, its limits out of the way, its JSON log on stderr."""
    flags = [
        "server.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0", "log.format=json", "server.drain_s=10",
        "store.timeout_s=5",  # a machine that is busy with tests is no broken store
        *(f"limits.{name}_per_min={MANY}" for name in ("requests_per_address", "requests_per_origin",
          "requests_per_guest", "requests_per_site", "sessions_per_address")),
        *settings,
    ]  # fmt: skip
    arguments = [part for flag in flags for part in ("--set", flag)]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", "--config", str(config), *arguments, cwd=directory,
        env=dict(os.environ), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 20,
    )  # fmt: skip


@dataclass(frozen=True)
class Lost:
    """A request without a whole answer: from which of the caller's ports, and how many were answered there before."""

    port: int
    answered_before: int
    why: str


class Callers:
    """So many callers that open sessions without a pause, each over a connection that it keeps."""

    def __init__(self, node: Node, count: int = 12) -> None:
        self.answered = 0
        self.wrong: list[bytes] = []
        self.lost: list[Lost] = []
        self.refused = 0
        self._node, self._count = node, count
        self._stop = asyncio.Event()
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Callers]:
        """Call for the length of the block; at its end what was asked is still waited for."""
        calls = [asyncio.create_task(self._call()) for _ in range(self._count)]
        try:
            yield self
        finally:
            self._stop.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*calls)

    async def more(self, count: int) -> None:
        """Wait for so many further answers."""
        goal = self.answered + count
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: self.answered >= goal)

    async def _call(self) -> None:
        while not self._stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._node.port)
            except ConnectionRefusedError:
                self.refused += 1
                if self._node.process.returncode is not None or self._stop.is_set():
                    return
                await asyncio.sleep(0.01)
                continue
            try:
                await self._over(reader, writer)
            finally:
                writer.close()

    async def _over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask over one connection until it ends."""
        port, before = writer.get_extra_info("sockname")[1], 0
        ask = (
            f"POST /sites/shop/session HTTP/1.1\r\nHost: 127.0.0.1:{self._node.port}\r\nOrigin: {ORIGIN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        ).encode()
        while not self._stop.is_set():
            try:
                writer.write(ask)
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                assert length is not None, head
                body = await reader.readexactly(int(length[1]))
            except (asyncio.IncompleteReadError, ConnectionError) as exc:
                self.lost.append(Lost(port, before, repr(exc)))
                return
            before += 1
            if not head.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 200 ")):
                self.wrong.append(head + body)
            async with self._news:
                self.answered += 1
                self._news.notify_all()
            if b"\r\nconnection: close" in head.lower():
                return


def ports_of(pid: int, listening: int) -> set[int]:
    """The callers' ports of the connections to the listening port that a process holds, as the kernel knows them."""
    inodes = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        if (match := re.fullmatch(r"socket:\[(\d+)\]", str(one.readlink()))) is not None:
            inodes.add(match[1])
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote, inode = fields[1], fields[2], fields[9]
        if inode in inodes and int(local.partition(":")[2], 16) == listening:
            found.add(int(remote.partition(":")[2], 16))
    return found


def gone(pid: int) -> Awaitable[None]:
    """The end of a process that is not ours to wait for."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        ended.set_result(None)
        return ended

    def seen() -> None:
        loop.remove_reader(fd)
        os.close(fd)
        ended.set_result(None)

    loop.add_reader(fd, seen)
    return ended
