"""The life of signing keys: published ahead, signing, published after, gone; as a script over one day after another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.signing_keys import KeyEntry, Phase, current_key, in_order, phases, started_now, withdrawn

DAY = 86_400.0
KEEP_S = DAY + 900
A = KeyEntry("a", 0, 0)
B = KeyEntry("b", 10 * DAY, 11 * DAY)
C = KeyEntry("c", 20 * DAY, 21 * DAY)
RING = (C, A, B)


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (10.5 * DAY, "a:current b:next c:next"),
        (11 * DAY - 1, "a:current b:next c:next"),
        (11 * DAY, "a:retired b:current c:next"),
        (11 * DAY + KEEP_S - 1, "a:retired b:current c:next"),
        (11 * DAY + KEEP_S, "a:gone b:current c:next"),
        (21 * DAY, "a:gone b:retired c:current"),
        (99 * DAY, "a:gone b:gone c:current"),
    ],
)
def test_a_key_is_published_before_it_signs_and_after(now: float, shown: str) -> None:
    phase = phases(RING, now, KEEP_S)
    assert " ".join(f"{kid}:{phase[kid].value}" for kid in sorted(phase)) == shown


def test_no_keys_no_current_key() -> None:
    assert current_key((), 0) is None
    assert phases((), 0, KEEP_S) == {}


def test_a_withdrawn_key_is_gone_at_once_and_the_next_signs_early() -> None:
    ring = withdrawn((A, B), "a", 10.5 * DAY)
    assert phases(ring, 10.5 * DAY, KEEP_S) == {"a": Phase.GONE, "b": Phase.CURRENT}
    assert [entry.kid for entry in in_order(ring)] == ["b"]


def test_a_waiting_key_can_start_now() -> None:
    ring = started_now((A, B), "b", 10.5 * DAY)
    assert phases(ring, 10.5 * DAY, KEEP_S) == {"a": Phase.RETIRED, "b": Phase.CURRENT}


def test_of_two_keys_of_one_moment_the_later_in_the_list_signs() -> None:
    for twins in ((KeyEntry("a", 0, 0), KeyEntry("b", 0, 0)), (KeyEntry("b", 0, 0), KeyEntry("a", 0, 0))):
        assert current_key(twins, 0) is twins[1]


DAYS = st.integers(0, 50)


@given(st.lists(st.tuples(DAYS, DAYS, st.booleans()), max_size=6), st.integers(0, 120), st.integers(0, 30))
def test_exactly_one_key_signs_and_it_is_published(rows: list[tuple[int, int, bool]], now: int, keep: int) -> None:
    ring = [
        KeyEntry(f"k{place}", made, made + ahead, 1 if gone else None) for place, (made, ahead, gone) in enumerate(rows)
    ]
    phase = phases(ring, now, keep)
    current = [kid for kid, where in phase.items() if where is Phase.CURRENT]
    usable = [entry for entry in ring if entry.withdrawn_at is None]
    assert len(current) == (1 if usable else 0)
    assert [entry.kid for entry in [current_key(ring, now)] if entry is not None] == current
