"""WebSockets: memory per idle socket, and CPU per message relayed there and back, beside peers.

The Guest API takes five messages a second of one guest, and our gateway holds everybody to that: so the load is many
sockets that say something in turn, not few that never stop. Every subject gets the same frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from tests.bench import peers
from tests.bench.meter import memory_kib, usage
from tests.bench.report import Report
from tests.bench.subject import DEPLOYMENT, ORIGIN, Shape, gateway

PATH: Final = f"/v1?deploymentId={DEPLOYMENT}"
AT_ONCE: Final = 50
TURNS: Final = 24
TURN_S: Final = 0.35
"""Not more than three messages a second of each guest."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One measurement."""

    kib: float
    cpu_us: float
    p99_ms: float


async def measure(port: int, pid: int, sockets: int) -> Taken:
    """Open sockets, look at the memory, then have each speak in turns."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Origin": ORIGIN}) as client:
        opened = await _open_many(client, port, sockets)  # fills what the process had set free after its start
        before = memory_kib(pid)
        opened += await _open_many(client, port, sockets)
        kib = (memory_kib(pid) - before) / sockets
        cpu_us, p99_ms = await _talk(opened, pid)
        await asyncio.gather(*(socket.close() for socket, _ in opened))
    return Taken(kib, cpu_us, p99_ms)


async def open_and_close(port: int, count: int) -> None:
    """Open sockets, configure them, and close them."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Origin": ORIGIN}) as client:
        opened = await _open_many(client, port, count, settle_s=0.0)
        await asyncio.gather(*(socket.close() for socket, _ in opened))


async def _open_many(
    client: aiohttp.ClientSession, port: int, count: int, settle_s: float = 1.0
) -> list[tuple[aiohttp.ClientWebSocketResponse, str]]:
    opened: list[tuple[aiohttp.ClientWebSocketResponse, str]] = []
    while len(opened) < count:
        opened += await asyncio.gather(*(_open(client, port) for _ in range(AT_ONCE)))
    await asyncio.sleep(settle_s)
    return opened


async def _open(client: aiohttp.ClientSession, port: int) -> tuple[aiohttp.ClientWebSocketResponse, str]:
    """A configured guest socket and its token."""
    token = str(uuid.uuid4())
    socket = await client.ws_connect(f"http://127.0.0.1:{port}{PATH}", max_msg_size=0)
    await _say(socket, {"action": "configureSession", "deploymentId": DEPLOYMENT, "token": token})
    return socket, token


async def _say(socket: aiohttp.ClientWebSocketResponse, frame: dict[str, object]) -> None:
    """Say something and hear it come back."""
    await socket.send_str(json.dumps(frame, separators=(",", ":")))  # as browsers write it
    heard = json.loads(await socket.receive_str(timeout=20))
    if heard.get("action") != frame["action"]:
        raise RuntimeError(f"not an echo: {heard}")


async def _talk(opened: list[tuple[aiohttp.ClientWebSocketResponse, str]], pid: int) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    waits: list[float] = []

    async def one(socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        message: dict[str, object] = {"type": "Text", "text": "Where is my parcel? It was sent on Monday."}
        began = loop.time()
        await _say(socket, {"action": "onMessage", "token": token, "message": message})
        waits.append(loop.time() - began)

    spent_s = usage(pid).total_s
    for _ in range(TURNS):
        due = loop.time() + TURN_S
        for at in range(0, len(opened), AT_ONCE):
            await asyncio.gather(*(one(*each) for each in opened[at : at + AT_ONCE]))
        await asyncio.sleep(max(due - loop.time(), 0.0))
    spent_s = usage(pid).total_s - spent_s
    waits.sort()
    return spent_s / len(waits) * 1e6, waits[int(len(waits) * 0.99)] * 1000


def sockets(directory: Path, rounds: int, count: int, report: Report) -> None:
    """Our gateway and the peers, each started afresh for every round, in turns."""
    taken: dict[str, list[Taken]] = {}
    with contextlib.ExitStack() as stack:
        _, echo_port = stack.enter_context(peers.FIXED.running(directory, 0))
        for number in range(rounds):
            home = directory / str(number)
            home.mkdir()
            shape = Shape("http://127.0.0.1:9", f"ws://127.0.0.1:{echo_port}")
            with gateway(shape, home) as ours:
                found = asyncio.run(measure(ours.port, ours.process.pid, count))
                taken.setdefault("gateway", []).append(found)
            for peer in peers.SOCKETS:
                if peer.installed:
                    with peer.running(home, echo_port) as (process, port):
                        time.sleep(0.2)
                        taken.setdefault(peer.name, []).append(asyncio.run(measure(port, process.pid, count)))
    for name, samples in taken.items():
        report.add(
            "sockets", name,
            kib_per_idle=statistics.median(one.kib for one in samples),
            cpu_us=statistics.median(one.cpu_us for one in samples),
            p99_ms=statistics.median(one.p99_ms for one in samples),
        )  # fmt: skip
    ours_kib = statistics.median(one.kib for one in taken["gateway"])
    report.hold("sockets", "KiB per idle socket", ours_kib, at_most=25)
    report.compare("sockets", "gateway", "aiohttp-bare", "cpu_us", at_most=1.0)
    report.compare("sockets", "gateway", "caddy", "cpu_us")
