"""Tests of the limits: what passes at once, what passes over time, and that a refusal costs nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.limits import Limit, ratelimit_headers, retry_after, take

NOW = 1_790_000_000.0


def run(times: list[float], limit: Limit, state: float = 0.0) -> list[bool]:
    answers = []
    for now in times:
        taken = take(state, now, limit.rate_per_s, limit.burst)
        state = taken.state
        answers.append(taken.allowed)
    return answers


@pytest.mark.parametrize(
    "limit", [Limit(5.0, 5), Limit.per_minute(60), Limit.per_minute(2), Limit(1 / 3, 7), Limit(1, 1)]
)
def test_a_burst_passes_at_once_and_nothing_more(limit: Limit) -> None:
    assert run([NOW] * (limit.burst + 3), limit) == [True] * limit.burst + [False] * 3


def test_after_a_burst_the_rate_decides() -> None:
    limit = Limit(2.0, 3)
    times = [NOW] * 3 + [NOW + 0.4, NOW + 0.5, NOW + 0.6, NOW + 1.0, NOW + 9.0, NOW + 9.0, NOW + 9.0, NOW + 9.0]
    assert run(times, limit) == [True] * 3 + [False, True, False, True, True, True, True, False]


def test_a_refusal_says_when_to_come_again_and_that_is_true() -> None:
    limit = Limit.per_minute(2)
    state = take(take(0.0, NOW, limit.rate_per_s, 2).state, NOW, limit.rate_per_s, 2).state
    refused = take(state, NOW, limit.rate_per_s, 2)
    assert not refused.allowed
    assert refused.state == state
    assert not take(state, NOW + refused.retry_after_s - 0.01, limit.rate_per_s, 2).allowed
    assert take(state, NOW + refused.retry_after_s, limit.rate_per_s, 2).allowed


def test_a_cost_counts_as_often_as_it_says() -> None:
    taken = take(0.0, NOW, 1.0, 10, 7)
    assert (taken.allowed, taken.remaining) == (True, 3)
    assert not take(taken.state, NOW, 1.0, 10, 4).allowed
    assert take(taken.state, NOW, 1.0, 10, 3).allowed
    assert take(taken.state, NOW, 1.0, 10, 0).allowed


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_burst() -> None:
    limit = Limit(1.0, 5)
    state = take(0.0, NOW + 86_400, limit.rate_per_s, limit.burst).state
    refused = take(state, NOW, limit.rate_per_s, limit.burst)
    assert refused.retry_after_s <= 1.0 + 1e-6
    assert take(refused.state, NOW + 1.0, limit.rate_per_s, limit.burst).allowed


@pytest.mark.parametrize(("rate", "burst", "cost"), [(0.0, 1, 1), (-1.0, 1, 1), (1.0, 0, 1), (1.0, 1, -1)])
def test_a_limit_that_makes_no_sense_is_refused(rate: float, burst: int, cost: int) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        take(0.0, NOW, rate, burst, cost)


@given(
    st.floats(0.01, 100.0),
    st.integers(1, 50),
    st.lists(st.floats(0.0, 10.0), min_size=1, max_size=200),
)
def test_in_no_stretch_of_time_more_passes_than_burst_and_rate_give(rate: float, burst: int, gaps: list[float]) -> None:
    now, state, passed = NOW, 0.0, []
    for gap in gaps:
        now += gap
        taken = take(state, now, rate, burst)
        state = taken.state
        assert 0 <= taken.remaining <= burst
        if taken.allowed:
            passed.append(now)
    for index, first in enumerate(passed):
        for count, last in enumerate(passed[index:], start=1):
            assert count <= burst + (last - first) * rate + 0.001


@pytest.mark.parametrize(("wait_s", "seconds"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.0000001, 1), (1.5, 2), (30.0, 30)])
def test_retry_after_is_in_whole_seconds(wait_s: float, seconds: int) -> None:
    assert retry_after(wait_s) == seconds


def test_the_headers_tell_policy_and_rest() -> None:
    limit = Limit.per_minute(60, 10)
    assert dict(ratelimit_headers("guest", limit, 4, 0.0)) == {
        "RateLimit-Policy": '"guest";q=10;w=10',
        "RateLimit": '"guest";r=4',
    }
    assert dict(ratelimit_headers("guest", Limit.per_minute(60), 0, 2.5)) == {
        "RateLimit-Policy": '"guest";q=60;w=60',
        "RateLimit": '"guest";r=0;t=3',
    }


@pytest.mark.parametrize(("rate_per_s", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_limit_that_could_never_be_met_is_none(rate_per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        Limit(rate_per_s, burst)
