"""The table of metrics, its bounds, and its exposition as Prometheus itself reads it."""

import random
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.errors import REASONS
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_doc import table_as_markdown
from gateway.observe.metrics_table import PROXIED_ROUTES, ROUTES, TABLE, Scope

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scope(regions: int = 1) -> Scope:
    return Scope(tuple(f"region-{n}" for n in range(regions)), ("closer",), ("issuer",), ("shop",), ("siem",))


def driven(regions: int = 1) -> Metrics:
    """Metrics after ten thousand requests that somebody made up to break the bounds."""
    metrics = Metrics(scope(regions))
    chance = random.Random(3)

    def word() -> str:
        return "".join(chance.choices(string.printable, k=chance.randrange(1, 40)))

    for _ in range(10_000):
        metrics.request_ended(
            chance.choice(ROUTES), word(), chance.randrange(100, 600), chance.choice(["gateway", word()]), 0.01
        )
        metrics.refusals.child(word()).inc()
        metrics.origin_checks.child(word()).inc()
        metrics.visitor_verifications.child(word(), word()).inc()
        metrics.upstream_requests.child(word(), word(), word()).inc()
        metrics.upstream_errors.child("api", word(), word()).inc()
        metrics.audit_records.child(word()).inc()
        metrics.token_expiry.child(word()).set(1)
    for route in PROXIED_ROUTES:
        metrics.proxy_overhead.child(route).observe(0.1)
    return metrics


@pytest.mark.parametrize(("regions", "most"), [(1, 2_000), (3, 2_500)])
def test_whatever_is_sent_the_series_stay_bounded(regions: int, most: int) -> None:
    assert driven(regions).series_count() <= most


def test_foreign_values_show_as_other_and_are_counted() -> None:
    metrics = Metrics(scope())
    metrics.refusals.child("made up").inc()
    text = metrics.exposition()[0].decode()
    assert 'gateway_refusals_total{code="_other"} 1.0' in text
    assert 'gateway_metric_label_overflow_total{metric="gateway_refusals_total"} 1.0' in text
    assert "made up" not in text


def test_what_alerts_read_exists_at_zero() -> None:
    text = Metrics(scope()).exposition()[0].decode()
    for line in (
        'gateway_audit_dropped_total{class="A",reason="timeout"} 0.0',
        'gateway_upstream_errors_total{reason="dns",region="region-0",upstream="api"} 0.0',
        'gateway_visitor_verifications_total{method="oidc",result="bad_signature"} 0.0',
        'gateway_refusals_total{code="audit.unavailable"} 0.0',
    ):
        assert line in text


def test_every_refusal_code_has_its_series() -> None:
    assert {values[0] for values in Metrics().refusals.series()} == set(REASONS)


def test_promtool_finds_nothing_to_say(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None
    body, _ = driven().exposition()
    result = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, b"")


def test_both_formats_can_be_read_again() -> None:
    metrics = driven()
    metrics.request_ended("session", "POST", 200, "gateway", 0.03, trace_id="a" * 32, at=1.5)
    text, content_type = metrics.exposition("text/plain")
    assert content_type.startswith("text/plain")
    assert {family.name for family in parse_text(text.decode())} >= {"gateway_http_requests"}
    text, content_type = metrics.exposition(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    samples = [sample for family in parse_openmetrics(text.decode()) for sample in family.samples]  # type: ignore[no-untyped-call]  # no annotations there
    assert [sample.exemplar.labels for sample in samples if sample.exemplar] == [{"trace_id": "a" * 32}]
    assert not [sample.name for sample in samples if sample.name.endswith("_created")]


def test_a_histogram_counts_its_bounds_inclusively() -> None:
    metrics = Metrics(scope())
    cell = metrics.http_request_duration.child("session", "ok")
    for value in (0.25, 0.2500001, 11.0):
        cell.observe(value)
    text = metrics.exposition()[0].decode()
    labels = 'outcome="ok",route="session"'
    assert f'gateway_http_request_duration_seconds_bucket{{le="0.25",{labels}}} 1.0' in text
    assert f'gateway_http_request_duration_seconds_bucket{{le="0.5",{labels}}} 2.0' in text
    assert f'gateway_http_request_duration_seconds_bucket{{le="+Inf",{labels}}} 3.0' in text
    assert f"gateway_http_request_duration_seconds_count{{{labels}}} 3.0" in text


def test_odd_codes_and_methods_fold() -> None:
    metrics = Metrics(scope())
    metrics.request_ended("session", "BREW", 418, "gateway", 0.1)
    assert 'code="4xx",method="_OTHER"' in metrics.exposition()[0].decode()


def test_a_gauge_may_be_asked() -> None:
    metrics = Metrics(scope())
    metrics.sessions_active.child().ask(lambda: 42)
    assert "gateway_sessions_active 42.0" in metrics.exposition()[0].decode()


def test_two_processes_of_metrics_do_not_meet() -> None:
    one, two = Metrics(scope()), Metrics(scope())
    one.websocket_connections.child().inc()
    assert two.websocket_connections.child().value == 0


def test_a_wrong_number_of_labels_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="labels"):
        Metrics(scope()).refusals.child("a", "b")


def test_names_and_units_keep_to_the_rules() -> None:
    for row in TABLE:
        assert row.name.startswith("gateway_")
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert (row.kind == "histogram") == bool(row.buckets)
        assert row.says.endswith(".")


def test_the_document_is_the_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->"
    assert text.partition(begin)[2].partition(end)[0] == table_as_markdown()


def test_a_reload_admits_the_names_of_the_new_configuration() -> None:
    metrics = Metrics(scope())
    metrics.token_expiry.child("new-client").set(1.0)
    assert metrics.label_overflow.child("gateway_token_expiry_timestamp_seconds").value == 1
    metrics.rescope(Scope(clients=("new-client",), regions=("us-east-1",)))
    metrics.token_expiry.child("new-client").set(2.0)
    text = metrics.exposition()[0].decode()
    assert 'gateway_token_expiry_timestamp_seconds{client="new-client"} 2.0' in text
    assert metrics.label_overflow.child("gateway_token_expiry_timestamp_seconds").value == 1
    assert 'gateway_upstream_errors_total{reason="dns",region="us-east-1",upstream="api"} 0.0' in text
