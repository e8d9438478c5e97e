"""Tests of the decision: who gets a permit for what, and that nobody makes one by another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.body_template import BodyFault, parse_body
from gateway.policy.decision import (
    Backend,
    Caller,
    Facts,
    Guest,
    Nobody,
    OwnerUnknown,
    Permit,
    SiteRules,
    SocketPermit,
    decide,
    decide_socket,
)
from gateway.policy.guests import Person, SessionRules, open_session
from gateway.policy.handles import HandleKind
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.ownership import NOBODYS, ConversationOwner
from gateway.policy.paths import parse_target
from gateway.policy.routes import HISTORY, CallerKind, Route, RouteMatch, RouteTable, parse_template

NOW = 1_790_000_000.0
MINE = "0b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
THEIRS = "1b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
YOURS = "3b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
FOREIGN = "4b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
ORIGIN = "https://shop.example"


def route(name: str, match: str, callers: set[CallerKind], **changes: Any) -> Route:
    template = parse_template(match)
    return Route(name=name, match=template, **{"upstream": template, "callers": frozenset(callers), **changes})


ROUTES = [
    route("read", "GET /api/v2/conversations/{id}", {"guest", "backend"}, owner="id", query=frozenset({"expand"})),
    route(
        "close",
        "POST /api/v2/conversations/messaging/{id}/close",
        {"backend"},
        upstream=parse_template("PATCH /api/v2/conversations/messages/{id}"),
        client="closer",
        auth="oauth",
        max_body_bytes=10,
    ),
    route("nobody", "GET /api/v2/closed", set()),
    HISTORY,
]
RULES = SiteRules(
    name="shop",
    org="acme",
    deployment_id=DEPLOYMENT,
    origins=OriginRules((parse_pattern(ORIGIN),)),
    routes=RouteTable(ROUTES),
)
SESSION = open_session(
    session_id="s1",
    site="shop",
    org="acme",
    guest="g1",
    token="t1",
    person=Person("shop", "ada"),
    rules=SessionRules(idle_s=600),
    now=NOW,
)
STRANGER = Guest(
    open_session(
        session_id="s9", site="shop", org="acme", guest="g9", token="t9", person=None, rules=SessionRules(), now=NOW
    )
)
GUEST = Guest(SESSION, conversations=frozenset({MINE}))
HISTORIAN = Guest(SESSION, HandleKind.HISTORY)
TICKETED = Guest(SESSION, HandleKind.TICKET)
SERVER = Backend("servicenow", frozenset({"shop"}), frozenset({"read", "close"}))
READ = f"/api/v2/conversations/{MINE}"
CLOSE = f"/api/v2/conversations/messaging/{MINE}/close"
MESSAGES = "/api/v2/webmessaging/messages"


class Owners:
    """Three conversations that were found out, and none else."""

    KNOWN: ClassVar = {MINE: ConversationOwner("shop", "g2"), YOURS: ConversationOwner("shop", "g1"), FOREIGN: NOBODYS}

    def owner(self, org: str, conversation: str) -> ConversationOwner | None:
        return self.KNOWN.get(conversation) if org == "acme" else None


def facts(method: str, raw: str, caller: Caller, origin: str | None = ORIGIN, body_bytes: int = 0) -> Facts:
    target = parse_target(raw)
    return Facts(method, target, target.segments, origin, caller, body_bytes, Owners())


@pytest.mark.parametrize(
    ("asked", "name", "upstream"),
    [
        (facts("GET", READ, GUEST), "read", READ),
        (facts("GET", f"{READ}?expand=x", GUEST), "read", f"{READ}?expand=x"),
        (facts("GET", READ, SERVER, None), "read", READ),
        (facts("GET", READ.replace(MINE, YOURS), SERVER, None), "read", READ.replace(MINE, YOURS)),
        (facts("GET", READ.replace(MINE, YOURS), GUEST), "read", READ.replace(MINE, YOURS)),
        (facts("GET", READ, SERVER, ORIGIN), "read", READ),
        (facts("POST", CLOSE, SERVER, None, 10), "close", f"/api/v2/conversations/messages/{MINE}"),
        (facts("GET", f"{MESSAGES}?pageSize=5", HISTORIAN), "guest-history", f"{MESSAGES}?pageSize=5"),
    ],
)
def test_an_allowed_call_gets_its_permit(asked: Facts, name: str, upstream: str) -> None:
    permit = decide(asked, RULES, NOW)
    assert (permit.route.name, permit.upstream_target) == (name, upstream)
    assert (permit.site, permit.org, permit.caller, permit.origin) == ("shop", "acme", asked.caller, asked.origin)


@pytest.mark.parametrize(
    ("body", "caller", "sent"),
    [
        (None, GUEST, b"sent"),
        ({"state": "disconnected"}, GUEST, b'{"state":"disconnected"}'),
        ({"of": "{id} at {site}"}, SERVER, f'{{"of":"{MINE} at shop"}}'.encode()),
        ({"by": "{guest_id}/{external_id}/{verified}"}, GUEST, b'{"by":"g1/ada/true"}'),
        ({"by": "{guest_id}/{external_id}/{verified}"}, STRANGER, b'{"by":"g9//false"}'),
    ],
)
def test_the_routes_own_body_goes_in_place_of_the_callers(
    body: dict[str, object] | None, caller: Guest | Backend, sent: bytes
) -> None:
    template = None if body is None else parse_body(body)
    callers: set[CallerKind] = {"guest" if isinstance(caller, Guest) else "backend"}
    one = route("read", "GET /api/v2/things/{id}", callers, body_template=template)
    rules = replace(RULES, routes=RouteTable([one]))
    permit = decide(facts("GET", f"/api/v2/things/{MINE}", caller), rules, NOW)
    assert permit.upstream_body(b"sent") == sent


@pytest.mark.parametrize(
    ("body", "callers", "says"),
    [
        ({"a": "{it}"}, {"guest"}, r"unknown placeholder \{it\}; known are external_id, guest_id, id, site, verified"),
        ({"a": "{external_id}"}, {"guest", "backend"}, "stands for a guest"),
    ],
)
def test_a_body_with_a_placeholder_that_nothing_fills_is_a_fault(
    body: dict[str, object], callers: set[CallerKind], says: str
) -> None:
    with pytest.raises(BodyFault, match=says):
        route("read", "GET /api/v2/things/{id}", callers, body_template=parse_body(body))


def test_a_placeholder_that_two_things_would_fill_is_a_fault() -> None:
    with pytest.raises(BodyFault, match="path parameter too"):
        route("read", "GET /api/v2/things/{site}", {"guest"}, body_template=parse_body({"a": "{site}"}))


def test_what_the_sites_table_was_found_to_say_is_believed() -> None:
    asked = facts("GET", READ, GUEST)
    asked.match = replace(RULES.routes.find("GET", asked.segments), upstream_path="/told")
    assert decide(asked, RULES, NOW).upstream_target == "/told"


@pytest.mark.parametrize(
    "match",
    [
        RouteTable(ROUTES).find("GET", parse_target(READ).segments),
        RULES.routes.find("POST", parse_target(CLOSE).segments),
        RULES.routes.find("GET", parse_target(READ.replace(MINE, YOURS)).segments),
        replace(RULES.routes.find("POST", parse_target(CLOSE).segments), segments=parse_target(READ).segments),
    ],
)
def test_another_tables_word_or_one_about_another_call_is_not_believed(match: RouteMatch) -> None:
    asked = facts("GET", READ, GUEST)
    asked.match = replace(match, upstream_path="/told")
    assert decide(asked, RULES, NOW).upstream_target == READ


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (facts("GET", READ, GUEST, None), errors.ORIGIN_MISSING),
        (facts("GET", READ, GUEST, "https://evil.test"), errors.ORIGIN_NOT_ALLOWED),
        (facts("GET", READ, SERVER, "https://evil.test"), errors.ORIGIN_NOT_ALLOWED),
        (facts("GET", READ, SERVER, "null"), errors.ORIGIN_NULL),
        (facts("GET", READ, Nobody(), None), errors.ORIGIN_MISSING),
        (facts("GET", READ, Nobody()), errors.SESSION_MISSING),
        (facts("POST", CLOSE, Nobody()), errors.BACKEND_MISSING),
        (facts("GET", "/api/v2/closed", Nobody()), errors.ROUTE_CALLER),
        (facts("GET", "/api/v2/closed", GUEST), errors.ROUTE_CALLER),
        (facts("GET", "/api/v2/closed", SERVER, None), errors.ROUTE_CALLER),
        (facts("POST", CLOSE, GUEST), errors.ROUTE_CALLER),
        (facts("GET", MESSAGES, SERVER, None), errors.ROUTE_CALLER),
        (facts("GET", READ, replace(SERVER, routes=frozenset({"close"})), None), errors.ROUTE_CALLER),
        (facts("GET", READ, replace(SERVER, sites=frozenset({"bank"})), None), errors.ROUTE_CALLER),
        (facts("GET", READ, replace(SERVER, sites=frozenset()), None), errors.ROUTE_CALLER),
        (facts("GET", READ, HISTORIAN), errors.HANDLE_WRONG_KIND),
        (facts("GET", READ, TICKETED), errors.HANDLE_WRONG_KIND),
        (facts("GET", MESSAGES, GUEST), errors.HANDLE_WRONG_KIND),
        (facts("GET", "/api/v2/users/me", GUEST), errors.ROUTE_UNKNOWN),
        (facts("HEAD", READ, GUEST), errors.METHOD_NOT_ALLOWED),
        (facts("GET", "/api/v2/conversations/me", GUEST), errors.ROUTE_PARAMETER),
        (facts("GET", f"{READ}?other=1", GUEST), errors.ROUTE_QUERY),
        (facts("GET", READ.replace(MINE, THEIRS), GUEST), errors.OWNER_MISMATCH),
        (facts("GET", READ, replace(GUEST, conversations=frozenset())), errors.OWNER_MISMATCH),
        (facts("GET", READ.replace(MINE, FOREIGN), GUEST), errors.OWNER_MISMATCH),
        (facts("GET", READ.replace(MINE, FOREIGN), SERVER, None), errors.OWNER_MISMATCH),
        (facts("GET", READ.replace(MINE, THEIRS), SERVER, None), errors.OWNER_MISMATCH),
        (facts("GET", READ, replace(GUEST, session=replace(SESSION, site="bank"))), errors.SESSION_INVALID),
        (facts("GET", READ, replace(GUEST, session=replace(SESSION, idle_s=-1))), errors.SESSION_EXPIRED),
        (facts("POST", CLOSE, SERVER, None, 11), errors.BODY_TOO_LARGE),
        (facts("GET", MESSAGES, HISTORIAN, body_bytes=1), errors.BODY_TOO_LARGE),
    ],
)
def test_any_other_call_is_refused_by_the_first_rule_it_breaks(asked: Facts, reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        decide(asked, RULES, NOW)
    assert caught.value.reason is reason


def test_a_conversation_that_nobody_knows_yet_is_to_be_found_out_first() -> None:
    with pytest.raises(OwnerUnknown) as caught:
        decide(facts("GET", READ.replace(MINE, THEIRS), SERVER, None), RULES, NOW)
    assert caught.value.conversation == THEIRS


def test_foreign_and_unknown_conversations_answer_alike() -> None:
    answers = []
    for conversation in (THEIRS, FOREIGN):
        with pytest.raises(Refusal) as caught:
            decide(facts("GET", READ.replace(MINE, conversation), GUEST), RULES, NOW)
        answers.append((caught.value.reason, caught.value.detail))
    assert answers[0] == answers[1]


def test_the_origin_sent_to_genesys_is_the_pages_or_the_configured_one() -> None:
    asked = facts("GET", READ, GUEST)
    assert decide(asked, RULES, NOW).upstream_origin == ORIGIN
    assert decide(asked, replace(RULES, upstream_origin="https://main.example"), NOW).upstream_origin == (
        "https://main.example"
    )
    assert decide(facts("GET", READ, SERVER, None), RULES, NOW).upstream_origin is None


@pytest.mark.parametrize("seal", [None, object(), "seal"])
def test_a_permit_cannot_be_made_by_hand(seal: object) -> None:
    with pytest.raises(TypeError, match=r"decide\(\) only"):
        Permit(RULES, RULES.routes.find("GET", parse_target(READ).segments), "", GUEST, ORIGIN, seal)
    with pytest.raises(TypeError, match=r"decide_socket\(\) only"):
        SocketPermit("shop", "acme", DEPLOYMENT, GUEST, ORIGIN, ORIGIN, seal=seal)


def test_a_permit_cannot_be_altered_into_another() -> None:
    permit = decide(facts("GET", READ, GUEST), RULES, NOW)
    with pytest.raises((TypeError, ValueError)):
        replace(permit, site="bank")
    assert permit.site == "shop"


SOCKET = facts("GET", "/v1", TICKETED)


def test_a_ticket_opens_a_socket() -> None:
    permit = decide_socket(SOCKET, RULES, DEPLOYMENT.upper(), NOW)
    assert (permit.guest, permit.deployment_id, permit.origin) == (TICKETED, DEPLOYMENT, ORIGIN)
    assert (permit.site, permit.org, permit.upstream_origin) == ("shop", "acme", ORIGIN)


def test_a_socket_without_ticket_opens_only_where_the_site_admits_it() -> None:
    asked = replace(SOCKET, caller=Nobody())
    assert decide_socket(asked, replace(RULES, anonymous_socket=True), DEPLOYMENT, NOW).guest is None
    with pytest.raises(Refusal) as caught:
        decide_socket(asked, RULES, DEPLOYMENT, NOW)
    assert caught.value.reason is errors.TICKET_MISSING


@pytest.mark.parametrize(
    ("changes", "rules", "deployment", "reason"),
    [
        ({"origin": None}, RULES, DEPLOYMENT, errors.ORIGIN_MISSING),
        ({"origin": "https://evil.test"}, RULES, DEPLOYMENT, errors.ORIGIN_NOT_ALLOWED),
        ({}, replace(RULES, mode="messenger"), DEPLOYMENT, errors.NOT_FOUND),
        ({}, RULES, None, errors.SOCKET_DEPLOYMENT),
        ({}, RULES, MINE, errors.SOCKET_DEPLOYMENT),
        ({"caller": SERVER}, RULES, DEPLOYMENT, errors.TICKET_INVALID),
        ({"caller": SERVER, "origin": None}, RULES, DEPLOYMENT, errors.ORIGIN_MISSING),
        ({"caller": GUEST}, RULES, DEPLOYMENT, errors.HANDLE_WRONG_KIND),
        ({"caller": HISTORIAN}, RULES, DEPLOYMENT, errors.HANDLE_WRONG_KIND),
        (
            {"caller": replace(TICKETED, session=replace(SESSION, site="bank"))},
            RULES,
            DEPLOYMENT,
            errors.SESSION_INVALID,
        ),
    ],
)
def test_any_other_socket_is_refused(
    changes: dict[str, Any], rules: SiteRules, deployment: str | None, reason: Reason
) -> None:
    with pytest.raises(Refusal) as caught:
        decide_socket(replace(SOCKET, **changes), rules, deployment, NOW)
    assert caught.value.reason is reason


def test_a_session_that_ended_opens_no_socket() -> None:
    with pytest.raises(Refusal) as caught:
        decide_socket(SOCKET, RULES, DEPLOYMENT, NOW + 600)
    assert caught.value.reason is errors.SESSION_EXPIRED


def test_the_configured_origin_is_sent_on_sockets_too() -> None:
    rules = replace(RULES, upstream_origin="https://main.example")
    assert decide_socket(SOCKET, rules, DEPLOYMENT, NOW).upstream_origin == "https://main.example"
