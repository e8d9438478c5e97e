"""Thread 003: ServiceNow gets a token, reads queues, and is 401 when it posts a guest's message.

The token works for what servers may do; the post is told what it really is; and the message reaches the agent.
"""

from __future__ import annotations

from tests.journeys.guest_client import connected
from tests.stack import DEPLOYMENT, PAGE, QUEUE, Stack
from tests.threads.people import ask_token, call_as_server


async def test_the_queue_is_read_and_the_guests_message_arrives(stack: Stack) -> None:
    # "I've got the OAuth token exchange working fine", at a path that Genesys does not have
    scope = (
        "conversation:read conversation:write guest:access webchat:guest:write webchat:guest:read conversation:webchat"
    )
    status, token = await ask_token(stack, "/api/v2/oauth/token", scope=scope)
    assert status == 200
    assert len([line for line in token["warnings"] if "There is no such scope" in line]) == 6

    # "I can hit the GET endpoints for queue availability without issue"
    bearer = token["access_token"]
    status, wait = await call_as_server(
        stack, "GET", f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime", bearer=bearer
    )
    assert (status, wait["results"][0]["estimatedWaitTimeSeconds"]) == (200, 42)

    # "The problem hits when I try to send a message"
    message = {"text": "Hello support", "language": "en-US"}
    status, body = await call_as_server(stack, "POST", "/api/v2/conversations/messages", message, bearer)
    assert (status, body["code"]) == (404, "route.unknown")
    assert "it opens an outbound conversation" in body["detail"]
    assert "no scope changes that" in body["detail"]

    # what does the work: the Guest API, whose socket is the gateway's
    async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
        await guest.configure()
        await guest.say("Hello support")
        assert "Hello support" in await guest.agent_says()
    (conversation,) = stack.mock.world.conversations.values()
    assert [m["text"] for m in conversation.messages if m["direction"] == "Inbound"] == ["Hello support"]


async def test_the_password_grant_is_refused_by_name(stack: Stack) -> None:
    status, body = await ask_token(stack, "/oauth/token", grant_type="password")
    assert (status, body["error"], body["code"]) == (400, "unsupported_grant_type", "oauth.unsupported_grant_type")
    assert "client_credentials" in body["error_description"]
