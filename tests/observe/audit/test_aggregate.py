"""Calls of one session, route and minute become one record where a rule says so, and nothing is lost in the sum."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.observe.audit import records
from gateway.observe.audit.aggregate import MAX_NAMED, Aggregator, LevelRule
from gateway.observe.audit.records import Record, subject
from tests.observe.audit.making import START, use

ALL = LevelRule("aggregate")
MINUTE = START - START % 60


def call(at: float = MINUTE, **more: Any) -> Record:
    named: dict[str, Any] = {
        "who": subject(site="shop", session_ref="h:" + "1" * 32), "request_id": "r", "route": "poll",
        "method": "GET", "path": "/p", "status": 200, "request_bytes": 1, "response_bytes": 10, "region": "eu",
        "responder": "upstream", "duration_s": 0.5, "upstream_s": 0.25,
    }  # fmt: skip
    return records.proxy_allowed(at=at, **named | more)


def sums(aggregator: Aggregator, now: float = MINUTE + 60, most: int = 100) -> list[dict[str, Any]]:
    return [dict(record.fields) for record in aggregator.due(now, most)]


def test_calls_of_a_session_route_and_minute_are_one_record() -> None:
    aggregator = Aggregator([ALL])
    for second in (1, 5, 59):
        assert aggregator.takes(call(MINUTE + second, token_ref="h:" + "2" * 32, conversation=f"c{second}"))
    assert aggregator.takes(call(MINUTE + 7, status=304))
    assert sums(aggregator, MINUTE + 59) == []
    [fields] = sums(aggregator)
    assert fields["gateway.aggregate.count"] == 4
    assert fields["gateway.aggregate.statuses"] == ["200=3", "304=1"]
    assert fields["gateway.aggregate.tokens"] == ["h:" + "2" * 32]
    assert fields["gateway.aggregate.conversations"] == ["c1", "c5", "c59"]
    assert (fields["http.response.bytes"], fields["event.duration"]) == (40, 2_000_000_000)
    assert fields["gateway.aggregate.first"] < fields["gateway.aggregate.last"]
    assert "http.request.id" not in fields
    assert aggregator.sums == 0


@pytest.mark.parametrize(
    "other",
    [{"route": "send"}, {"method": "HEAD"}, {"backend": "crm"},
     {"who": subject(site="shop", session_ref="h:" + "9" * 32)}, {"at": MINUTE + 60}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_another_session_route_caller_or_minute_is_another_record(other: dict[str, Any]) -> None:
    aggregator = Aggregator([ALL])
    assert aggregator.takes(call())
    assert aggregator.takes(call(**other))
    assert [item["gateway.aggregate.count"] for item in sums(aggregator, MINUTE + 120)] == [1, 1]


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_answer_that_failed_is_recorded_by_itself(status: int) -> None:
    assert not Aggregator([ALL]).takes(call(status=status))


@pytest.mark.parametrize("record", [
    records.ws_opened(at=START, who=records.NOBODY, site="shop"),
    records.session_issued(at=START, who=records.NOBODY, auth_method="x", session_ref="h:0", expires_at=START),
    records.proxy_denied(at=START, who=records.NOBODY, reason="route.not_allowed"),
    records.proxy_upstream_error(at=START, who=records.NOBODY, error="upstream.timeout"),
], ids=lambda record: record.action.name)  # fmt: skip
def test_grants_refusals_failures_and_sockets_cannot_be_summed_up(record: Record) -> None:
    assert not Aggregator([ALL]).takes(record)


@pytest.mark.parametrize(
    ("rules", "level"),
    [
        ([], "metadata"),
        ([ALL], "aggregate"),
        ([LevelRule("metadata", sites=frozenset(["shop"])), ALL], "metadata"),
        ([LevelRule("metadata", sites=frozenset(["other"])), ALL], "aggregate"),
        ([LevelRule("aggregate", routes=frozenset(["poll"]))], "aggregate"),
        ([LevelRule("aggregate", routes=frozenset(["send"]))], "metadata"),
        ([LevelRule("aggregate", frozenset(["shop"]), frozenset(["send"]))], "metadata"),
    ],
)
def test_the_first_rule_that_fits_counts(rules: list[LevelRule], level: str) -> None:
    aggregator = Aggregator(rules)
    assert aggregator.level("shop", "poll") == level
    assert aggregator.takes(call()) == (level == "aggregate")


def test_what_a_sum_has_no_room_for_is_recorded_by_itself() -> None:
    aggregator = Aggregator([ALL])
    for number in range(MAX_NAMED):
        assert aggregator.takes(call(conversation=f"c{number}"))
    assert not aggregator.takes(call(conversation="one-more"))
    assert aggregator.takes(call(conversation="c0"))


def test_the_number_of_sums_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.observe.audit.aggregate.MAX_SUMS", 2)
    aggregator = Aggregator([ALL])
    taken = [aggregator.takes(call(route=f"r{number}")) for number in range(4)]
    assert taken == [True, True, False, False]
    assert aggregator.takes(call(route="r0"))


def test_no_more_come_out_than_there_is_room_for() -> None:
    aggregator = Aggregator([ALL])
    for number in range(3):
        aggregator.takes(call(route=f"r{number}"))
    assert len(sums(aggregator, most=2)) == 2
    assert len(sums(aggregator)) == 1


def test_a_call_without_site_or_session_is_summed_up_too() -> None:
    aggregator = Aggregator([replace(ALL, routes=frozenset(["close"]))])
    assert aggregator.takes(use(1, MINUTE))
    assert aggregator.takes(call(MINUTE, who=records.NOBODY, route="close"))
    assert len(sums(aggregator)) == 2
