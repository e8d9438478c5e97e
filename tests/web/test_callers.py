"""Who is calling: each kind of handle finds its room, and a wrong credential is never taken for none."""

from __future__ import annotations

import pytest

from tests.stack import BACKEND_KEY, QUEUE, Stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
HISTORY = "/api/v2/webmessaging/messages"


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("Basic c2VydmljZW5vdzp4", 400, "request.header_invalid"),
        ("Guest gws_x", 400, "request.header_invalid"),
        ("Bearer", 400, "request.header_invalid"),
        ("Bearer a b", 400, "request.header_invalid"),
        ("Bearer gwt_" + "A" * 43, 401, "handle.wrong_kind"),
        ("Bearer gwc_" + "A" * 43, 401, "handle.wrong_kind"),
        ("Bearer gws_" + "A" * 43, 401, "session.invalid"),
        ("Bearer gwh_" + "A" * 43, 401, "session.invalid"),
        ("Bearer gwb_" + "A" * 43, 401, "backend.invalid"),
        ("Bearer aPlatformTokenOfGenesys-Cloud_0123456789", 401, "handle.platform_token"),
    ],
)
async def test_a_wrong_credential_is_named_as_what_it_is(
    stack: Stack, authorization: str, status: int, code: str
) -> None:
    async with stack.call("GET", WAIT, headers={"Authorization": authorization}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (status, code)


async def test_a_backends_key_is_a_bearer_in_any_case_of_the_scheme(stack: Stack) -> None:
    async with stack.call("GET", WAIT, headers={"Authorization": f"bEaReR {BACKEND_KEY}"}) as answer:
        assert answer.status == 200


async def test_a_session_handle_is_not_a_history_handle(stack: Stack) -> None:
    session = await stack.session()
    async with stack.call("GET", HISTORY, bearer=session["session_token"]) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "handle.wrong_kind")


async def test_a_guest_that_asks_too_often_is_told_to_wait(stack: Stack) -> None:
    from gateway.policy.limits import Limit
    from gateway.web.throttle import ThrottleRules

    many = Limit.per_minute(1_000)
    stack.gateway.throttle.reload(ThrottleRules(many, many, Limit.per_minute(1), many, many))
    session = await stack.session()
    for status in (403, 429):
        async with stack.call("GET", WAIT, bearer=session["session_token"]) as answer:
            assert answer.status == status
            assert ("Retry-After" in answer.headers) is (status == 429)
