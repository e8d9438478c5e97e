"""A guest signed in at Genesys through the running gateway: each leg on record, and the sign-in ended at logout."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.login_stack import SharedClock, login_stack, visitor_token
from tests.stack import DEPLOYMENT, PAGE, Stack

TOKEN = "0f8fad5b-d9cb-469f-a165-70867728950e"
LOGIN = {"sites.shop.visitors.genesys_login": True}


@pytest.fixture
def clock() -> SharedClock:
    return SharedClock()


@pytest.fixture
async def stack(tmp_path: Path, clock: SharedClock) -> AsyncIterator[Stack]:
    async with login_stack(tmp_path, LOGIN, clock=clock) as running:
        yield running


async def socket_of(stack: Stack, session: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
    """An open socket of a session."""
    async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        ticket = (await answer.json())["ticket"]
    return await stack.client.ws_connect(
        f"{stack.base}/v1?deploymentId={DEPLOYMENT}", origin=PAGE, protocols=("gateway.v1", f"ticket.{ticket}")
    )


async def configured(stack: Stack, session: dict[str, Any]) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
    """A socket with the session configured, and Genesys' answer to that."""
    socket = await socket_of(stack, session)
    await socket.send_json({"action": "configureSession", "token": TOKEN, "deploymentId": DEPLOYMENT, "tracingId": "c"})
    return socket, await socket.receive_json(timeout=30)


async def test_a_verified_guest_is_signed_in_at_genesys_and_each_leg_is_on_record(stack: Stack) -> None:
    session = await stack.session(visitor_token())
    socket, answer = await configured(stack, session)
    assert answer["class"] == "SessionResponse"
    (known,) = stack.mock.world.sessions.values()
    assert known.subject == session["guest"]["id"]
    assert known.claims["email"] == "ada@shop.example"
    found = [
        (r["gateway.token.kind"], r["gateway.token.client"])
        for r in await stack.records()
        if r["event.action"] == "token.minted" and r.get("gateway.token.kind") not in {"ticket", "genesys"}
    ]
    assert found[0] == ("code", "genesys")
    assert {kind for kind, _ in found[1:4]} == {"access", "id_token", "refresh"}
    assert found[4] == ("guest-jwt", "genesys-login")
    asked = [r.get("gateway.token.grant") for r in await stack.records() if r.get("gateway.token.kind") == "access"]
    assert asked == ["authorization_code"]
    called = [r["url.path"] for r in await stack.records() if r["event.action"] == "proxy.allowed"]
    assert called == ["/.well-known/openid-configuration", "/oauth/token", "/oauth/jwks.json"]
    await socket.close()


async def test_logging_out_ends_the_sign_in_at_genesys(stack: Stack) -> None:
    session = await stack.session(visitor_token())
    socket, _ = await configured(stack, session)
    (grant,) = stack.mock.world.grants.values()
    async with stack.call("DELETE", "/session", bearer=session["session_token"]) as answer:
        assert answer.status == 204
    await stack.gateway.logins.close()
    assert grant.revoked
    revoked = [r for r in await stack.records() if r["event.action"] == "token.revoked"]
    assert [(r["gateway.token.client"], r["event.reason"]) for r in revoked] == [("genesys-login", "logout")]
    await socket.close()


async def test_a_session_that_ends_here_cannot_be_refreshed_at_genesys(stack: Stack, clock: SharedClock) -> None:
    """The lever of a ban: Genesys asks us at each renewal."""
    session = await stack.session(visitor_token())
    socket, _ = await configured(stack, session)
    (grant,) = stack.mock.world.grants.values()
    await stack.gateway.guestbook.end_guest(session["guest"]["id"])
    url = f"{stack.mock.endpoints.api}/api/v2/webdeployments/token/refresh"
    async with stack.client.post(url, json={"refreshToken": grant.refresh_token}) as answer:
        assert answer.status == 401
    await socket.close()


