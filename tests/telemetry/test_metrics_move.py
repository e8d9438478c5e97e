"""Every metric of the table is fed by the running gateway, and none is fed with a label value that it does not know."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.observe.audit.log import AuditLog
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import TABLE
from tests.journeys.guest_client import connected
from tests.observe.audit.making import settings_for, use
from tests.observe.audit.test_log import Gate
from tests.stack import BACKEND_KEY, DEPLOYMENT, PAGE, Stack, whole_stack
from tests.store.conftest import RedisServer
from tests.telemetry import drive

UNMOVED = {
    "gateway_circuit_breaker_open": "closed while Genesys answers: tests/app/test_observers.py",
    "gateway_audit_dropped_total": "stays 0 while the disk works: tests/observe/audit/test_log.py",
    "gateway_audit_sink_errors_total": "stays 0 while every place takes lines: tests/observe/audit/test_sinks.py",
    "gateway_audit_suppressed_total": "needs a flood of refusals: tests/observe/audit/test_log.py",
    "gateway_audit_verify_failures_total": "stays 0 while nobody edits the log: tests/observe/audit/test_keeper.py",
    "gateway_audit_queue_records": "back at 0 once all is written: tests/telemetry/test_metrics_move.py",
    "gateway_http_requests_in_flight": "back at 0 once all is answered: tests/telemetry/test_metrics_move.py",
    "gateway_websocket_connections": "back at 0 once all are closed: tests/telemetry/test_metrics_move.py",
    "gateway_rate_limited_total": "needs more calls than a limit admits: tests/telemetry/test_metrics_move.py",
    "gateway_state_errors_total": "stays 0 while the store answers: tests/app/test_feeding.py",
    "gateway_secret_last_rotation_timestamp_seconds": "needs a secret that changes: tests/app/test_rotation.py",
    "gateway_legacy_calls_total": "needs a page that still makes Zendesk's calls: tests/web/test_beacons.py",
    "gateway_migration_visitors_total": "needs a site that is split between old and new: tests/web/test_beacons.py",
    "gateway_visitor_findings_total": "needs an issuer in report-only mode: tests/journeys/test_visitors.py",
    "gateway_metric_label_overflow_total": "must stay 0 here: tests/observe/test_metrics.py",
}
"""Metrics that a healthy run leaves at 0: why, and the tests that move them."""


@pytest.fixture
async def driven(tmp_path: Path) -> AsyncIterator[Stack]:
    server = RedisServer()
    ends = {"orgs.acme.clients.reader.secret": "2031-01-31"}
    try:
        async with whole_stack(tmp_path, {"store.url": server.url, "keys.ends": ends}) as stack:
            await drive.everything(stack)
            yield stack
    finally:
        server.stop()


def values(stack: Stack) -> dict[str, list[float]]:
    """The values of each metric; of a histogram its count."""
    return {
        family.name: [
            sample.value for sample in family.samples if family.type != "histogram" or sample.name.endswith("_count")
        ]
        for family in stack.gateway.metrics.collect()
    }


async def test_every_metric_moves_and_no_label_overflows(driven: Stack) -> None:
    found = values(driven)
    still = {
        row.name
        for row in TABLE
        if not any(found[row.name.removesuffix("_total") if row.kind == "counter" else row.name])
    }
    assert still <= set(UNMOVED)
    assert set(UNMOVED) <= {row.name for row in TABLE}
    overflowed = {name for (name,), cell in driven.gateway.metrics.label_overflow.series().items() if cell.value}
    assert overflowed == set()


@pytest.mark.parametrize("name", UNMOVED)
def test_a_metric_that_a_healthy_run_leaves_at_0_is_moved_by_the_tests_that_are_named(name: str) -> None:
    why, _, place = UNMOVED[name].partition(": ")
    attribute = re.sub(r"^gateway_|_total$|_records$|_timestamp_seconds$", "", name)
    assert why
    assert attribute in (Path(__file__).parents[2] / place).read_text(encoding="utf-8")


async def test_open_sockets_and_calls_that_meet_a_limit_are_counted(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"limits.sessions_per_address_per_min": 2}) as stack:
        metrics, refused = stack.gateway.metrics, 0
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
            await guest.configure()
            assert metrics.websocket_connections.child().value == 1
        for _ in range(6):
            refused += await drive.ask(stack, "POST", "/session", json={}) == 429
        assert refused
        assert sum(cell.value for cell in metrics.rate_limited.series().values()) == refused


async def test_a_call_is_in_flight_until_it_is_answered(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        in_flight = stack.gateway.metrics.http_requests_in_flight.child("rest_proxy")
        stack.mock.world.faults.add("api", "slow", match="*estimatedwaittime", seconds=1.0)
        call = asyncio.create_task(drive.ask(stack, "GET", drive.WAIT, bearer=BACKEND_KEY, origin=None))
        async with asyncio.timeout(30):
            while not in_flight.value:
                await asyncio.sleep(0)
        assert in_flight.value == 1
        assert await call == 200
        async with asyncio.timeout(30):
            while in_flight.value:
                await asyncio.sleep(0)


async def test_records_wait_in_the_queue_while_the_disk_is_slow(tmp_path: Path) -> None:
    metrics, files = Metrics(), Gate()
    log = AuditLog(settings_for(tmp_path), metrics, files=files)
    await log.open()
    files.open.clear()
    files.entered.clear()
    assert log.try_use(use(0))
    await asyncio.to_thread(files.entered.wait, 30)  # the writer is at the disk, and takes nothing more
    assert all(log.try_use(use(number)) for number in range(1, 6))
    waiting = metrics.audit_queue.child().source
    assert waiting is not None
    assert waiting() == 5
    files.open.set()
    await log.close()
    assert waiting() == 0
