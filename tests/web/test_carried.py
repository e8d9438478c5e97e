"""What is done about the answer to a proxied call: our lines, what is noted, and its record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.gate import Gate, Trail
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from gateway.policy.decision import Backend, Caller, Facts, Guest, Nobody, decide
from gateway.policy.limits import Limit
from gateway.policy.origins import cors_headers
from gateway.policy.paths import parse_target
from gateway.policy.routes import HISTORY, RouteTable, parse_template
from gateway.upstream.rest import RelayAnswer
from gateway.web.carried import CarriedCalls, caller_key, whole_answer
from gateway.web.exchange import BodyLimits, Exchange
from gateway.web.head import Head
from tests.test_gate import SESSION
from tests.web.conftest import NOW, PAGE, RememberingAudit, site_rules

SERVER = Backend("crm", frozenset({"shop"}), frozenset({"read"}))
ROUTE = replace(
    HISTORY, name="read", match=parse_template("GET /api/v2/x"), upstream=parse_template("GET /api/v2/x"),
    callers=frozenset({"backend"}), auth="none",
)  # fmt: skip
RULES = replace(site_rules("shop", PAGE), routes=RouteTable((ROUTE,)))
TARGET = parse_target("/api/v2/x")
PERMIT = decide(Facts("GET", TARGET, TARGET.segments, None, SERVER), RULES, NOW)


def trail() -> Trail:
    return Trail("r" * 32, "rest_proxy", "GET", "192.0.2.1", 0.0, site="shop", region="eu-west-1")


def exchange(origin: str | None) -> Exchange:
    head = Head(CIMultiDictProxy(CIMultiDict()))
    made = Exchange(lambda: pytest.fail("nobody asks"), "GET", head, trail(), BodyLimits(), cors_headers(origin))
    made.allowance = ("guest:g", Limit.per_minute(2), 1, 0.0)
    return made


@pytest.mark.parametrize("origin", [None, PAGE])
@pytest.mark.parametrize("has_cache_control", [False, True])
def test_an_answer_of_genesys_gets_our_lines(origin: str | None, *, has_cache_control: bool) -> None:
    answer = RelayAnswer(200, b"content-type: a/b\r\n", has_cache_control, b"{}")
    sent = whole_answer(exchange(origin), answer, b"{}").wire("GET", keep_alive=True)
    lines = sent.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    for line in (
        b"content-type: a/b", b"X-Request-Id: " + b"r" * 32, b"RateLimit-Policy: \"guest\";q=2;w=60",
        b"RateLimit: \"guest\";r=1", b"Vary: Origin", b"Server: gateway", b"X-Content-Type-Options: nosniff",
        b"Content-Length: 2",
    ):  # fmt: skip
        assert lines.count(line) == 1
    assert (b"Cache-Control: no-store" in lines) is not has_cache_control
    assert (f"Access-Control-Allow-Origin: {PAGE}".encode() in lines) is (origin is not None)


@pytest.mark.parametrize(
    ("status", "moved_to", "region", "reason"),
    [
        (200, None, "eu-west-1", None),
        (200, "eu-central-1", "eu-central-1", None),
        (401, None, "eu-west-1", "other"),
        (403, None, "eu-west-1", "missing_permission"),
    ],
)
def test_it_is_noted_who_answered_and_a_credential_that_was_not_enough(
    status: int, moved_to: str | None, region: str, reason: str | None
) -> None:
    metrics, told = Metrics(Scope(regions=("eu-west-1", "eu-central-1"))), trail()
    calls = CarriedCalls(Gate(RememberingAudit(), metrics, lambda: NOW), metrics)
    calls.note(
        told, PERMIT, RelayAnswer(status, b"", has_cache_control=False, body=b"", upstream_s=0.5, moved_to=moved_to)
    )
    assert (told.responder, told.upstream_s, told.region) == ("upstream", 0.5, region)
    counted = {k: cell.value for k, cell in metrics.upstream_auth_failures.series().items() if cell.value}
    assert counted == ({} if reason is None else {("api", region, reason): 1.0})


def test_a_carried_call_is_recorded_and_one_without_room_comes_back_to_be_waited_with() -> None:
    audit, metrics = RememberingAudit(), Metrics()
    calls = CarriedCalls(Gate(audit, metrics, lambda: NOW), metrics)
    assert calls.record(trail(), 200, 1, 2) is None
    assert audit.actions() == ["proxy.allowed"]
    audit.fails = True
    waiting = calls.record(trail(), 200, 1, 2)
    assert waiting is not None
    assert waiting.action.name == "proxy.allowed"
    assert sum(metrics.proxy_overhead.child("rest_proxy").counts) == 2


@pytest.mark.parametrize(("caller", "key"), [(Guest(SESSION), SESSION.id), (SERVER, "crm"), (Nobody(), "")])
def test_a_routes_limit_is_charged_to_the_session_or_the_backend(caller: Caller, key: str) -> None:
    assert caller_key(caller) == key
