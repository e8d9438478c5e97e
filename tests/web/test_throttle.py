"""How much one address, guest, site and route may ask of this node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.errors import Refusal
from gateway.gate import Trail
from gateway.policy.limits import Limit
from gateway.policy.origins import cors_headers
from gateway.web.exchange import BodyLimits, Exchange
from gateway.web.head import Head
from gateway.web.throttle import Throttle, ThrottleRules
from tests.web.conftest import RunningFront

Start = Callable[..., Awaitable[RunningFront]]


def throttle(now: list[float], *, guest: int = 100, origin: int = 1_000) -> Throttle:
    many = Limit.per_minute(1_000)
    rules = ThrottleRules(many, Limit.per_minute(origin), Limit.per_minute(guest), many, many)
    return Throttle(rules, lambda: now[0])


def call(origin: str | None = None) -> Exchange:
    """A request of the shop; `origin` as its site lists it."""
    trail = Trail("r", "rest_proxy", "GET", "192.0.2.1", 0.0, site="shop", origin=origin)
    request = make_mocked_request("GET", "/")
    return Exchange(request, "GET", Head(request.headers), trail, BodyLimits(), cors_headers(origin))


def test_a_guest_has_a_limit_of_its_own() -> None:
    counts = throttle([1_000.0], guest=2)
    counts.admit_guest(call(), "a")
    counts.admit_guest(call(), "a")
    with pytest.raises(Refusal) as refused:
        counts.admit_guest(call(), "a")
    assert (refused.value.code, refused.value.retry_after_s) == ("limit.rate", 30)
    counts.admit_guest(call(), "b")


def test_what_was_used_up_comes_back_with_time() -> None:
    now = [1_000.0]
    counts = throttle(now, guest=1)
    counts.admit_guest(call(), "a")
    with pytest.raises(Refusal):
        counts.admit_guest(call(), "a")
    now[0] += 60.0
    counts.admit_guest(call(), "a")


def test_a_route_without_a_limit_is_not_counted() -> None:
    counts = throttle([1_000.0])
    for _ in range(1_000):
        counts.admit_route(call(), "read", "servicenow", 0)


def test_a_routes_own_limit_counts_per_caller() -> None:
    counts = throttle([1_000.0])
    counts.admit_route(call(), "read", "servicenow", 1)
    counts.admit_route(call(), "read", "crm", 1)
    with pytest.raises(Refusal):
        counts.admit_route(call(), "read", "servicenow", 1)


def test_a_reload_keeps_what_was_counted() -> None:
    counts = throttle([1_000.0], guest=1)
    counts.admit_guest(call(), "a")
    many = Limit.per_minute(1)
    counts.reload(ThrottleRules(many, many, many, many, many))
    with pytest.raises(Refusal):
        counts.admit_guest(call(), "a")


def test_a_listed_origin_has_a_limit_of_its_own_and_others_are_not_counted() -> None:
    counts = throttle([1_000.0], origin=1)
    counts.admit(call("https://shop.example"))
    with pytest.raises(Refusal, match="limit per origin"):
        counts.admit(call("https://shop.example"))
    counts.admit(call("https://club.example"))
    for _ in range(10):
        counts.admit(call())


def test_what_is_left_is_told_and_who_must_wait_is_told_for_how_long() -> None:
    counts = throttle([1_000.0], guest=2)
    first, second, third = call(), call(), call()
    assert first.limit_headers == ()
    counts.admit_guest(first, "a")
    counts.admit_guest(second, "a")
    with pytest.raises(Refusal):
        counts.admit_guest(third, "a")
    assert dict(first.limit_headers) == {"RateLimit-Policy": '"guest";q=2;w=60', "RateLimit": '"guest";r=1'}
    assert dict(second.limit_headers)["RateLimit"] == '"guest";r=0'
    assert dict(third.limit_headers)["RateLimit"] == '"guest";r=0;t=30'
    for asked in (first, second, third):
        assert asked.limit_lines.decode() == "".join(f"{name}: {value}\r\n" for name, value in asked.limit_headers)
    assert call().limit_lines == b""


def server_call(surface: str = "oauth_token") -> Exchange:
    """A call of Genesys' servers."""
    exchange = call()
    exchange.trail.surface, exchange.trail.site = surface, None
    return exchange


def test_genesys_is_not_counted_for_the_visitors_that_it_asks_about() -> None:
    many = Limit.per_minute(1)
    counts = Throttle(ThrottleRules(many, many, many, many, many), lambda: 1_000.0)
    calls = server_call(), server_call("oidc")
    for _ in range(10_000):
        for exchange in calls:
            counts.admit(exchange)


def test_an_address_that_fails_to_authenticate_again_and_again_is_not_heard_for_a_while() -> None:
    now, few = [1_000.0], Limit.per_minute(3)
    counts = Throttle(ThrottleRules(few, few, few, few, few), lambda: now[0])
    for _ in range(3):
        counts.failed(server_call())
        counts.admit(server_call())
    counts.failed(server_call())
    with pytest.raises(Refusal) as refused:
        counts.admit(server_call())
    assert (refused.value.code, refused.value.retry_after_s) == ("limit.rate", 20)
    now[0] += 21
    counts.admit(server_call())


def test_codes_that_open_sessions_count_as_sessions() -> None:
    few, many = Limit.per_minute(1), Limit.per_minute(1_000)
    counts = Throttle(ThrottleRules(many, many, many, many, few), lambda: 1_000.0)
    exchange = call()
    exchange.trail.surface = "auth_code"
    counts.admit(exchange)
    with pytest.raises(Refusal):
        counts.admit(exchange)
