"""The agenda gives each entry once, at or after its time."""

from __future__ import annotations

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
