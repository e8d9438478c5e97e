"""Counts of this process: the policy's arithmetic, all asks or none, and a bound on memory."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st

from gateway.policy import limits
from gateway.policy.limits import Limit
from gateway.store.base import LimitAsk
from gateway.store.counts import LocalCounts


def test_they_count_as_the_policy_does() -> None:
    counts, state, now = LocalCounts(), 0.0, 1000.0
    for step_s in (0.0, 0.0, 0.1, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0):
        now += step_s
        expected = limits.take(state, now, 2.0, 3)
        (found,) = counts.take([LimitAsk("k", 2.0, 3)], now, local=True)
        assert (found.allowed, found.retry_after_s, found.remaining) == (
            expected.allowed,
            expected.retry_after_s,
            expected.remaining,
        )
        assert found.local
        state = expected.state if expected.allowed else state


def test_when_one_ask_is_refused_none_is_charged() -> None:
    counts = LocalCounts()
    wide, narrow = LimitAsk("wide", 1.0, 5), LimitAsk("narrow", 1.0, 1)
    assert all(result.allowed for result in counts.take([wide, narrow], 0.0, local=False))
    for _ in range(9):
        counts.take([wide, narrow], 0.0, local=False)
    assert counts.take([wide], 0.0, local=False)[0].remaining == 3


def test_a_flood_of_keys_forgets_the_key_that_is_nearest_to_rest() -> None:
    counts = LocalCounts(max_keys=3)
    counts.take([LimitAsk("busy", 0.01, 2)], 0.0, local=False)
    counts.take([LimitAsk("busy", 0.01, 2)], 0.0, local=False)
    for number in range(50):
        counts.take([LimitAsk(f"k{number}", 10.0, 2)], 0.0, local=False)
    assert len(counts) == 3
    assert not counts.take([LimitAsk("busy", 0.01, 2)], 0.0, local=False)[0].allowed


@hypothesis.settings(deadline=None)
@hypothesis.given(
    steps=st.lists(st.floats(0.0, 3.0), max_size=40),
    rate_per_s=st.sampled_from([0.1, 0.5, 1.0, 7.0, 1000.0]),
    burst=st.integers(1, 5),
)
def test_charging_on_the_data_path_answers_as_taking_does(steps: list[float], rate_per_s: float, burst: int) -> None:
    taking, charging, now = LocalCounts(), LocalCounts(), 1_000_000.0
    for step_s in steps:
        now += step_s
        (taken,) = taking.take([LimitAsk("k", rate_per_s, burst)], now, local=True)
        found, wait_s = charging.charge([("k", Limit(rate_per_s, burst))], now)
        assert (wait_s == 0.0) == taken.allowed
        if taken.allowed:
            assert abs(found - taken.remaining) <= 1  # rounding of the last bit
        else:
            assert abs(wait_s - taken.retry_after_s) < 1e-3


def test_a_refusal_on_the_data_path_charges_nothing_and_says_which() -> None:
    counts = LocalCounts()
    asks = [("wide", Limit(1.0, 5)), ("narrow", Limit(1.0, 1))]
    assert counts.charge(asks, 0.0) == (0, 0.0)
    for _ in range(9):
        assert counts.charge(asks, 0.0)[0] == 1
    assert counts.charge([("wide", Limit(1.0, 5))], 0.0) == (3, 0.0)


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_burst() -> None:
    counts = LocalCounts()
    ask = [("k", Limit(1.0, 2))]
    counts.charge(ask, 10_000.0)
    assert counts.charge(ask, 5_000.0)[1] <= 2.0
    assert counts.charge(ask, 5_002.0)[1] == 0.0
