"""The one door: no permit without room for its record, and every refusal recorded and counted under its code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import errors
from gateway.errors import REASONS, Refusal
from gateway.gate import Gate, Trail
from gateway.observe.metrics import Metrics
from gateway.policy.decision import Backend, Facts, Guest, Nobody, SiteRules
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.paths import parse_target
from gateway.policy.routes import Route, RouteTable, parse_template
from tests.web.conftest import DEPLOYMENT, NOW, PAGE, RememberingAudit

WAIT = Route(
    "queue-wait", parse_template("GET /api/v2/queues/{queueId}"), parse_template("GET /api/v2/queues/{queueId}"),
    frozenset({"backend"}),
)  # fmt: skip
RULES = SiteRules("shop", "acme", DEPLOYMENT, OriginRules((parse_pattern(PAGE),)), RouteTable((WAIT,)))
SERVICENOW = Backend("servicenow", frozenset({"shop"}), frozenset({"queue-wait"}))
SESSION = GuestSession(
    "s1", "shop", "acme", "guest-1", True, "zendesk-messaging", "ada", NOW, NOW, NOW + 600, 600, "upstream-secret-token"
)


@pytest.fixture
def audit() -> RememberingAudit:
    return RememberingAudit()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def gate(audit: RememberingAudit, metrics: Metrics) -> Gate:
    return Gate(audit, metrics, lambda: NOW)


def trail(surface: str = "rest_proxy") -> Trail:
    return Trail("r-1", surface, "GET", "198.51.100.7", 0.0, site="shop", region="eu-west-1", origin=PAGE)


def facts(caller: Backend | Guest | Nobody = SERVICENOW) -> Facts:
    target = parse_target("/api/v2/queues/d0000000-0000-4000-8000-000000000001")
    return Facts("GET", target, target.segments, None, caller)


async def test_a_permit_names_its_route_in_the_record(gate: Gate, audit: RememberingAudit, metrics: Metrics) -> None:
    seen = trail()
    permit = await gate.permit(facts(), RULES, seen)
    await gate.carried(seen, status=200, request_bytes=0, response_bytes=12, duration_s=0.01)
    assert permit.route.name == "queue-wait"
    assert audit.actions() == ["proxy.allowed"]
    fields = audit.records[0].fields
    assert (fields["gateway.route"], fields["url.path"]) == ("queue-wait", "/api/v2/queues/{queueId}")
    assert (fields["gateway.backend"], fields["http.response.status_code"]) == ("servicenow", 200)
    assert metrics.origin_checks.child("allowed").value == 1


async def test_without_room_in_the_audit_log_there_is_no_permit(gate: Gate, audit: RememberingAudit) -> None:
    audit.fails = True
    with pytest.raises(Refusal) as refused:
        await gate.permit(facts(), RULES, trail())
    assert refused.value.code == "audit.unavailable"


async def test_a_refused_call_gets_no_permit(gate: Gate) -> None:
    with pytest.raises(Refusal) as refused:
        await gate.permit(facts(Nobody()), RULES, trail())
    assert refused.value.code == "origin.missing"


async def test_a_socket_permit_needs_room_too(gate: Gate, audit: RememberingAudit) -> None:
    asked = Facts("GET", parse_target("/v1"), ("v1",), PAGE, Guest(SESSION, HandleKind.TICKET))
    assert (await gate.permit_socket(asked, RULES, DEPLOYMENT, trail("websocket"))).guest is not None
    audit.fails = True
    with pytest.raises(Refusal) as refused:
        await gate.permit_socket(asked, RULES, DEPLOYMENT, trail("websocket"))
    assert refused.value.code == "audit.unavailable"


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_refusal_is_recorded_and_counted_under_its_code(
    code: str, gate: Gate, audit: RememberingAudit, metrics: Metrics
) -> None:
    gate.refused(Refusal(REASONS[code]), trail())
    assert metrics.refusals.child(code).value == 1
    (record,) = audit.records
    assert code in (record.fields.get("event.reason"), record.fields.get("error.type"))
    assert record.fields["http.request.id"] == "r-1"


@pytest.mark.parametrize(
    ("reason", "surface", "action"),
    [
        (errors.ORIGIN_NOT_ALLOWED, "session", "origin.denied"),
        (errors.VISITOR_EXPIRED, "session", "session.denied"),
        (errors.SESSION_EXPIRED, "rest_proxy", "session.denied"),
        (errors.GRANT_UNSUPPORTED, "oauth_token", "token.refused"),
        (errors.RATE_LIMITED, "rest_proxy", "ratelimit.blocked"),
        (errors.UPSTREAM_TIMEOUT, "rest_proxy", "proxy.upstream_error"),
        (errors.TOKEN_UNAVAILABLE, "rest_proxy", "proxy.upstream_error"),
        (errors.ROUTE_UNKNOWN, "rest_proxy", "proxy.denied"),
        (errors.FRAME_ACTION, "websocket", "proxy.denied"),
    ],
)
def test_a_refusal_goes_into_the_record_of_its_room(
    reason: errors.Reason, surface: str, action: str, gate: Gate, audit: RememberingAudit
) -> None:
    gate.refused(Refusal(reason), trail(surface))
    assert audit.actions() == [action]


def test_a_refusal_is_given_when_the_log_has_no_room(gate: Gate, audit: RememberingAudit) -> None:
    audit.fails = True
    gate.refused(Refusal(errors.UPSTREAM_TIMEOUT), trail())
    assert audit.actions() == ["proxy.upstream_error"]


async def test_no_record_holds_the_guests_secrets(gate: Gate, audit: RememberingAudit) -> None:
    seen = trail()
    seen.caller = Guest(SESSION)
    await gate.carried(seen, status=200, request_bytes=0, response_bytes=0, duration_s=0.0)
    gate.refused(Refusal(errors.OWNER_MISMATCH), seen)
    written = str([record.fields for record in audit.records])
    for secret in ("upstream-secret-token", "ada", "198.51.100.7", "guest-1"):
        assert secret not in written


async def test_whom_a_record_is_about_is_built_once(gate: Gate) -> None:
    first, second = trail(), trail()
    first.caller = second.caller = Guest(SESSION)
    assert gate.subject(first) is gate.subject(second)
    assert gate.subject(first) is gate.subject(first)


async def test_who_signs_in_within_a_session_is_another_subject_of_the_records(gate: Gate) -> None:
    before, after = trail(), trail()
    before.caller = Guest(replace(SESSION, guest_id="anonymous-1", verified=False))
    after.caller = Guest(SESSION)
    assert gate.subject(before) is not gate.subject(after)


def test_subjects_that_nobody_asks_for_are_forgotten(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.gate.SUBJECTS_KEPT", 2)
    for number in range(5):
        seen = trail()
        seen.client_ip = f"198.51.100.{number}"
        gate.subject(seen)
    assert len(gate._subjects) == 2


def test_whom_a_record_is_about_is_built_anew_each_day(audit: RememberingAudit, metrics: Metrics) -> None:
    moments = iter((NOW, NOW, NOW + 1, NOW + 86_400, NOW + 86_400))
    gate = Gate(audit, metrics, lambda: next(moments))
    first, again, tomorrow = (gate.subject(trail()) for _ in range(3))
    assert again is first
    assert tomorrow is not first


def test_what_is_known_of_a_call_stands_where_it_belongs(gate: Gate, audit: RememberingAudit) -> None:
    seen = Trail(
        "r-7", "rest_proxy", "PUT", "198.51.100.7", 0.0, site="shop", route="queue-wait", template="/api/v2/{queueId}",
        region="eu-west-1", caller=SERVICENOW, responder="upstream", trace_id="f" * 32, upstream_s=0.25,
        conversation="c-1", token_ref="h:" + "e" * 32,
    )  # fmt: skip
    assert gate.carry(seen, 202, 11, 22, 0.5) is None
    assert audit.records[0].at == NOW
    assert audit.records[0].fields == {
        "gateway.site": "shop", "client.ip": "198.51.100.0", "gateway.ref.client": "c1", "gateway.route": "queue-wait",
        "http.request.method": "PUT", "url.path": "/api/v2/{queueId}", "gateway.region": "eu-west-1",
        "gateway.responder": "upstream", "gateway.backend": "servicenow", "http.request.id": "r-7",
        "http.response.status_code": 202, "http.request.bytes": 11, "http.response.bytes": 22,
        "event.duration": 500_000_000, "gateway.upstream_duration": 250_000_000, "gateway.conversation": "c-1",
        "gateway.ref.token": "h:" + "e" * 32, "trace.id": "f" * 32,
    }  # fmt: skip


async def test_a_record_that_finds_no_room_is_handed_back_and_waited_for(gate: Gate, audit: RememberingAudit) -> None:
    assert gate.carry(trail(), 200, 0, 12, 0.01) is None
    audit.fails = True
    record = gate.carry(trail(), 200, 0, 12, 0.01)
    assert record is not None
    with pytest.raises(Refusal) as refused:
        await gate.used(record)
    assert refused.value.code == "audit.unavailable"
    with pytest.raises(Refusal):
        await gate.carried(trail(), status=200, request_bytes=0, response_bytes=12, duration_s=0.01)


async def test_grants_and_uses_are_refused_when_they_cannot_be_recorded(gate: Gate, audit: RememberingAudit) -> None:
    seen = trail()
    gate.refused(Refusal(errors.ROUTE_UNKNOWN), seen)
    record = audit.records[0]
    await gate.granted(record)
    await gate.used(record)
    audit.fails = True
    for write in (gate.granted, gate.used):
        with pytest.raises(Refusal):
            await write(record)
