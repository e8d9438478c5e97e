"""The agenda gives each entry once, at or after its time, and holds nothing that was forgotten."""

from __future__ import annotations

import math
import weakref

from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.ws_agenda import Agenda


@given(st.lists(st.floats(0, 100), max_size=40), st.lists(st.floats(0, 110), max_size=20))
def test_each_entry_is_due_once_within_a_second_after_its_time(times: list[float], looks: list[float]) -> None:
    agenda: Agenda[int] = Agenda()
    for number, at in enumerate(times):
        agenda.add(number, at)
    given_out: list[int] = []
    for now in [*sorted(looks), 200.0]:
        due = agenda.due(now)
        assert all(times[number] <= now for number in due)
        given_out += due
        assert all(number in given_out for number, at in enumerate(times) if at + 1 <= now)
    assert sorted(given_out) == list(range(len(times)))
    assert len(agenda) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), min_size=1, max_size=40))
def test_what_is_entered_again_stands_once_at_its_earliest_time(entries: list[tuple[int, float]]) -> None:
    agenda: Agenda[int] = Agenda()
    for thing, at in entries:
        agenda.add(thing, at)
    assert len(agenda) == len({thing for thing, _ in entries})
    given_out: dict[int, int] = {}
    for now in range(102):
        for thing in agenda.due(now):
            assert thing not in given_out
            given_out[thing] = now
    for thing, second in given_out.items():
        assert second == math.ceil(min(at for other, at in entries if other == thing))


def test_what_was_given_out_may_be_entered_for_later() -> None:
    agenda: Agenda[str] = Agenda()
    agenda.add("a socket", 3.0)
    assert agenda.due(3.0) == ["a socket"]
    agenda.add("a socket", 28.0)
    assert agenda.due(27.9) == []
    assert agenda.due(28.0) == ["a socket"]


def test_what_was_forgotten_is_neither_due_nor_held() -> None:
    class Socket:
        """Something that a weak reference can be made to."""

    agenda: Agenda[Socket] = Agenda()
    gone, stays = Socket(), Socket()
    seen = weakref.ref(gone)
    agenda.add(gone, 25.0)
    agenda.add(stays, 25.0)
    agenda.add(gone, 5.0)
    agenda.forget(gone)
    agenda.forget(gone)
    del gone
    assert seen() is None
    assert agenda.due(30.0) == [stays]
    assert len(agenda) == 0
