"""How much one address, guest, site and route may ask of this node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import Refusal
from gateway.policy.limits import Limit
from gateway.web.throttle import Throttle, ThrottleRules
from tests.web.conftest import RunningFront

Start = Callable[..., Awaitable[RunningFront]]


def throttle(now: list[float], *, guest: int = 100) -> Throttle:
    many = Limit.per_minute(1_000)
    return Throttle(ThrottleRules(many, Limit.per_minute(guest), many, many), lambda: now[0])


def test_a_guest_has_a_limit_of_its_own() -> None:
    counts = throttle([1_000.0], guest=2)
    counts.admit_guest("a")
    counts.admit_guest("a")
    with pytest.raises(Refusal) as refused:
        counts.admit_guest("a")
    assert (refused.value.code, refused.value.retry_after_s) == ("limit.rate", 30)
    counts.admit_guest("b")


def test_what_was_used_up_comes_back_with_time() -> None:
    now = [1_000.0]
    counts = throttle(now, guest=1)
    counts.admit_guest("a")
    with pytest.raises(Refusal):
        counts.admit_guest("a")
    now[0] += 60.0
    counts.admit_guest("a")


def test_a_route_without_a_limit_is_not_counted() -> None:
    counts = throttle([1_000.0])
    for _ in range(1_000):
        counts.admit_route("read", "servicenow", 0)


def test_a_routes_own_limit_counts_per_caller() -> None:
    counts = throttle([1_000.0])
    counts.admit_route("read", "servicenow", 1)
    counts.admit_route("read", "crm", 1)
    with pytest.raises(Refusal):
        counts.admit_route("read", "servicenow", 1)


def test_a_reload_keeps_what_was_counted() -> None:
    counts = throttle([1_000.0], guest=1)
    counts.admit_guest("a")
    many = Limit.per_minute(1)
    counts.reload(ThrottleRules(many, many, many, many))
    with pytest.raises(Refusal):
        counts.admit_guest("a")
