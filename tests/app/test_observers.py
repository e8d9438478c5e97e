"""What the upstream rooms tell becomes metrics and records."""

from __future__ import annotations

import pytest
import structlog

from gateway.app.observers import LegMetrics, TokenWatch
from gateway.gate import Gate
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from gateway.upstream.bearer import Bearer, TokenKey
from gateway.upstream.faults import FaultKind
from gateway.upstream.self_check import TokenOwner
from gateway.upstream.token_state import FetchFailure
from tests.web.conftest import NOW, RememberingAudit

KEY = TokenKey("acme", "eu-west-1", "https://login.mypurecloud.ie", "reader", "id", "abc")


def made() -> tuple[Metrics, RememberingAudit, TokenWatch]:
    metrics, audit = Metrics(Scope(regions=("eu-west-1",), clients=("reader",))), RememberingAudit()
    return metrics, audit, TokenWatch(metrics, Gate(audit, metrics, lambda: NOW), lambda: NOW)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_of_fault_has_a_label(kind: FaultKind) -> None:
    metrics = made()[0]
    leg = LegMetrics(metrics, "api", "eu-west-1")
    leg.failed(kind, 0.1)
    leg.retried(kind)
    assert metrics.label_overflow.child("gateway_upstream_errors_total").value == 0


def test_answers_and_breakers_are_counted() -> None:
    metrics = made()[0]
    leg = LegMetrics(metrics, "api", "eu-west-1")
    leg.answered(200, 0.1)
    leg.breaker_moved("open")
    assert metrics.upstream_requests.child("api", "eu-west-1", "200").value == 1
    assert metrics.circuit_breaker_open.child("api", "eu-west-1").value == 1
    leg.breaker_moved("closed")
    assert metrics.circuit_breaker_open.child("api", "eu-west-1").value == 0


def test_a_fetched_token_is_counted() -> None:
    metrics, audit, watch = made()
    watch.fetch_started(KEY)
    watch.fetch_succeeded(KEY, 0.2, 3600, previous_secret=True, reference="h:" + "1" * 32)
    watch.served(KEY)
    assert audit.actions() == []
    assert metrics.token_requests.child("upstream", "ok").value == 1
    assert metrics.token_requests.child("cache", "ok").value == 1
    assert metrics.token_expiry.child("acme.reader").value == NOW + 3600


async def test_a_new_token_is_on_record_before_it_is_used() -> None:
    _, audit, watch = made()
    assert await watch.record(Bearer("a-token-of-genesys", KEY, "h:" + "1" * 32), 3600) is True
    assert audit.actions() == ["token.minted"]
    assert "a-token-of-genesys" not in str(audit.records[0].fields)


async def test_a_token_that_cannot_be_recorded_is_not_used() -> None:
    _, audit, watch = made()
    audit.fails = True
    assert await watch.record(Bearer("a-token-of-genesys", KEY, "h:" + "1" * 32), 3600) is False


@pytest.mark.parametrize("failure", list(FetchFailure))
def test_every_failure_of_a_fetch_is_counted_and_recorded(failure: FetchFailure) -> None:
    metrics, audit, watch = made()
    watch.fetch_failed(KEY, 0.1, failure, alarm=True)
    watch.rejected(KEY, dropped=True)
    assert audit.actions() == ["token.refused"]
    assert metrics.label_overflow.child("gateway_token_requests_total").value == 0
    assert metrics.upstream_auth_failures.child("api", "eu-west-1", "token_expired").value == 1


@pytest.mark.parametrize(
    ("owner", "events"),
    [
        (TokenOwner("o", "acme", "i", "reader", "CLIENT-CREDENTIALS", "active", ("role",)), ["token.owner"]),
        (TokenOwner("o", "acme", "i", "reader", "CLIENT-CREDENTIALS", "active"), ["token.owner", "token.no_roles"]),
        (TokenOwner("o", "acme", "i", "reader", "CODE", "active", ("role",)), ["token.owner", "token.grant_type"]),
    ],
)
def test_whose_a_token_is_stands_in_the_log_with_what_is_wrong_about_it(owner: TokenOwner, events: list[str]) -> None:
    _, _, watch = made()
    with structlog.testing.capture_logs() as lines:
        watch.owner_told(KEY, owner)
    assert [line["event"] for line in lines] == events


@pytest.mark.parametrize(("status", "action"), [(200, "proxy.allowed"), (None, "proxy.upstream_error")])
def test_a_call_of_the_gateways_own_has_a_receipt_too(status: int | None, action: str) -> None:
    _, audit, watch = made()
    watch.own_call("/api/v2/tokens/me", Bearer("a-token", KEY, "h:" + "2" * 32), status)
    assert audit.actions() == [action]
    fields = audit.records[0].fields
    assert (fields["gateway.ref.token"], fields["gateway.route"]) == ("h:" + "2" * 32, "(gateway)")
    assert fields["http.request.id"] == "none"
