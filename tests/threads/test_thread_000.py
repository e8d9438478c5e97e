"""Thread 000: a React widget asks its backend for a token, and POST /api/v2/messaging/conversations is 403.

The author's calls, in order; each answer names the true cause, and the last one is a visitor whom the agent knows.
"""

from __future__ import annotations

import pytest

from gateway.config.genesys import resolve_region
from gateway.policy.regions import RegionUnknown
from tests.stack import Stack
from tests.threads.people import ask_token, call_as_server, signed_in_guest, visitor_token


async def test_the_author_gets_a_chat_in_which_the_agent_knows_the_customer(stack: Stack) -> None:
    # the backend asks for a token as the replies advise: with scopes, an audience, and the path of another product
    status, token = await ask_token(
        stack, "/oauth2/token", scope="messaging:write messaging:read conversations:write users:read",
        audience="https://api.us.genesys.cloud/oauth2/token", redirect_uri="https://shop.example/callback",
    )  # fmt: skip
    assert (status, token["token_type"]) == (200, "bearer")
    said = "\n".join(token["warnings"])
    for truth in (
        "messaging:write: There is no such scope",
        "audience is ignored",
        "redirect_uri is ignored",
        "us-east-1",
    ):
        assert truth in said

    # the call that was answered 403: it never existed, and the answer says what does the work
    payload = {"userId": "ada-1815", "external_id": "ada-1815"}
    status, body = await call_as_server(
        stack, "POST", "/api/v2/messaging/conversations", payload, token["access_token"]
    )
    assert (status, body["code"]) == (404, "route.never_existed")
    assert "no token starts a guest's session" in body["detail"]

    # what does the work: the visitor's own proof (the Zendesk JWT with external_id), a session, the socket
    session = await stack.session(visitor_token(subject="ada-1815"))
    assert session["guest"]["verified"] is True
    async with signed_in_guest(stack, session["session_token"]) as guest:
        await guest.say("I come from the old chat")
    (conversation,) = stack.mock.world.conversations.values()
    assert conversation.custom_attributes["gateway.verified"] == "true"
    assert conversation.custom_attributes["gateway.guest"] == session["guest"]["id"]


def test_a_region_as_the_replies_spell_it_is_named_with_its_true_host() -> None:
    with pytest.raises(RegionUnknown, match=r"write \"eu-west-1\", whose API host is api\.mypurecloud\.ie"):
        resolve_region("https://api.eu-west-1.genesys.cloud")
