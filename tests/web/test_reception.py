"""The steps of each request that wait for nobody: what it begins with, where it goes, how it is refused and counted."""

from __future__ import annotations

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.gate import Gate
from gateway.observe.metrics import Metrics
from gateway.observe.tracing import Span, Tracing
from gateway.policy.limits import Limit
from gateway.web.clients import TrustedProxies
from gateway.web.exchange import Exchange
from gateway.web.head import Head
from gateway.web.reception import FrontRules, Reception
from gateway.web.surface import SURFACES
from gateway.web.whole import WholeAnswer
from tests.web.conftest import NOW, PAGE, RememberingAudit, front_rules

SERVED = frozenset(row.name for row in SURFACES)


class Sink:
    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, spans: object) -> None:
        assert isinstance(spans, list)
        self.spans += spans


class Desk:
    """A reception and what it reports to."""

    def __init__(self, rules: FrontRules | None = None, tracing: Tracing | None = None) -> None:
        self.audit, self.metrics = RememberingAudit(), Metrics()
        gate = Gate(self.audit, self.metrics, lambda: NOW)
        self.reception = Reception(
            rules or front_rules(), SERVED, gate, self.metrics, lambda _, refusal: refusal, tracing or Tracing()
        )

    def begin(self, method: str, path: str, peer: str = "192.0.2.1", **fields: str) -> Exchange:
        headers = {"Host": "gw", **{name.replace("_", "-"): value for name, value in fields.items()}}
        request = make_mocked_request(method, path, headers=headers)
        return self.reception.begin(request, method, path, Head(request.headers), peer)


def trusting(*networks: str) -> FrontRules:
    rules = front_rules()
    return FrontRules(rules.sites, rules.rules, rules.regions, TrustedProxies(networks), rules.body_limits, 100)


@pytest.mark.parametrize(("peer", "client"), [("10.0.0.1", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")])
def test_id_and_address_are_believed_of_listed_proxies_only(peer: str, client: str) -> None:
    sent = {"X_Request_Id": "from-the-proxy", "X_Forwarded_For": "203.0.113.9"}
    trail = Desk(trusting("10.0.0.0/8")).begin("GET", "/", peer, **sent).trail
    assert trail.client_ip == client
    assert (trail.request_id == "from-the-proxy") is (peer != client)
    assert len(trail.trace_id or "") == 32


def test_a_request_with_a_place_is_left_to_its_handler() -> None:
    desk = Desk()
    exchange = desk.begin("POST", "/sites/shop/session", Origin=PAGE)
    assert desk.reception.place(exchange) is None
    assert (exchange.trail.surface, exchange.trail.site, exchange.trail.region) == ("session", "shop", "eu-west-1")
    assert exchange.cors["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize(
    ("method", "path", "fields", "reason"),
    [
        ("POST", "/sites/shop/session", {"Origin": "https://evil.example"}, errors.ORIGIN_NOT_ALLOWED),
        ("POST", "/sites/shop/session", {}, errors.ORIGIN_MISSING),
        ("PUT", "/sites/shop/session", {"Origin": PAGE}, errors.METHOD_NOT_ALLOWED),
        ("GET", "/sites/shop/nothing", {}, errors.NOT_FOUND),
        ("GET", "/sites/nowhere/widget.js", {}, errors.SITE_UNKNOWN),
        ("GET", "/sites/shop/widget.js", {"Transfer_Encoding": "gzip"}, errors.REQUEST_MALFORMED),
    ],
)
def test_a_request_without_leave_is_refused(method: str, path: str, fields: dict[str, str], reason: Reason) -> None:
    desk = Desk()
    with pytest.raises(Refusal) as refused:
        desk.reception.place(desk.begin(method, path, **fields))
    assert refused.value.reason is reason


def test_a_preflight_is_answered_from_the_table() -> None:
    desk = Desk()
    fields = {"Origin": PAGE, "Access_Control_Request_Method": "POST"}
    answer = desk.reception.place(desk.begin("OPTIONS", "/sites/shop/session", **fields))
    assert answer is not None
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, PAGE)


@pytest.mark.parametrize(
    ("reason", "closes"),
    [
        (errors.NOT_FOUND, False),
        (errors.PATH_INVALID, True),
        (errors.HEADER_INVALID, True),
        (errors.RATE_LIMITED, False),
    ],
)
def test_a_refusal_is_recorded_counted_and_says_why(reason: Reason, *, closes: bool) -> None:
    desk = Desk()
    exchange = desk.begin("GET", "/sites/shop/api/v2/x", Origin=PAGE)
    desk.reception.place(exchange)
    exchange.allowance = ("guest:g", Limit.per_minute(2), 0, 30.0)
    answer = desk.reception.refuse(exchange, Refusal(reason))
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    assert (answer.status, orjson.loads(answer.body)["code"]) == (reason.status, reason.code)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert ("RateLimit" in answer.headers) is (reason is errors.RATE_LIMITED)
    assert (answer.keep_alive is False) is closes
    assert desk.metrics.refusals.child(reason.code).value == 1.0
    assert len(desk.audit.records) == 1


def test_a_wrong_method_is_told_the_right_ones() -> None:
    desk = Desk()
    answer = desk.reception.refuse(desk.begin("PUT", "/x"), Refusal(errors.METHOD_NOT_ALLOWED, "GET, HEAD"))
    assert answer.headers["Allow"] == "GET, HEAD"


def test_a_sampled_request_ends_its_trace_when_it_is_counted() -> None:
    sink = Sink()
    desk = Desk(tracing=Tracing(sink, sample_ratio=1.0))
    exchange = desk.begin("GET", "/sites/shop/api/v2/x")
    desk.reception.place(exchange)
    desk.reception.count(exchange, 200)
    assert [span.name for span in sink.spans] == ["GET rest_proxy"]
    assert desk.metrics.http_requests.child("rest_proxy", "GET", "200", "gateway").value == 1.0


@pytest.mark.parametrize("answer", [web.Response(), WholeAnswer(200, (), b"")])
def test_times_are_told_to_debugged_requests_only(answer: web.StreamResponse) -> None:
    desk = Desk(tracing=Tracing(Sink(), sample_ratio=1.0))
    exchange = desk.begin("GET", "/sites/shop/api/v2/x")
    trace = exchange.trail.trace
    assert trace is not None
    told = []
    for trace.debug in (False, True):
        desk.reception.tell_times(exchange, answer)
        sent = answer.wire("GET", keep_alive=True) if isinstance(answer, WholeAnswer) else str(answer.headers).encode()
        told.append(b"Server-Timing" in sent)
        if isinstance(answer, WholeAnswer):
            answer._is_sent = False
    assert told == [False, True]
