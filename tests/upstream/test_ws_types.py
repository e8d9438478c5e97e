"""Shared values of the relay: they show no token, and the parts fit the protocols they are used as."""

from __future__ import annotations

from gateway.guestbook import Guestbook
from gateway.policy.guests import GuestSession
from gateway.upstream.ws_types import GuestSessions, Initiator, SocketEnding, SocketOpening, SocketTraffic

SESSION = GuestSession("s1", "shop", "acme", "g1", True, "zendesk", "ann", 0.0, 0.0, 1.0, 60, "the-upstream-token")


def test_openings_and_endings_show_no_token_and_no_person() -> None:
    opening = SocketOpening("r1", "shop", "d1", "https://shop.example", SESSION)
    ending = SocketEnding(opening, 1000, "", Initiator.CLIENT, 1, 2, 3, 4, 5.0)
    for shown in (repr(opening), repr(ending)):
        assert "the-upstream-token" not in shown
        assert "ann" not in shown


def test_traffic_adds_up_by_direction() -> None:
    traffic = SocketTraffic()
    traffic.up(10)
    traffic.up(5)
    traffic.down(7)
    assert (traffic.messages_up, traffic.bytes_up, traffic.messages_down, traffic.bytes_down) == (2, 15, 1, 7)


def test_the_guestbook_is_what_sockets_ask_for() -> None:
    for name in ("on_end", "on_replay", "was_replayed", "is_live", "touch", "keep_history"):
        assert callable(getattr(GuestSessions, name))
        assert callable(getattr(Guestbook, name))
