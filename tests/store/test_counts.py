"""Counts of this process: the policy's arithmetic, all asks or none, and a bound on memory."""

from __future__ import annotations

from gateway.policy import limits
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
