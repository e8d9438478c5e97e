"""What the gateway adds to the time of an answer at half load: an open loop, beside the upstream asked directly.

The load does not wait for answers before it asks again, so that a slow answer is not hidden by fewer questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from dataclasses import dataclass
from typing import Final

from tests.bench import peers
from tests.bench.load import Ask, drive
from tests.bench.plan import NO_SOCKETS, Plan, post
from tests.bench.report import Report
from tests.bench.subject import Shape, gateway

CONNECTIONS: Final = 16


@dataclass(slots=True)
class Line:
    """One kept connection and its request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: bytes
    is_last: bool = False
    """The answer said that the connection ends."""

    async def ask(self) -> float:
        """Ask once; milliseconds until the whole answer is there."""
        clock = asyncio.get_running_loop().time
        began = clock()
        self.writer.write(self.request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        self.is_last = b"\r\nConnection: close\r\n" in head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await self.reader.readexactly(int(length.split(b":")[1]))
        return (clock() - began) * 1000


def latency(plan: Plan, report: Report) -> None:
    """p50 and p99 with the gateway and without it, at half of what the gateway can carry."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        ours = stack.enter_context(gateway(Shape(f"http://127.0.0.1:{behind.port}", NO_SOCKETS), plan.directory))
        ask = post(ours.session())
        full = drive(ask, ours.port, ours.process.pid, plan.directory, seconds=plan.seconds, connections=32).per_s
        rate_per_s = full / 2
        waits: dict[str, list[tuple[float, float]]] = {"upstream alone": [], "through gateway": []}
        for _ in range(plan.rounds):
            for name, port in (("upstream alone", behind.port), ("through gateway", ours.port)):
                waits[name].append(asyncio.run(_load(port, ask, rate_per_s, plan.seconds)))
        for name, taken in waits.items():
            p50, p99 = (statistics.median(values) for values in zip(*taken, strict=True))
            report.add("half load", name, per_s=rate_per_s, p50_ms=p50, p99_ms=p99)
        pairs = zip(waits["through gateway"], waits["upstream alone"], strict=True)
        added = statistics.median(through[1] - alone[1] for through, alone in pairs)
        report.hold("half load", "p99 added, ms", added, at_most=2.0)


async def _load(port: int, ask: Ask, rate_per_s: float, seconds: float) -> tuple[float, float]:
    lines = [Line(*await asyncio.open_connection("127.0.0.1", port), request_bytes(ask)) for _ in range(CONNECTIONS)]
    waits: list[float] = []
    await asyncio.gather(*(_steadily(line, CONNECTIONS / rate_per_s, seconds, waits) for line in lines))
    for line in lines:
        line.writer.close()
    waits.sort()
    return waits[len(waits) // 2], waits[int(len(waits) * 0.99)]


async def _steadily(line: Line, every_s: float, seconds: float, waits: list[float]) -> None:
    """Ask at a steady pace; a question that is late because of the one before counts from when it was due."""
    clock = asyncio.get_running_loop().time
    due, end = clock(), clock() + seconds
    while due < end:
        await asyncio.sleep(max(due - clock(), 0.0))
        late_ms = max(clock() - due - 0.002, 0.0) * 1000
        waits.append(await line.ask() + late_ms)
        due += every_s


def request_bytes(ask: Ask) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
    head = f"{ask.method} {ask.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}Content-Length: {len(ask.body)}\r\n\r\n"
    return head.encode() + ask.body.encode()
