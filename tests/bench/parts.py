"""The parts of the benchmark, one function each, in a table. Within a part everything is measured in turns.

Machines are noisy: so the subjects take turns, the median of the rounds counts, and aims are ratios of one run.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable
from typing import Final

from tests.bench import peers, visitor
from tests.bench.audit import audit
from tests.bench.compiled import SUFFIX, compiled_environ, in_both_forms
from tests.bench.growth import growth, tls, workers
from tests.bench.inside import inside
from tests.bench.inside_sockets import inside_sockets
from tests.bench.latency import latency
from tests.bench.load import PAGE_HEADERS, Ask
from tests.bench.meter import memory_kib
from tests.bench.plan import NO_SOCKETS, OURS, Plan, Target, post, take_turns, tell
from tests.bench.report import Report
from tests.bench.sockets import sockets
from tests.bench.subject import Shape, gateway


def calls(plan: Plan, report: Report) -> None:
    """A proxied POST through each peer, at 1, 32 and 256 connections."""
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(peers.upstream(plan.directory))
        api = f"http://127.0.0.1:{behind.port}"
        ours = stack.enter_context(gateway(Shape(api, NO_SOCKETS), plan.directory))
        report.hold("start", "seconds until ready", ours.ready_s, at_most=1.0)
        report.hold("start", "MiB when idle", memory_kib(ours.process.pid) / 1024, at_most=80)
        targets: dict[str, Target] = {OURS: (ours.process, ours.port, post(ours.session()))}
        environ = compiled_environ()
        if environ is not None:
            fast = stack.enter_context(gateway(Shape(api, NO_SOCKETS), plan.directory, environ))
            targets[OURS + SUFFIX] = (fast.process, fast.port, post(fast.session()))
        for peer in peers.CALLS:
            if peer.installed:
                process, port = stack.enter_context(peer.running(plan.directory, behind.port))
                targets[peer.name] = (process, port, post())
        for connections in (32, 1, 256):
            part = f"POST c={connections}"
            tell(report, part, take_turns(plan, targets, connections))
            aim = 0.60 if connections == 32 else None
            report.compare(part, OURS, "caddy", "cpu_us", at_most=aim)
            report.compare(part, OURS, "aiohttp-bare", "cpu_us", at_most=aim)
            for other in ("caddy", "aiohttp-bare", OURS):
                report.compare(part, OURS + SUFFIX, other, "cpu_us")
        report.hold("start", "MiB after the load", memory_kib(ours.process.pid) / 1024, at_most=110)


def scripts(plan: Plan, report: Report) -> None:
    """widget.js: whole and as 304, beside an aiohttp server with one fixed answer."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(gateway(Shape("http://127.0.0.1:9", NO_SOCKETS), plan.directory))
        fixed, fixed_port = stack.enter_context(peers.FIXED.running(plan.directory, 0))
        path = "/sites/shop/widget.js"
        with urllib.request.urlopen(f"http://127.0.0.1:{ours.port}{path}", timeout=10) as answer:
            etag = answer.headers["ETag"]
        page = {**PAGE_HEADERS, "Accept-Encoding": "gzip, deflate, br"}
        targets: dict[str, Target] = {
            "widget.js 304": (ours.process, ours.port, Ask(path, headers={**page, "If-None-Match": etag})),
            "widget.js 200 br": (ours.process, ours.port, Ask(path, headers=page)),
            "aiohttp-fixed": (fixed, fixed_port, Ask("/", headers=page)),
        }
        tell(report, "script", take_turns(plan, targets, 32))
        report.compare("script", "widget.js 304", "aiohttp-fixed", "cpu_us", at_most=1.3)


def sessions(plan: Plan, report: Report) -> None:
    """Opening a guest session: durable record, then the handle; with a visitor's token, beside PyJWT's bare check."""
    with gateway(Shape("http://127.0.0.1:9", NO_SOCKETS), plan.directory) as ours:
        headers = {**PAGE_HEADERS, "Content-Type": "application/json"}
        ask = Ask("/sites/shop/session", "POST", headers, "{}")
        proved = Ask("/sites/shop/session", "POST", headers, json.dumps({"visitor_token": visitor.token()}))
        targets: dict[str, Target] = {
            "open": (ours.process, ours.port, ask),
            "open, Zendesk JWT": (ours.process, ours.port, proved),
        }
        tell(report, "session", take_turns(plan, targets, 32))
        report.add("PyJWT", "decode HS256", per_core_s=visitor.plain_checks_per_s())
        cpu_us = report.figure("session", "open, Zendesk JWT", "cpu_us")
        if cpu_us:
            report.hold("session", "sessions/s per core, Zendesk JWT", 1e6 / cpu_us, at_least=1_500)


PARTS: Final[dict[str, Callable[[Plan, Report], None]]] = {
    "calls": calls,
    "scripts": scripts,
    "sessions": sessions,
    "inside": in_both_forms("inside", inside),
    "inside-sockets": in_both_forms("inside-sockets", inside_sockets),
    "latency": latency,
    "growth": growth,
    "tls": tls,
    "workers": workers,
    "sockets": lambda plan, report: sockets(plan.directory, plan.rounds, plan.sockets, report),
    "audit": lambda plan, report: audit(plan.directory, report),
}
