"""What grows with the size of a deployment: cost per call with 10 to 10,000 routes, sites and guests; TLS; workers.

Every comparison runs both shapes at the same time and in turns, on one upstream. The rule: what grows in the table is
what a caller meets, so guests each have their own session and conversation.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp

from tests.bench import peers
from tests.bench.load import MESSAGE, PAGE_HEADERS, Ask
from tests.bench.meter import memory_kib
from tests.bench.plan import NO_SOCKETS, Plan, Target, post, take_turns, tell
from tests.bench.processes import free_ports, program
from tests.bench.report import Report
from tests.bench.subject import ORIGIN, Shape, Subject, gateway, path_of

CONNECTIONS: Final = 32
MANY: Final = 10_000
MANY_SITES: Final = 1_000


def growth(plan: Plan, report: Report) -> None:
    """10 against 10,000 routes, 1 against 1,000 sites, 1 against 10,000 guests."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        api = f"http://127.0.0.1:{behind.port}"
        shapes = {
            "10 routes": Shape(api, NO_SOCKETS, routes=10),
            "10,000 routes": Shape(api, NO_SOCKETS, routes=MANY),
            "1,000 sites": Shape(api, NO_SOCKETS, routes=10, sites=MANY_SITES),
        }
        running = {name: stack.enter_context(gateway(shape, plan.directory)) for name, shape in shapes.items()}
        targets: dict[str, Target] = {
            name: (ours.process, ours.port, post(ours.session())) for name, ours in running.items()
        }
        crowd = stack.enter_context(gateway(shapes["10 routes"], plan.directory))
        targets["10,000 guests"] = (crowd.process, crowd.port, _crowd(crowd, MANY))
        tell(report, "growth", take_turns(plan, targets, CONNECTIONS))
        for name in ("10,000 routes", "1,000 sites", "10,000 guests"):
            report.compare("growth", name, "10 routes", "cpu_us", at_most=1.1 if name == "10,000 routes" else None)
        for name, ours in running.items():
            report.hold("growth", f"MiB with {name}", memory_kib(ours.process.pid) / 1024)


def _crowd(ours: Subject, count: int) -> Ask:
    """A call that as many guests make in turn, each in its own conversation."""
    handles = asyncio.run(_open_sessions(ours.port, count))
    callers = tuple((path_of(number), handle) for number, handle in enumerate(handles))
    headers = {**PAGE_HEADERS, "Content-Type": "application/json"}
    return Ask(callers[0][0], "POST", headers, MESSAGE, callers)


async def _open_sessions(port: int, count: int) -> list[str]:
    url = f"http://127.0.0.1:{port}/sites/shop/session"
    handles: list[str] = []
    async with aiohttp.ClientSession(headers={"Origin": ORIGIN}) as client:

        async def opened() -> None:
            for _ in range(count // CONNECTIONS + 1):
                async with client.post(url, json={}) as answer:
                    handles.append((await answer.json())["session_token"])

        await asyncio.gather(*(opened() for _ in range(CONNECTIONS)))
    return handles[:count]


def tls(plan: Plan, report: Report) -> None:
    """The upstream in plain text and over TLS with verification, as Genesys is."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        plain = stack.enter_context(gateway(Shape(f"http://127.0.0.1:{behind.port}", NO_SOCKETS), plan.directory))
        trust = {"SSL_CERT_FILE": str(behind.certificate)}
        shape = Shape(f"https://127.0.0.1:{behind.tls_port}", NO_SOCKETS)
        safe = stack.enter_context(gateway(shape, plan.directory, trust))
        targets: dict[str, Target] = {
            "plain upstream": (plain.process, plain.port, post(plain.session())),
            "TLS upstream": (safe.process, safe.port, post(safe.session())),
        }
        tell(report, "tls", take_turns(plan, targets, CONNECTIONS))
        report.compare("tls", "TLS upstream", "plain upstream", "cpu_us")


def workers(plan: Plan, report: Report) -> None:
    """One worker against two, with sessions in Redis: what they carry here, where load generator and upstream want the
    same cores, and what they would carry with a core each, by the CPU that a request takes.
    """
    if shutil.which("redis-server") is None:
        return
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        redis_url = stack.enter_context(_redis(plan.directory))
        targets: dict[str, Target] = {}
        for count in (1, 2):
            shape = Shape(f"http://127.0.0.1:{behind.port}", NO_SOCKETS, workers=count, store=redis_url)
            ours = stack.enter_context(gateway(shape, plan.directory))
            targets[f"{count} worker{'s' * (count > 1)}"] = (ours.process, ours.port, post(ours.session()))
        tell(report, "workers", take_turns(plan, targets, 64))
        report.compare("workers", "2 workers", "1 worker", "per_s", at_least=1.7)
        one, two = (report.figure("workers", name, "cpu_us") for name in targets)
        if one and two:  # what the machine's cores allow, whoever else wants them
            report.hold("workers", "carried with a core each: 2 workers / 1 worker", 2 * one / two, at_least=1.7)


@contextlib.contextmanager
def _redis(directory: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with program(command, port, directory):
        yield f"redis://127.0.0.1:{port}/0"
