"""A configured route compiles into the rule that decides, with the credential that its operation takes."""

from __future__ import annotations

import pytest

from gateway.config.genesys import catalogue
from gateway.config.model import Route
from gateway.config.routing import compile_route, operation_of
from gateway.policy import routes as policy

CLOSE = {
    "name": "close",
    "match": "POST /close/{conversationId}/{reason}",
    "upstream": "PATCH /api/v2/conversations/messages/{conversationId}",
    "parameters": {"reason": "slug", "conversationId": "id"},
    "body": {"state": "disconnected"},
    "client": "closer",
    "callers": ["backend"],
}


def compiled(**changes: object) -> policy.Route:
    route = Route.model_validate(CLOSE | changes)
    operation = operation_of(route, catalogue())
    assert operation is not None
    return compile_route(route, operation)


def test_types_of_parameters_reach_the_template() -> None:
    route = compiled()
    assert route.match.segments == ("close", ("conversationId", "id"), ("reason", "slug"))
    assert route.upstream.fill({"conversationId": "x"}) == "/api/v2/conversations/messages/x"
    assert str(route.body_template) == '{"state":"disconnected"}'


@pytest.mark.parametrize(
    ("match", "client", "auth"),
    [
        ("DELETE /api/v2/conversations/{conversationId}", "closer", "oauth"),
        ("GET /api/v2/webmessaging/messages", None, "webmessaging-jwt"),
        ("POST /api/v2/webdeployments/token/refresh", None, "none"),
        ("POST /api/v2/knowledge/guest/sessions", None, "none"),
    ],
)
def test_the_credential_follows_from_the_operation(match: str, client: str | None, auth: str) -> None:
    route = compiled(match=match, upstream=None, parameters={}, body=None, client=client)
    assert (route.auth, route.client) == (auth, client)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"owner": "guestId"}, "owner guestId"),
        ({"upstream": "PATCH /api/v2/conversations/messages/{other}"}, "which match does not have"),
        ({"parameters": {"nothing": "id"}}, "no parameter nothing"),
        ({"cache_s": 1}, "cache_s"),
        ({"client": None}, "oauth"),
        ({"body": {"a": "{conversation}"}}, "known are conversationId, external_id, guest_id, reason, site, verified"),
        ({"body": {"a": ["{guest_id}"]}}, "stands for a guest, and backends may call"),
        ({"body": {"a": "{site}"}, "match": "POST /close/{conversationId}/{reason}/{site}"}, "path parameter too"),
        ({"body": {"a": "{"}}, "stands alone"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compiled(**changes)


def test_an_operation_that_does_not_exist_is_none() -> None:
    assert operation_of(Route(name="x", match="GET /api/v2/nothing"), catalogue()) is None
