"""Seats: taken up to a cap, given back exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Refusal
from gateway.upstream.ws_caps import Seats, SocketCaps


@pytest.mark.parametrize(
    ("caps", "name"),
    [
        (SocketCaps(2, 9, 9), "limits.sockets "),
        (SocketCaps(9, 2, 9), "limits.sockets_per_site"),
        (SocketCaps(9, 9, 2), "limits.sockets_per_guest"),
    ],
)
def test_the_refusal_names_the_cap(caps: SocketCaps, name: str) -> None:
    seats = Seats(caps)
    seats.take("shop", "ann")
    seats.take("shop", "ann")
    with pytest.raises(Refusal) as refused:
        seats.take("shop", "ann")
    assert refused.value.reason is errors.SOCKET_TOO_MANY
    assert name in refused.value.detail
    assert seats.taken == 2


def test_a_guest_of_another_site_is_another_guest_and_sockets_without_guest_have_no_such_cap() -> None:
    seats = Seats(SocketCaps(9, 9, 1))
    seats.take("shop", "ann")
    seats.take("blog", "ann")
    seats.take("shop", None)
    seats.take("shop", None)
    assert (seats.taken, seats.taken_of("shop"), seats.taken_of("blog"), seats.taken_of("none")) == (4, 3, 1, 0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["g", "h", None])), max_size=40))
def test_what_is_taken_and_given_back_leaves_nothing(sits: list[tuple[str, str | None]]) -> None:
    seats = Seats(SocketCaps())
    taken: list[tuple[str, str | None]] = []
    for site, guest in sits:
        try:
            seats.take(site, guest)
        except Refusal:
            assert taken.count((site, guest)) >= 3
        else:
            taken.append((site, guest))
    assert seats.taken == len(taken)
    for site, guest in taken:
        seats.give_back(site, guest)
    assert (seats.taken, seats._sites, seats._guests) == (0, {}, {})
