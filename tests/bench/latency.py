"""What the gateway adds to the time of an answer at half load: an open loop, beside the upstream asked directly.

Twice: as the machine is, and with gateway, upstream and load generator before all other programs of the machine, where
that is allowed. Asking is open_loop.py's. The rule: how long the gateway waited for a core stands beside every wait.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from dataclasses import dataclass, field
from typing import Final

from tests.bench import cores, peers
from tests.bench.load import Ask, drive
from tests.bench.open_loop import waits_ms
from tests.bench.plan import NO_SOCKETS, Plan, post
from tests.bench.report import Report
from tests.bench.subject import Shape, gateway

CONNECTIONS: Final = 16
ALONE: Final = "upstream alone"
THROUGH: Final = "through gateway"
Asked = tuple[int, int]
"""Port and process of one who is asked."""


@dataclass(slots=True)
class Waits:
    """What one subject showed in each round. `no_core_ms`: how long its threads had no core, of each second."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    no_core_ms: list[float] = field(default_factory=list)


def latency(plan: Plan, report: Report) -> None:
    """p50 and p99 with the gateway and without it, at half of what the gateway can carry."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        ours = stack.enter_context(gateway(Shape(f"http://127.0.0.1:{behind.port}", NO_SOCKETS), plan.directory))
        ask = post(ours.session())
        asked = {ALONE: (behind.port, behind.process.pid), THROUGH: (ours.port, ours.process.pid)}
        _half_load(plan, report, "half load", asked, ask)
        if cores.let_go_first([os.getpid(), behind.process.pid, ours.process.pid]):
            try:
                _half_load(plan, report, "half load, before others", asked, ask)
            finally:
                cores.go_along()


def _half_load(plan: Plan, report: Report, part: str, asked: dict[str, Asked], ask: Ask) -> None:
    port, pid = asked[THROUGH]
    per_s = drive(ask, port, pid, plan.directory, seconds=plan.seconds, connections=32).per_s / 2
    found, request = {name: Waits() for name in asked}, request_bytes(ask)
    for _ in range(plan.rounds):
        for name, (port, pid) in asked.items():
            began, waited_s = time.monotonic(), cores.waited_s(pid)
            waits = waits_ms(port, request, per_s=per_s, seconds=plan.seconds, connections=CONNECTIONS)
            seen = found[name]
            seen.p50_ms.append(waits[len(waits) // 2])
            seen.p99_ms.append(waits[int(len(waits) * 0.99)])
            seen.no_core_ms.append((cores.waited_s(pid) - waited_s) / (time.monotonic() - began) * 1000)
    _tell(report, part, per_s, found)


def _tell(report: Report, part: str, per_s: float, found: dict[str, Waits]) -> None:
    for name, seen in found.items():
        report.add(
            part, name, per_s=per_s, p50_ms=statistics.median(seen.p50_ms), p99_ms=statistics.median(seen.p99_ms),
            no_core_ms=statistics.median(seen.no_core_ms),
        )  # fmt: skip
    pairs = zip(found[THROUGH].p99_ms, found[ALONE].p99_ms, strict=True)
    added = statistics.median(through - alone for through, alone in pairs)
    report.hold(part, "p99 added, ms", added, at_most=2.0)


def request_bytes(ask: Ask) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
    head = f"{ask.method} {ask.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}Content-Length: {len(ask.body)}\r\n\r\n"
    return head.encode() + ask.body.encode()
