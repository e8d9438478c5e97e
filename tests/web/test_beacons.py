"""What pages report: counted in closed words, and nothing of it kept."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.stack import Stack


async def tell(stack: Stack, told: object) -> None:
    """Report as a page does."""
    async with stack.call("POST", "/beacon", json=told) as answer:
        assert answer.status == 204


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        ("failure", "widget_error"),
        ("legacy", "legacy_call"),
        ("csp", "csp"),
        ("migration", "migration"),
        ("made-up", "other"),
        (7, "other"),
    ],
)
async def test_a_beacon_is_counted_by_kind_and_not_kept(stack: Stack, sent: object, label: str) -> None:
    await tell(stack, {"kind": sent, "detail": "a secret thing"})
    assert stack.gateway.metrics.beacons.child(label).value == 1
    assert "a secret thing" not in str(await stack.records())


async def test_a_beacon_that_is_no_json_is_refused(stack: Stack) -> None:
    async with stack.call("POST", "/beacon", data=b"x" * 10, headers={"Content-Type": "text/plain"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "request.json_malformed")


async def test_old_calls_are_counted_by_the_names_of_the_table_alone(stack: Stack) -> None:
    await tell(stack, {"kind": "legacy", "calls": ["messenger show", "livechat.say", "made up", 7], "unknown": ["x y"]})
    calls = stack.gateway.metrics.legacy_calls
    assert calls.child("shop", "messenger show").value == 1
    assert calls.child("shop", "livechat.say").value == 1
    assert calls.child("shop", "unknown").value == 2


async def test_an_unknown_call_is_logged_once_in_plain_characters(stack: Stack) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            await tell(stack, {"kind": "legacy", "unknown": ["messenger:on\n<b>" + "x" * 100]})
    assert [line["call"] for line in lines if line["event"] == "zendesk.unknown_call"] == [
        ("messenger:on??b?" + "x" * 100)[:48]
    ]


async def test_no_page_fills_the_log_with_names(stack: Stack) -> None:
    with capture_logs() as lines:
        for start in range(0, 400, 40):
            await tell(stack, {"kind": "legacy", "unknown": [f"call{start + i}" for i in range(60)]})
    assert len([line for line in lines if line["event"] == "zendesk.unknown_call"]) == 200
    assert stack.gateway.metrics.legacy_calls.child("shop", "unknown").value == 400


@pytest.mark.parametrize("calls", [None, "messenger show", {"a": 1}, [[], {}]])
async def test_a_list_that_is_none_counts_nothing(stack: Stack, calls: object) -> None:
    await tell(stack, {"kind": "legacy", "calls": calls})
    assert list(stack.gateway.metrics.legacy_calls.series()) == []


async def test_both_sides_of_a_move_are_counted_by_outcome(stack: Stack) -> None:
    for name in ("new.loaded", "old.failed", "old.loaded", "old.loaded"):
        await tell(stack, {"kind": "migration", "name": name})
    visitors = stack.gateway.metrics.migration_visitors
    assert visitors.child("shop", "new", "loaded").value == 1
    assert visitors.child("shop", "old", "loaded").value == 2


@pytest.mark.parametrize("name", ["new", "new.stolen", "other.loaded", 7, None])
async def test_an_outcome_that_does_not_exist_makes_no_series_of_its_own(stack: Stack, name: object) -> None:
    await tell(stack, {"kind": "migration", "name": name})
    assert all("stolen" not in values for values in stack.gateway.metrics.migration_visitors.series())
