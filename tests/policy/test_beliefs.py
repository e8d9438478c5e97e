"""Beliefs: each row of the data file is found by what shows it, and nothing real is called an invention."""

from __future__ import annotations

import pytest

from gateway.config import genesys
from gateway.policy.beliefs import PATH_KINDS, Belief, Beliefs, scope_advice

BELIEFS = genesys.beliefs()
CATALOGUE = genesys.catalogue()
SCOPES = frozenset(scope for operation in CATALOGUE for scope in operation.scopes_any)
ROW = Belief("route.x", "route", "POST /api/v2/x", "It never was.", "y", "explain", ("a:b:c",))


def shown_by(row: Belief) -> str:
    """A word that shows the belief: its pattern with something in each open place."""
    return row.pattern.replace("{}", "7").replace("**", "a/b").replace("*", "GET" if row.kind in PATH_KINDS else "some")


@pytest.mark.parametrize("row", BELIEFS.rows, ids=lambda row: row.id)
def test_each_belief_is_found_by_what_shows_it(row: Belief) -> None:
    assert BELIEFS.of_text(shown_by(row)) is row


@pytest.mark.parametrize("row", BELIEFS.rows, ids=lambda row: row.id)
def test_each_belief_says_what_is_true_and_what_to_use(row: Belief) -> None:
    assert row.truth.endswith(".")
    assert row.instead
    assert row.does in {"explain", "serve", "strip", "map"}
    known = {permission for operation in CATALOGUE for permission in operation.permissions}
    assert known.issuperset(row.permissions)
    assert all(permission in row.told for permission in row.permissions)


def test_no_operation_of_genesys_is_called_an_invention() -> None:
    shown = {row.id for o in CATALOGUE if (row := BELIEFS.of_template(o.method, o.template)) is not None}
    assert shown == {row.id for row in BELIEFS.rows if row.is_real}


def test_no_scope_of_genesys_is_called_an_invention() -> None:
    assert [scope for scope in SCOPES if BELIEFS.of_scope(scope) is not None] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("POST /api/v2/conversations/messaging/1/close", "route.messaging-close"),
        ("GET /api/v2/conversations/messaging/1/close", None),
        ("GET /api/v2/conversations/webmessaging/guests/1/2/3", "route.webmessaging-guest"),
        ("GET /api/v2/conversations/webmessaging/guests", "route.webmessaging-guests"),
        ("/api/v2/me", "route.me"),
        ("/api/v2/users/me", None),
        ("webmessaging:deployment:read", "scope.webmessaging-deployment-read"),
        ("webmessaging:anything", "scope.webmessaging"),
        ("API.eu-west-1.GENESYS.cloud", "host.api-region"),
        ("api.mypurecloud.ie", None),
        ("authorization: guest abc", "header.guest-scheme"),
        ("audience", "field.audience"),
        ("Audience", "header.audience"),
        ("X-RateLimit-Remaining", "header.ratelimit"),
        ("Authorization: Guest", "header.guest-scheme"),
        ("https://api.mypurecloud.com/api/v2/oauth/token", "token-endpoint.api"),
        ("post https://api.mypurecloud.ie:443/api/v2/conversations/messaging/1/close", "route.messaging-close"),
        ("wss://api.mypurecloud.ie/api/v2/external/messaging/websockets?guestToken=1", "socket.external-websockets"),
        ("https://mycompany.mygen.com/v2/oauth/token", "host.mygen"),
        ("https://api.mypurecloud.ie", None),
        ("no words", None),
        ("x" * 300, None),
    ],
)
def test_a_word_shows_its_belief(text: str, found: str | None) -> None:
    row = BELIEFS.of_text(text)
    assert (row and row.id) == found


def test_hosts_and_headers_are_compared_without_case_and_scopes_with_it() -> None:
    assert BELIEFS.of_host("Platform.Genesys.Cloud") is not None
    assert BELIEFS.of_header("x-genesys-application", "shop") is not None
    assert BELIEFS.of_scope("Webchat:Interaction") is None


def test_what_to_tell_names_truth_substitute_and_permission() -> None:
    assert ROW.told == "It never was. Use y. The client's role needs a:b:c."


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("messaging:conversation:close", "conversation:communication:disconnect"),
        ("conversations", "ignored by Genesys for client credentials"),
        ("made:up:thing", "looks like a permission"),
        ("nonsense", "is no scope"),
    ],
)
def test_a_scope_is_answered_with_what_decides(scope: str, words: str) -> None:
    assert words in scope_advice(BELIEFS, SCOPES, scope)


def test_an_id_stands_once() -> None:
    with pytest.raises(ValueError, match="one id"):
        Beliefs([ROW, ROW])


def test_a_path_pattern_has_a_method_and_a_path() -> None:
    with pytest.raises(ValueError, match="METHOD"):
        Beliefs([Belief("route.y", "route", "/api/v2/y", "No.", "z", "explain")])


def test_headers_that_show_a_belief_by_their_name_alone_are_listed() -> None:
    assert BELIEFS.header_names == ("X-Genesys-Application", "OrgName", "Audience")
