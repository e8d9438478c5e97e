"""A supervisor shows how its workers are, and nothing that only workers know."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.merge import merge_expositions
from gateway.observe.metrics_table import TABLE as WORKER_TABLE
from gateway.observe.supervisor_metrics import EXITS, SUPERVISOR, TABLE, SupervisorMetrics

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


def test_every_metric_begins_at_0_with_its_meaning() -> None:
    text = SupervisorMetrics().exposition("")[0].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name, kind, says in TABLE:
        family = families[name.removesuffix("_total")]
        assert (family.type, family.documentation) == (kind, says)
        assert {sample.value for sample in family.samples} == {0.0}
    assert {one.labels["reason"] for one in families["gateway_worker_exits"].samples} == set(EXITS)


def test_no_metric_is_a_workers_too() -> None:
    assert not {name for name, _, _ in TABLE} & {row.name for row in WORKER_TABLE}


def test_it_joins_those_of_workers() -> None:
    metrics = SupervisorMetrics()
    metrics.serving.set(2)
    accept = "application/openmetrics-text"
    merged = merge_expositions({SUPERVISOR: metrics.exposition(accept)[0], "0": metrics.exposition(accept)[0]})
    assert b'gateway_workers{worker="supervisor"} 2.0' in merged


def test_every_metric_is_documented() -> None:
    text = DOCUMENT.read_text()
    for name, kind, says in TABLE:
        assert f"| `{name}` | {kind} | {says} |" in text
