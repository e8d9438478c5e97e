"""The token's life as tables, and its promises as properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.token_state import (
    NEEDS_AN_OPERATOR,
    FetchFailure,
    Phase,
    Step,
    TokenRules,
    TokenState,
    fetch_failed,
    fetch_started,
    fetch_succeeded,
    next_step,
    phase,
    rejected,
    wait_s,
)

RULES = TokenRules()
HELD = TokenState(usable_until=100.0, renew_at=80.0)
CHANCE = st.floats(0, 1)


@pytest.mark.parametrize(
    ("state", "now", "named", "step"),
    [
        (TokenState(), 0.0, Phase.NONE, Step.FETCH),
        (TokenState(fetching=True), 0.0, Phase.NONE, Step.WAIT),
        (TokenState(not_before=5.0), 4.9, Phase.NONE, Step.REFUSE),
        (TokenState(not_before=5.0), 5.0, Phase.NONE, Step.FETCH),
        (HELD, 79.9, Phase.FRESH, Step.SERVE),
        (HELD, 80.0, Phase.STALE, Step.SERVE_AND_FETCH),
        (HELD, 99.9, Phase.STALE, Step.SERVE_AND_FETCH),
        (HELD, 100.0, Phase.NONE, Step.FETCH),
        (fetch_started(HELD), 90.0, Phase.REFRESHING, Step.SERVE),
        (fetch_started(HELD), 100.0, Phase.NONE, Step.WAIT),
        (TokenState(100.0, 80.0, not_before=95.0), 90.0, Phase.STALE, Step.SERVE),
        (TokenState(100.0, 80.0, not_before=200.0), 100.0, Phase.NONE, Step.REFUSE),
    ],
)
def test_each_state_has_one_step(state: TokenState, now: float, named: Phase, step: Step) -> None:
    assert (phase(state, now), next_step(state, now)) == (named, step)


def test_a_second_fetch_beside_the_first_is_a_fault() -> None:
    with pytest.raises(ValueError, match="one fetch"):
        fetch_started(fetch_started(TokenState()))


@given(asked_at=st.floats(0, 1e6), life_s=st.floats(1, 1e7), chance=CHANCE, later=st.floats(0, 2e7))
def test_never_served_past_its_life_and_renewed_before_its_end(
    asked_at: float, life_s: float, chance: float, later: float
) -> None:
    state = fetch_succeeded(fetch_started(TokenState()), RULES, asked_at=asked_at, life_s=life_s, chance=chance)
    assert state.renew_at <= state.usable_until < asked_at + life_s
    assert state.renew_at >= asked_at + life_s * 0.79
    if later >= life_s:
        assert next_step(state, asked_at + later) not in {Step.SERVE, Step.SERVE_AND_FETCH}


@given(
    failures=st.integers(0, 10_000),
    failure=st.sampled_from(sorted(FetchFailure)),
    chance=CHANCE,
    asked_s=st.none() | st.floats(0, 1e5),
)
def test_pause_after_a_failure_is_bounded_both_ways(
    failures: int, failure: FetchFailure, chance: float, asked_s: float | None
) -> None:
    state = fetch_failed(
        TokenState(fetching=True, failures=failures), RULES, failure, now=50.0, chance=chance, retry_after_s=asked_s
    )
    pause_s = state.not_before - 50.0
    grave = failure in NEEDS_AN_OPERATOR
    assert pause_s >= (RULES.refused_first_s if grave else RULES.first_s)
    if asked_s is None:
        assert pause_s <= (RULES.refused_cap_s if grave else RULES.cap_s)
    else:
        assert pause_s >= min(asked_s, RULES.retry_after_max_s) - 1e-6
    assert (state.fetching, state.failures) == (False, failures + 1)
    assert wait_s(state, 50.0) == math.ceil(pause_s)


def test_failure_keeps_the_token_that_is_held() -> None:
    state = fetch_failed(fetch_started(HELD), RULES, FetchFailure.UNAVAILABLE, now=90.0, chance=0.5)
    assert next_step(state, 90.1) is Step.SERVE
    assert state.usable_until == HELD.usable_until


def test_success_forgets_the_failures() -> None:
    failed = fetch_failed(fetch_started(TokenState()), RULES, FetchFailure.TIMEOUT, now=0.0, chance=0.5)
    state = fetch_succeeded(fetch_started(failed), RULES, asked_at=5.0, life_s=300, chance=0)
    assert (state.failures, state.failure, next_step(state, 6.0)) == (0, None, Step.SERVE)


def test_rejected_token_is_dropped_but_not_for_ever_anew() -> None:
    dropped, yes = rejected(HELD, RULES, 50.0)
    assert (yes, next_step(dropped, 50.0)) == (True, Step.FETCH)
    again = fetch_succeeded(fetch_started(dropped), RULES, asked_at=50.0, life_s=300, chance=0)
    assert rejected(again, RULES, 50.0 + RULES.remint_floor_s - 0.1) == (again, False)
    assert rejected(again, RULES, 50.0 + RULES.remint_floor_s)[1] is True


def test_wait_is_a_second_where_nothing_is_known() -> None:
    assert wait_s(TokenState(), 7.0) == 1
