"""What would become of a request: each table has its say, and the last word is the gateway's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from gateway.app.explain import Question, explain, what_is_so
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, PAGE, compiled, whole_stack

CONFIG = compiled({})
NOW = 1_790_000_000.0
ID = "0b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
CLOSE = f"/api/v2/conversations/messaging/{ID}/close"
SERVER = "backend:servicenow"

QUESTIONS = [
    (Question("POST", CLOSE, SERVER, owns=frozenset({ID})), None),
    (Question("POST", CLOSE, SERVER), "route.not_owner"),
    (Question("POST", CLOSE, "guest", PAGE), "route.caller_not_allowed"),
    (Question("POST", CLOSE, "guest"), "origin.missing"),
    (Question("POST", CLOSE, "guest", "https://evil.example"), "origin.not_allowed"),
    (Question("POST", CLOSE, "nobody", PAGE), "backend.missing"),
    (Question("POST", f"{CLOSE}?a=1", SERVER, owns=frozenset({ID})), "route.query_not_allowed"),
    (Question("POST", CLOSE, SERVER, owns=frozenset({ID}), body_bytes=600_000), "request.body_too_large"),
    (Question("GET", "/sites/shop/api/v2/webmessaging/messages", "guest", PAGE), None),
    (Question("GET", "/sites/club/api/v2/users/me", SERVER), "site.unknown"),
    (Question("GET", "/api/v2//x", SERVER), "request.path_invalid"),
    (Question("GET", "/api/v2/users/me", SERVER), "route.unknown"),
    (Question("GET", "/api/v2/me", SERVER), "route.never_existed"),
    (Question("GET", "/webchat/v1/guest/connect", SERVER), "route.never_existed"),
    (Question("GET", "/api/v2/webchat/settings", SERVER), "route.removed"),
    (Question("GET", "/nowhere", SERVER), "request.not_found"),
    (Question("DELETE", "/sites/shop/ticket", "guest", PAGE), "request.method_not_allowed"),
    (Question("POST", "/sites/shop/ticket", "guest", PAGE), None),
    (Question("POST", "/sites/shop/ticket", "guest"), "origin.missing"),
    (Question("POST", "/oauth/token", SERVER), None),
    (Question("GET", "/api/v2/routing/queues/x/estimatedwaittime", SERVER), "route.parameter_invalid"),
]


@pytest.mark.parametrize(("question", "code"), QUESTIONS)
def test_each_question_has_its_answer(question: Question, code: str | None) -> None:
    found = explain(question, CONFIG, NOW)
    assert (found.code, found.allowed) == (code, code is None)
    assert found.allowed == (found.remedy == "")


async def test_the_running_gateway_answers_as_explained(tmp_path: Path) -> None:
    """Every question again, as a request; but for those of which explain knows the caller only, not its credential."""
    credentials_differ = {("POST", "/oauth/token"), ("GET", "/sites/shop/api/v2/webmessaging/messages")}
    async with whole_stack(tmp_path) as stack:
        handles = {SERVER: BACKEND_KEY, "guest": (await stack.session())["session_token"]}
        for question, code in QUESTIONS:
            if (question.method, question.path) in credentials_differ:
                continue
            own = put_conversation(stack.mock.world, "shop" if question.owns else None)
            headers = {"Authorization": f"Bearer {handles[question.caller]}"} if question.caller in handles else {}
            headers |= {"Origin": question.origin} if question.origin is not None else {}
            target = URL(stack.url + question.path.replace(ID, own.id), encoded=True)
            async with stack.client.request(
                question.method, target, headers=headers, data=b"x" * question.body_bytes or None
            ) as answer:
                told = (await answer.json()).get("code") if answer.status >= 400 else None
            assert told == code, question


def test_every_table_has_its_say_in_order() -> None:
    found = explain(Question("POST", CLOSE, SERVER, owns=frozenset({ID})), CONFIG, NOW)
    names = [step for step, _ in found.steps]
    assert names == ["path", "site", "surface", "origin", "caller", "route", "body", "owner", "permitted"]
    said = dict(found.steps)
    assert said["route"].startswith("routes[2] close-conversation")
    assert said["body"] == 'the route\'s own, in place of the caller\'s: {"state":"disconnected"}'
    assert f"PATCH /api/v2/conversations/messages/{ID}" in said["permitted"]
    assert "client closer" in said["permitted"]
    assert "conversation:communication:disconnect" in said["permitted"]


def test_the_built_in_route_is_named_as_such() -> None:
    found = explain(Question("GET", "/api/v2/webmessaging/messages", "guest", PAGE), CONFIG, NOW)
    assert dict(found.steps)["route"].startswith("built in guest-history")
    assert "guest's own JWT" in dict(found.steps)["permitted"]


def test_the_nearest_routes_are_told() -> None:
    found = explain(Question("GET", f"/api/v2/routing/queue/{ID}/estimatedwaittime", SERVER), CONFIG, NOW)
    assert "queue-wait" in found.steps[-1][1]
    assert "none is like it" in explain(Question("PUT", "/api/v2/" + "z" * 90, SERVER), CONFIG, NOW).steps[-1][1]


@pytest.mark.parametrize("caller", ["backend:unknown", "admin"])
def test_a_caller_that_does_not_exist_is_no_question(caller: str) -> None:
    with pytest.raises(ValueError, match=r"caller is guest|no backend"):
        explain(Question("GET", CLOSE, caller), CONFIG, NOW)


def test_machines_get_the_same() -> None:
    found = explain(Question("GET", "/api/v2/me", SERVER), CONFIG, NOW).as_json()
    assert (found["allowed"], found["code"], found["status"], found["site"]) == (
        False,
        "route.never_existed",
        404,
        "shop",
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("POST /api/v2/webchat/guest/conversations", "operation.removed"),
        ("https://api.mypurecloud.ie/api/v2/webchat/settings", "operation.removed"),
        ("conversations", "scope.ignored"),
        ("messaging:conversation:close", "scope.messaging-conversation-close"),
        ("GET /api/v2/users/me", None),
        ("word", None),
    ],
)
def test_what_is_so_is_told_of_inventions_removed_operations_and_scopes(text: str, name: str | None) -> None:
    found = what_is_so(text)
    assert (found and found.id) == name
