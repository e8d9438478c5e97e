"""A configuration as the values that parts decide by."""

from __future__ import annotations

from gateway.app.ruleset import make_ruleset
from tests.stack import compiled

KEY = b"k" * 32


def test_a_clients_own_token_is_the_guest_only_where_sockets_need_no_ticket() -> None:
    open_site = make_ruleset(compiled({}), KEY).sockets.sites["shop"].rules
    closed = make_ruleset(compiled({"sites.shop.visitors.anonymous_socket": False}), KEY).sockets.sites["shop"].rules
    assert open_site.derive_guest is not None
    assert closed.derive_guest is None


def test_the_same_token_is_the_same_guest_under_one_key_only() -> None:
    derive = make_ruleset(compiled({}), KEY).sockets.sites["shop"].rules.derive_guest
    other = make_ruleset(compiled({}), b"x" * 32).sockets.sites["shop"].rules.derive_guest
    assert derive is not None
    assert other is not None
    token = "5f0c1d6e-0000-4000-8000-0123456789ab"
    assert derive(token) == derive(token)
    assert derive(token).upstream_token != token
    assert derive(token).upstream_token != other(token).upstream_token


def test_what_is_set_reaches_its_part() -> None:
    rules = make_ruleset(
        compiled({"limits.sockets": 7, "limits.requests_per_guest_per_min": 60, "limits.socket_idle_s": 99.0}), KEY
    )
    assert rules.sockets.caps.sockets == 7
    assert rules.throttle.per_guest.burst == 60
    assert rules.sockets.bounds.idle_s == 99.0
    assert rules.front.regions == {"shop": "eu-west-1"}
    assert {c.client for c in rules.credentials} == {"reader", "closer"}
    assert rules.desks["shop"].on_failure == "refuse"
