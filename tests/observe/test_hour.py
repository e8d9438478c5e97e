"""The last hour is kept by minutes, and no longer than that."""

from __future__ import annotations

from gateway.observe.hour import MINUTES, Hour
from gateway.observe.metrics import Metrics

NOW = 1_790_000_040.0


def count(metrics: Metrics, status: int, responder: str = "gateway", times: int = 1) -> None:
    for _ in range(times):
        metrics.request_ended("rest_proxy", "GET", status, responder, 0.01)


def test_requests_are_told_by_whose_fault_it_was() -> None:
    metrics = Metrics()
    count(metrics, 200)  # before: belongs to no minute
    hour = Hour(metrics)
    count(metrics, 200, "upstream", 3)
    count(metrics, 404, "gateway", 2)
    count(metrics, 503, "gateway")
    count(metrics, 502, "upstream")
    hour.sample(NOW)
    last = hour.traffic(NOW)[-1]
    assert last == {"minute": 1_790_000_040.0, "ok": 3, "client_error": 2, "gateway_error": 1, "upstream_error": 1}


def test_each_minute_stands_by_itself() -> None:
    metrics = Metrics()
    hour = Hour(metrics)
    for step in range(5):
        count(metrics, 200, times=step)
        hour.sample(NOW + 30 * step)
    assert [minute["ok"] for minute in hour.traffic(NOW + 120)[-3:]] == [1, 5, 4]
    assert len(hour.traffic(NOW)) == MINUTES


def test_refusals_of_the_hour_are_summed_and_older_ones_forgotten() -> None:
    metrics = Metrics()
    hour = Hour(metrics)
    metrics.refusals.child("origin.not_allowed").inc(2)
    hour.sample(NOW)
    metrics.refusals.child("session.invalid").inc(3)
    hour.sample(NOW + 600)
    assert list(hour.refusals(NOW + 600).items()) == [("session.invalid", 3), ("origin.not_allowed", 2)]
    assert hour.refusals(NOW + 3_600) == {"session.invalid": 3}
    assert hour.refusals(NOW + 9_000) == {}


def test_no_more_than_an_hour_is_kept() -> None:
    metrics = Metrics()
    hour = Hour(metrics)
    for minute in range(200):
        count(metrics, 200)
        hour.sample(NOW + 60 * minute)
    assert sum(minute["ok"] for minute in hour.traffic(NOW + 60 * 199)) == MINUTES
    assert len(hour._traffic) == MINUTES
