"""What audit and metrics cost: records a second, waiting for the disk, verification, and CPU for one proxied call.

Measures the real log in this process, on the disk below the directory given. Every figure is the best of its rounds,
because a shared machine only ever adds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.app.observers import LegMetrics
from gateway.gate import Gate, Trail
from gateway.observe.audit import records
from gateway.observe.audit.encode import Encoder
from gateway.observe.audit.keys import new_pem, read_signer
from gateway.observe.audit.ledger import Ledger
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.verify import Options, verify
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from tests.bench.report import Report

PART: Final = "audit"
ROUNDS: Final = 6
BUFFERED: Final = 20_000
WAITING: Final = 64
GRANTS_EACH: Final = 100
VERIFIED: Final = 100_000
CALLS: Final = 4_000
CALL_ROUNDS: Final = 30
SITES: Final = 50
"""Guests among whom the measured calls are spread."""
YIELD_EVERY: Final = 32
REGION: Final = "eu-west-1"


def audit(directory: Path, report: Report) -> None:
    """Measure everything and hold it against the aims."""
    rounds = [asyncio.run(_flows(directory / f"round-{number}")) for number in range(ROUNDS)]
    report.add(PART, "buffered", per_s=max(one["buffered_per_s"] for one in rounds))
    report.add(
        PART, f"durable, {WAITING} waiting", per_s=max(one["durable_per_s"] for one in rounds),
        **{name: min(one[name] for one in rounds) for name in ("cpu_us", "p50_ms", "p99_ms")},
    )  # fmt: skip
    call_us = min(asyncio.run(_cpu_of_a_call(directory / f"cpu-{number}")) for number in range(CALL_ROUNDS))
    report.add(PART, "audit and metrics of one proxied call", cpu_us=call_us)
    verified = _verified_per_s(directory / "verify")
    report.add(PART, "verify", per_s=verified)
    report.hold(PART, "buffered records/s", max(one["buffered_per_s"] for one in rounds), at_least=20_000)
    report.hold(PART, "durable records/s", max(one["durable_per_s"] for one in rounds), at_least=10_000)
    report.hold(PART, "p99 ms with 64 waiting", min(one["p99_ms"] for one in rounds), at_most=10)
    report.hold(PART, "verified records/s", verified, at_least=100_000)
    report.hold(PART, "us CPU of one proxied call", call_us, at_most=8)


def _settings(directory: Path) -> AuditSettings:
    return AuditSettings(dir=directory, node="bench", key_pem=new_pem(), stderr_checkpoints=False, grant_timeout_s=60.0)


def _trail(number: int) -> Trail:
    """A call as the proxy knows it when it is over; the guest is one of a few."""
    who = records.subject(
        site="shop", client_ip=f"192.0.2.{number % SITES}", client_ref=f"c20261120:{number % SITES:024x}",
        user=f"p202611:{number % SITES:024x}", session_ref=f"h:{number % SITES:032x}",
    )  # fmt: skip
    return Trail(
        request_id=f"01JD{number:022d}", surface="rest_proxy", method="POST", client_ip="192.0.2.1", started=0.0,
        site="shop", route="send-message", template="/api/v2/conversations/messages/{conversationId}/messages",
        region=REGION, responder="upstream", upstream_s=0.011, conversation=f"3f1e0d2c-0000-4000-8000-{number:012d}",
        token_ref=f"h:{7:032x}", who=who,
    )  # fmt: skip


async def _flows(directory: Path) -> dict[str, float]:
    """Records a second: queued and written behind, and each waited for."""
    log = AuditLog(_settings(directory))
    await log.open()
    gate = Gate(log, Metrics(), time.time)
    trails = [_trail(number) for number in range(BUFFERED)]
    began = time.perf_counter()
    for number, trail in enumerate(trails):
        await gate.carried(trail, status=202, request_bytes=300, response_bytes=900, duration_s=0.012)
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    await log.grant(records.gateway_stopping(at=time.time(), pid=1))  # durable: so is all before it
    buffered_s = time.perf_counter() - began
    waits: list[float] = []
    began, cpu_began = time.perf_counter(), time.process_time()
    await asyncio.gather(*(_grants(log, waits) for _ in range(WAITING)))
    durable_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    await log.close()
    waits.sort()
    return {
        "buffered_per_s": BUFFERED / buffered_s, "durable_per_s": len(waits) / durable_s,
        "cpu_us": cpu_s / len(waits) * 1e6, "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[len(waits) * 99 // 100] * 1e3,
    }  # fmt: skip


async def _grants(log: AuditLog, waits: list[float]) -> None:
    """One who always waits for a record."""
    for _ in range(GRANTS_EACH):
        began = time.perf_counter()
        await log.grant(
            records.token_minted(
                at=time.time(), who=records.NOBODY, token_ref=f"h:{0:032x}", client="web", expires_at=2e9,
                token_kind="handle",
            )
        )  # fmt: skip
        waits.append(time.perf_counter() - began)


async def _cpu_of_a_call(directory: Path) -> float:
    """Microseconds of CPU, of all threads, that audit and metrics of one proxied call cost, written to the disk."""
    metrics = Metrics(Scope(regions=(REGION,), sites=("shop",)))
    log = AuditLog(_settings(directory), metrics)
    await log.open()
    gate, leg = Gate(log, metrics, time.time), LegMetrics(metrics, "api", REGION)
    overhead, allowed = metrics.proxy_overhead.child("rest_proxy"), metrics.origin_checks.child("allowed")

    async def observed(trail: Trail) -> None:
        allowed.value += 1.0
        if not log.has_room:
            raise RuntimeError("the disk of this machine does not keep up")
        leg.answered(202, 0.011)
        overhead.observe(0.0006)
        await gate.carried(trail, status=202, request_bytes=300, response_bytes=900, duration_s=0.012)
        metrics.request_ended("rest_proxy", "POST", 202, "upstream", 0.012)

    async def unobserved(trail: Trail) -> None:
        del trail

    trails = [_trail(number) for number in range(CALLS)]
    with_it = await _cpu_s(trails, observed, log)
    without = await _cpu_s(trails, unobserved, log)
    await log.close()
    return (with_it - without) / CALLS * 1e6


async def _cpu_s(trails: Sequence[Trail], call: Callable[[Trail], Awaitable[None]], log: AuditLog) -> float:
    """CPU of all threads for one pass over the calls, until all that they said is durable."""
    began = time.process_time()
    for number, trail in enumerate(trails):
        await call(trail)
        if number % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    await log.grant(records.gateway_stopping(at=time.time(), pid=1))
    return time.process_time() - began


def _verified_per_s(directory: Path) -> float:
    """Records a second that `gateway audit verify` checks, signatures and trees included."""
    settings = _settings(directory)
    signer = read_signer(settings.key_pem or b"", settings.key_name)
    writer = "bench-20261120T060000Z-00000001"
    ledger = Ledger(settings, signer, writer, encoder=Encoder(version="1", node="bench", writer=writer))
    made = [
        records.proxy_allowed(
            at=time.time(), who=_trail(number).who or records.NOBODY, request_id=f"01JD{number:022d}",
            route="send-message", method="POST", path="/api/v2/conversations", status=200, request_bytes=1,
            response_bytes=2, region=REGION, responder="upstream", duration_s=0.01, upstream_s=0.01,
        )
        for number in range(1_000)
    ]  # fmt: skip
    directory.mkdir(parents=True)
    for first in range(0, VERIFIED, 500):
        ledger.append(made[first % 1_000 : first % 1_000 + 500])
    ledger.close()
    began = time.process_time()  # one thread, nothing waited for: on an idle machine the same as by the clock
    report = verify([directory], Options(keys=[signer.verifier]))
    took_s = time.process_time() - began
    if report.verdict != "intact":
        raise RuntimeError(f"the measured log is {report.verdict}")
    return report.records / took_s
