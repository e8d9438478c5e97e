"""Thread 001: Web Chat SDK v2 with a Zendesk session token is 401; the replies want a proxy that returns a token.

The proxy exists: it exchanges the Zendesk token for a session of its own, and no Genesys token reaches the page.
"""

from __future__ import annotations

from gateway.mock.model import DEFAULT_ORG
from tests.stack import BACKEND_ID, BACKEND_KEY, Stack, basic
from tests.threads.people import ask_token, call_as_server, signed_in_guest, visitor_token

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


async def test_the_zendesk_token_is_exchanged_for_a_session_and_the_chat_goes_on(stack: Stack) -> None:
    # the old SDK's first call: removed, and the answer says when and what stands in for it
    status, body = await call_as_server(
        stack, "POST", "/api/v2/webchat/guest/conversations", {"organizationId": DEFAULT_ORG}
    )
    assert (status, body["code"]) == (410, "route.removed")
    assert "the Guest API socket, GET /sites/{site}/v1" in body["detail"]

    # the scopes of the replies: none of them exists, and one has nothing to do with chat
    _, token = await ask_token(stack, "/oauth/token", scope="webchat:interaction scim:users:write")
    said = "\n".join(token["warnings"])
    assert "The old scope was web-chat" in said
    assert "nothing to do with chat" in said

    # the server-side exchange that was asked for, in the shape of RFC 8693
    form = {"grant_type": EXCHANGE, "subject_token": visitor_token(), "subject_token_type": JWT}
    async with stack.client.post(
        f"{stack.url}/oauth/token", data=form, headers=basic(BACKEND_ID, BACKEND_KEY)
    ) as answer:
        exchanged = await answer.json()
    assert answer.status == 200, exchanged
    assert exchanged["access_token"].startswith("gws_")

    # what the page holds works, and is no credential of Genesys
    async with signed_in_guest(stack, exchanged["access_token"]) as guest:
        await guest.say("the context came along")
    (conversation,) = stack.mock.world.conversations.values()
    assert conversation.custom_attributes["gateway.guest"] == exchanged["guest"]["id"]
    for held in stack.mock.world.access_tokens:
        assert held not in str(exchanged)


async def test_a_platform_token_in_the_widget_is_refused_with_the_reason(stack: Stack) -> None:
    bearer = (await stack.gateway.tokens.bearer("acme", "reader")).reveal()
    async with stack.call("POST", "/ticket", bearer=bearer.replace("*", "x")) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (401, "handle.platform_token")
    assert "a Genesys OAuth token never identifies a guest" in body["detail"]
