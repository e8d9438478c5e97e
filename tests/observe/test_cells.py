"""Cells and families: plain numbers, bounded labels."""

import pytest
from prometheus_client.core import Metric

from gateway.observe.cells import OTHER, CounterCell, Family, GaugeCell, HistogramCell, Label


def samples(
    family: Family[CounterCell] | Family[GaugeCell] | Family[HistogramCell],
) -> list[tuple[str, dict[str, str], float]]:
    return [(item.name, item.labels, item.value) for metric in family.collect() for item in metric.samples]


def test_a_metric_without_labels_is_there_at_zero() -> None:
    assert samples(Family("x_total", "counter", "X.", CounterCell)) == [("x_total", {}, 0.0)]


def test_an_unknown_value_becomes_other_and_is_reported() -> None:
    overflowed: list[str] = []
    family = Family("x_total", "counter", "X.", CounterCell, [Label("a", ("b",))], on_overflow=overflowed.append)
    family.child("b").inc()
    family.child("c").inc(2)
    family.child("d").inc()
    assert samples(family) == [("x_total", {"a": "b"}, 1.0), ("x_total", {"a": OTHER}, 3.0)]
    assert overflowed == ["x_total", "x_total"]


def test_a_fold_is_no_overflow() -> None:
    overflowed: list[str] = []
    family = Family(
        "x", "gauge", "X.", GaugeCell, [Label("a", ("b",), fold=lambda value: "folded")], on_overflow=overflowed.append
    )
    family.child("c").set(5)
    assert samples(family) == [("x", {"a": "folded"}, 5.0)]
    assert overflowed == []


def test_a_family_never_grows_past_its_bound() -> None:
    overflowed: list[str] = []
    family = Family(
        "x", "gauge", "X.", GaugeCell, [Label("a", (), fold=str)], max_series=3, on_overflow=overflowed.append
    )
    for number in range(50):
        family.child(str(number)).inc()
    assert len(family.series()) == 4
    assert len(overflowed) == 47
    assert family.child("1").value == 1


def test_all_combinations_can_be_made_at_zero() -> None:
    family = Family("x_total", "counter", "X.", CounterCell, [Label("a", ("1", "2")), Label("b", ("3", "4"))])
    family.create_all()
    assert len(samples(family)) == 4


def test_gauges_go_down_and_may_be_asked() -> None:
    cell = GaugeCell()
    cell.inc(3)
    cell.dec()
    assert cell.value == 2
    cell.ask(lambda: 7.0)
    metric = Metric("x", "X.", "gauge")
    cell.samples("x", {}, metric)
    assert metric.samples[0].value == 7.0


@pytest.mark.parametrize(("value", "bucket"), [(0.0, 0), (1.0, 0), (1.01, 1), (2.0, 1), (9.0, 2)])
def test_bounds_are_inclusive(value: float, bucket: int) -> None:
    cell = HistogramCell((1.0, 2.0))
    cell.observe(value)
    assert cell.counts.index(1) == bucket
    cell.observe_traced(value, "t", 1.0)
    assert cell.exemplars[bucket].labels == {"trace_id": "t"}
