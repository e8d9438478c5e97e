"""Several workers as one exposition."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from gateway.observe.merge import MergeError, merge_expositions
from gateway.observe.metrics import Metrics

OPENMETRICS = "application/openmetrics-text"


def worker(count: int) -> Metrics:
    metrics = Metrics()
    for _ in range(count):
        metrics.request_ended("session", "POST", 200, "gateway", 0.01, trace_id="b" * 32, at=2.0)
    return metrics


def test_each_sample_says_its_worker_and_families_stay_together() -> None:
    merged = merge_expositions({"0": worker(2).exposition()[0], "1": worker(3).exposition()[0]}).decode()
    families = list(parse_text(merged))
    assert len({family.name for family in families}) == len(families)
    [family] = [item for item in families if item.name == "gateway_http_requests"]
    assert {sample.labels["worker"]: sample.value for sample in family.samples} == {"0": 2.0, "1": 3.0}
    assert family.documentation


def test_exemplars_survive() -> None:
    parts = {str(n): worker(1).exposition(OPENMETRICS)[0] for n in range(2)}
    samples = [sample for family in parse_openmetrics(merge_expositions(parts).decode()) for sample in family.samples]  # type: ignore[no-untyped-call]  # no annotations there
    assert [(sample.labels["worker"], sample.exemplar.labels) for sample in samples if sample.exemplar] == [
        ("0", {"trace_id": "b" * 32}), ("1", {"trace_id": "b" * 32}),
    ]  # fmt: skip


def test_nothing_from_nobody() -> None:
    assert merge_expositions({}) == b""


def test_an_answer_that_is_no_exposition_names_its_worker() -> None:
    with pytest.raises(MergeError, match="worker 1"):
        merge_expositions({"0": worker(1).exposition()[0], "1": b'x{a="b" 1\n'})


def test_workers_that_disagree_are_an_error() -> None:
    with pytest.raises(MergeError, match="counter"):
        merge_expositions({"0": b"# TYPE a counter\na_total 1\n", "1": b"# TYPE a gauge\na 1\n"})
