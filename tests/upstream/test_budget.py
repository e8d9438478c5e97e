"""Retries stay a tenth of the load, whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.budget import RetryBudget


def test_reserve_then_a_share() -> None:
    budget = RetryBudget(ratio=0.25, reserve=2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(4):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


@given(tries=st.lists(st.booleans(), max_size=300))
def test_never_more_retries_than_reserve_and_share(tries: list[bool]) -> None:
    budget, spent = RetryBudget(0.1, 5.0), 0
    for retry in tries:
        budget.earn()
        spent += retry and budget.spend()
        assert 0 <= budget.balance <= 5.0
    assert spent <= 5 + 0.1 * len(tries) + 1e-6


@pytest.mark.parametrize(("ratio", "reserve"), [(-0.1, 1), (1.1, 1), (0.1, -1)])
def test_senseless_numbers_are_refused(ratio: float, reserve: float) -> None:
    with pytest.raises(ValueError, match="ratio"):
        RetryBudget(ratio, reserve)