async def test_signing_in_keeps_the_conversation_where_the_deployment_allows_it(stack: Stack) -> None:
    anonymous = await stack.session()
    socket, _ = await configured(stack, anonymous)
    await socket.send_json(
        {"action": "onMessage", "token": TOKEN, "tracingId": "m", "message": {"type": "Text", "text": "before"}}
    )
    await socket.receive_json(timeout=30)
    await stack.mock.settle()
    signed_in = await stack.session(visitor_token(), bearer=anonymous["session_token"])
    again, answer = await configured(stack, signed_in)
    assert answer["body"]["newSession"] is False
    (known,) = stack.mock.world.sessions.values()
    assert known.subject == signed_in["guest"]["id"]
    assert len(stack.mock.world.conversations) == 1
    await again.close()
    await socket.close()


async def test_signing_in_begins_another_session_where_the_deployment_has_no_step_up(tmp_path: Path) -> None:
    async with login_stack(tmp_path, {**LOGIN, "sites.shop.visitors.step_up": False}) as stack:
        stack.mock.world.deployments[DEPLOYMENT].allow_session_upgrade = False
        anonymous = await stack.session()
        signed_in = await stack.session(visitor_token(), bearer=anonymous["session_token"])
        assert signed_in["guest"]["id"] != anonymous["guest"]["id"]
        socket, answer = await configured(stack, signed_in)
        assert (answer["class"], answer["body"]["newSession"]) == ("SessionResponse", True)
        await socket.close()


async def test_after_logout_comes_a_new_anonymous_session_and_never_4017(stack: Stack) -> None:
    signed_in = await stack.session(visitor_token())
    socket, _ = await configured(stack, signed_in)
    async with stack.call("DELETE", "/session", bearer=signed_in["session_token"]):
        pass
    again, answer = await configured(stack, await stack.session())
    assert (answer["class"], answer["body"]["newSession"]) == ("SessionResponse", True)
    await again.close()
    await socket.close()


async def test_a_visitor_who_signed_in_before_sign_in_was_switched_off_is_no_downgrade(
    stack: Stack, tmp_path: Path
) -> None:
    """The token of a signed-in visitor is another one, so Genesys never sees it configured anonymously."""
    from tests.stack import compiled, mock_flags

    socket, _ = await configured(stack, await stack.session(visitor_token()))
    await socket.close()
    stack.gateway.apply(compiled({**mock_flags(stack.mock), "server.public_url": stack.url}))
    again, answer = await configured(stack, await stack.session(visitor_token()))
    assert answer["class"] == "SessionResponse"
    await again.close()


async def test_a_refused_exchange_is_on_record_with_what_genesys_said(stack: Stack) -> None:
    stack.mock.world.oidc.client_secret = "another secret than ours, of the other side"
    socket, answer = await configured(stack, await stack.session(visitor_token()))
    assert answer["code"] == 403
    assert answer["body"].startswith("frame.login_not_possible")
    refused = [
        (
            r["event.reason"],
            r.get("http.response.status_code"),
            r.get("gateway.token.client"),
        )
        for r in await stack.records()
        if r["event.action"] == "token.refused"
    ]
    assert ("oauth.invalid_client", 401, None) in refused
    assert ("genesys.exchange_refused", 401, "genesys-login") in refused
    asked = [r for r in await stack.records() if r.get("event.reason") == "oauth.invalid_client"]
    assert [r["gateway.token.grant"] for r in asked] == ["authorization_code"]
    await socket.close()


async def test_nothing_of_genesys_reaches_the_guest(stack: Stack) -> None:
    session = await stack.session(visitor_token())
    socket, answer = await configured(stack, session)
    (grant,) = stack.mock.world.grants.values()
    (known,) = stack.mock.world.sessions.values()
    seen = json.dumps([session, answer])
    assert grant.refresh_token is not None
    assert grant.refresh_token not in seen
    assert not any(token in seen for token in known.tokens)
    await socket.close()
