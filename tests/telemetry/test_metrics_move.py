"""Every metric of the table is fed by the running gateway, and none is fed with a label value that it does not know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.observe.metrics_table import TABLE
from tests.stack import Stack, whole_stack
from tests.store.conftest import RedisServer
from tests.telemetry import drive

UNMOVED = {
    "gateway_circuit_breaker_open": "closed while Genesys answers; tests/app/test_observers.py moves it",
    "gateway_audit_dropped_total": "stays 0 while the disk works; tests/observe/audit/test_log.py moves it",
    "gateway_audit_sink_errors_total": "stays 0 while every place takes lines; tests/observe/audit moves it",
    "gateway_audit_suppressed_total": "needs a flood of refusals; tests/observe/audit/test_log.py moves it",
    "gateway_audit_verify_failures_total": "stays 0 while nobody edits the log; tests/observe/audit/test_keeper.py",
    "gateway_audit_queue_records": "back at 0 once all is written",
    "gateway_http_requests_in_flight": "back at 0 once all is answered",
    "gateway_websocket_connections": "back at 0 once all are closed",
    "gateway_rate_limited_total": "needs more calls than a limit admits; tests/web/test_throttle.py",
    "gateway_state_errors_total": "stays 0 while the store answers; tests/app/test_feeding.py moves it",
    "gateway_secret_last_rotation_timestamp_seconds": "needs a secret that changes while the gateway runs",
    "gateway_legacy_calls_total": "needs a page that still makes Zendesk's calls; tests/web",
    "gateway_migration_visitors_total": "needs a site that is split between old and new; tests/web",
    "gateway_visitor_findings_total": "needs an issuer in report-only mode; tests/test_admission.py",
    "gateway_metric_label_overflow_total": "must stay 0: that is the test below",
}
"""Metrics that a healthy run leaves at 0, and why."""


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
