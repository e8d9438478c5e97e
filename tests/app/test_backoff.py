"""Workers that keep ending are replaced ever more slowly, those that lived at once."""

from __future__ import annotations

from gateway.app.backoff import LONGEST_S, STEADY_S, Backoff


def test_pauses_grow_to_the_longest() -> None:
    backoff = Backoff()
    found = [backoff.next_pause_s(1.0) for _ in range(20)]
    assert found[:5] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert found == sorted(found)
    assert found[-1] == LONGEST_S


def test_a_worker_that_lived_is_replaced_at_once_again() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.next_pause_s(0.0)
    assert backoff.next_pause_s(STEADY_S) == 0.0
    assert backoff.next_pause_s(0.0) == 0.5
