"""Every credential that went to Genesys has its receipt: a reference by which a leaked token is found again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.app.observers import OWN_ROUTE
from gateway.cli.audit import audit_group
from tests.journeys.guest_client import connected
from tests.stack import BACKEND_ID, BACKEND_KEY, DEPLOYMENT, PAGE, Stack, basic, whole_stack
from tests.telemetry.drive import WAIT, ask, visitor_token


def used(found: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    """The records of an action that hold a receipt, without those of calls that the gateway makes for itself."""
    return [
        one
        for one in found
        if one["event.action"] == action and "gateway.ref.token" in one and one.get("gateway.route") != OWN_ROUTE
    ]


async def test_a_call_tells_which_token_was_injected(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        assert await ask(stack, "GET", WAIT, bearer=BACKEND_KEY, origin=None) == 200
        (token,) = reader(stack)
        (record,) = used(await stack.records(), "proxy.allowed")
        assert record["gateway.ref.token"] == stack.gateway.audit.ref("token", token)
        minted = {one["gateway.ref.token"] for one in used(await stack.records(), "token.minted")}
        assert record["gateway.ref.token"] in minted


async def test_what_the_gateway_asks_for_itself_is_on_record_too(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        await stack.records()
        own = [one for one in stack.gateway.audit.tail(500) if one.get("gateway.route") == OWN_ROUTE]
        assert {one["url.path"] for one in own} == {"/api/v2/tokens/me"}
        assert {one["gateway.ref.token"] for one in own} == {
            stack.gateway.audit.ref("token", token) for token in stack.mock.world.access_tokens
        }


def reader(stack: Stack) -> list[str]:
    """The tokens that the mock gave to the client of the route."""
    client = stack.gateway.compiled.orgs["acme"].clients["reader"].id
    return [token for token, kept in stack.mock.world.access_tokens.items() if kept.client_id == client]


async def test_a_token_that_genesys_refused_has_its_own_receipt(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        before = reader(stack)
        stack.mock.world.faults.add("api", "expired_token", match="*estimatedwaittime", count=1)
        assert await ask(stack, "GET", WAIT, bearer=BACKEND_KEY, origin=None) == 200
        found = await stack.records()
        (refused,) = used(found, "proxy.upstream_error")
        (carried,) = used(found, "proxy.allowed")
        assert (refused["error.type"], refused["http.response.status_code"]) == ("token.rejected", 401)
        assert refused["http.request.id"] == carried["http.request.id"]
        references = {stack.gateway.audit.ref("token", token) for token in {*before, *reader(stack)}}
        assert {refused["gateway.ref.token"], carried["gateway.ref.token"]} == references


async def test_a_call_that_fails_on_its_way_tells_what_it_carried(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        stack.mock.world.faults.add("api", "reset", match="*estimatedwaittime", count=4)
        assert await ask(stack, "GET", WAIT, bearer=BACKEND_KEY, origin=None) == 502
        (record,) = used(await stack.records(), "proxy.upstream_error")
        assert record["gateway.ref.token"] == stack.gateway.audit.ref("token", reader(stack)[0])


async def test_a_socket_tells_which_guest_token_it_carries(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        session = await stack.session(visitor_token())
        async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
            ticket = (await answer.json())["ticket"]
        offered = ("gateway.v1", f"ticket.{ticket}")
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE, protocols=offered) as guest:
            await guest.configure()
        (token,) = stack.mock.world.session_by_token
        (record,) = used(await stack.records(), "ws.opened")
        assert record["gateway.ref.token"] == stack.gateway.audit.ref("token", token)


async def test_a_socket_without_ticket_tells_at_its_end_which_guest_token_it_carried(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
            await guest.configure()
            assert guest.token not in stack.mock.world.session_by_token
        async with asyncio.timeout(30):
            while stack.gateway.metrics.websocket_connections.child().value:
                await asyncio.sleep(0.01)
        (token,) = stack.mock.world.session_by_token
        (record,) = used(await stack.records(), "ws.closed")
        assert record["gateway.ref.token"] == stack.gateway.audit.ref("token", token)


async def test_a_guests_own_jwt_has_its_receipt(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
            await guest.configure()
            await guest.history(stack.client, stack.base, PAGE)
        assert len(used(await stack.records(), "proxy.allowed")) == 1


@pytest.mark.parametrize(("kept", "start"), [("clear", ""), ("hmac", "h:")])
async def test_conversations_are_named_as_the_configuration_says(tmp_path: Path, kept: str, start: str) -> None:
    async with whole_stack(tmp_path, {"audit.conversation_id": kept}) as stack:
        named = stack.gateway.audit.conversation("c0000000-0000-4000-8000-000000000001")
        assert named.startswith(start or "c0000000-")


def leaked(directory: Path, word: str) -> list[tuple[str, str]]:
    """What `gateway audit hash` says of a word: action and request id of each record."""
    words = ["hash", "--dir", str(directory / ".gateway" / "audit"), "-o", "json"]
    result = CliRunner().invoke(audit_group, words, input=f"{word}\n", standalone_mode=False)
    assert result.exception is None, result.exception
    document = json.loads(result.stdout)
    assert document["ours"] is bool(document["records"])
    return [(one["event.action"], one.get("http.request.id")) for one in document["records"]]


async def test_everything_that_the_gateway_gives_out_leads_to_what_was_done_with_it(tmp_path: Path) -> None:
    """Was this leaked word ours, and what did it do? For handle, renewed handle, ticket, backend's handle, token."""
    async with whole_stack(tmp_path) as stack:
        session = await stack.session(visitor_token())
        renewed = await stack.session(bearer=session["session_token"])
        async with stack.call("POST", "/ticket", bearer=renewed["session_token"], json={}) as answer:
            ticket = (await answer.json())["ticket"]
        async with stack.call("GET", "/api/v2/users/me", bearer=renewed["session_token"]) as answer:
            refused = answer.headers["X-Request-Id"]
        form = {"grant_type": "client_credentials"}
        async with stack.client.post(
            f"{stack.url}/oauth/token", headers=basic(BACKEND_ID, BACKEND_KEY), data=form
        ) as got:
            handle = (await got.json())["access_token"]
        async with stack.call("GET", WAIT, bearer=handle, origin=None) as answer:
            carried = answer.headers["X-Request-Id"]
        (token,) = reader(stack)
        await stack.records()
    for word in (session["session_token"], renewed["session_token"], ticket):
        found = leaked(tmp_path, word)
        assert [action for action, _ in found] == ["session.issued", "session.issued", "token.minted", "proxy.denied"]
        assert found[-1] == ("proxy.denied", refused)
    assert ("proxy.allowed", carried) in leaked(tmp_path, handle)
    assert ("proxy.denied", refused) not in leaked(tmp_path, handle)
    assert ("proxy.allowed", carried) in leaked(tmp_path, token)
    assert leaked(tmp_path, "gws_" + "A" * 43) == []
