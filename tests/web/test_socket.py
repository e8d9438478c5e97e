"""The guest socket's way in: refusals as HTTP statuses before the 101, tickets once, records at both ends."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.stack import DEPLOYMENT, PAGE, Stack, whole_stack

TOKEN = str(uuid.UUID(int=7))
CONFIGURE = {"action": "configureSession", "deploymentId": DEPLOYMENT, "token": TOKEN}


async def ticket(stack: Stack) -> str:
    session = await stack.session()
    async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
        found: str = (await answer.json())["ticket"]
        return found


async def refused(
    stack: Stack, query: str, *, origin: str | None = PAGE, protocols: tuple[str, ...] = ()
) -> tuple[int, str]:
    """The status and code that the upgrade was refused with."""
    headers = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    if protocols:
        headers["Sec-WebSocket-Protocol"] = ", ".join(protocols)
    async with stack.call("GET", f"/v1{query}", origin=origin, headers=headers) as answer:
        body = await answer.json(content_type=None)
        assert answer.headers["Vary"] == "Origin"
        return answer.status, body["code"]


async def test_a_ticket_opens_one_socket_and_the_sub_protocol_is_confirmed(stack: Stack) -> None:
    offered = ("gateway.v1", f"ticket.{await ticket(stack)}")
    url = f"{stack.base}/v1?deploymentId={DEPLOYMENT}"
    async with stack.client.ws_connect(url, protocols=offered, headers={"Origin": PAGE}) as socket:
        assert socket.protocol == "gateway.v1"
        await socket.send_json(CONFIGURE)
        answer = await socket.receive_json(timeout=30)
        assert answer["class"] == "SessionResponse"
    assert await refused(stack, f"?deploymentId={DEPLOYMENT}", protocols=offered) == (403, "ticket.invalid")


async def test_the_socket_is_on_record_at_both_ends(stack: Stack) -> None:
    url = f"{stack.url}/v1?deploymentId={DEPLOYMENT}"
    async with stack.client.ws_connect(url, headers={"Origin": PAGE}) as socket:
        await socket.send_json(CONFIGURE)
        await socket.receive_json(timeout=30)
        assert stack.gateway.metrics.websocket_connections.child().value == 1
    async with asyncio.timeout(30):
        while "ws.closed" not in await stack.actions():
            await asyncio.sleep(0)
    found = {r["event.action"]: r for r in await stack.records()}
    assert found["ws.opened"]["http.request.id"] == found["ws.closed"]["http.request.id"]
    assert found["ws.closed"]["gateway.ws.initiator"] == "client"
    assert found["ws.closed"]["gateway.ws.messages"] >= 2
    assert stack.gateway.metrics.websocket_connections.child().value == 0


@pytest.mark.parametrize(
    ("query", "origin", "protocols", "expected"),
    [
        (f"?deploymentId={DEPLOYMENT}", None, (), (403, "origin.missing")),
        (f"?deploymentId={DEPLOYMENT}", "https://evil.example", (), (403, "origin.not_allowed")),
        (f"?deploymentId={DEPLOYMENT}", "webmessaging.mypurecloud.ie", (), (403, "origin.malformed")),
        ("", PAGE, (), (403, "socket.wrong_deployment")),
        ("?deploymentId=00000000-0000-4000-8000-000000000000", PAGE, (), (403, "socket.wrong_deployment")),
        (f"?deploymentId={DEPLOYMENT}", PAGE, ("gateway.v1", "ticket.gwt_" + "A" * 43), (403, "ticket.invalid")),
        (f"?deploymentId={DEPLOYMENT}", PAGE, ("ticket.gws_" + "A" * 43,), (401, "handle.wrong_kind")),
    ],
)
async def test_a_socket_without_leave_is_refused_before_the_101(
    stack: Stack, query: str, origin: str | None, protocols: tuple[str, ...], expected: tuple[int, str]
) -> None:
    assert await refused(stack, query, origin=origin, protocols=protocols) == expected
    assert stack.gateway.metrics.refusals.child(expected[1]).value == 1


async def test_a_site_without_anonymous_sockets_wants_a_ticket(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"sites.shop.visitors.anonymous_socket": False}) as stack:
        assert await refused(stack, f"?deploymentId={DEPLOYMENT}") == (403, "ticket.missing")


async def test_a_foreign_page_does_not_spend_a_ticket(stack: Stack) -> None:
    offered = ("gateway.v1", f"ticket.{await ticket(stack)}")
    query = f"?deploymentId={DEPLOYMENT}"
    assert (await refused(stack, query, origin="https://evil.example", protocols=offered))[1] == "origin.not_allowed"
    url = f"{stack.base}/v1{query}"
    async with stack.client.ws_connect(url, protocols=offered, headers={"Origin": PAGE}) as socket:
        assert not socket.closed


async def test_a_ticket_that_waited_too_long_is_expired(tmp_path: Path) -> None:
    now = [1_763_600_000.0]
    async with whole_stack(tmp_path, clock=lambda: now[0]) as stack:
        offered = (f"ticket.{await ticket(stack)}",)
        now[0] += 31.0
        assert await refused(stack, f"?deploymentId={DEPLOYMENT}", protocols=offered) == (403, "ticket.expired")


async def test_a_plain_request_is_told_to_upgrade(stack: Stack) -> None:
    async with stack.call("GET", f"/v1?deploymentId={DEPLOYMENT}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (426, "socket.upgrade_required")


async def test_genesys_refusal_of_the_origin_is_a_403(tmp_path: Path) -> None:
    flags = {"sites.shop.upstream_origin": "https://not-allowed-at-genesys.example"}
    async with whole_stack(tmp_path, flags) as stack:
        found = await refused(stack, f"?deploymentId={DEPLOYMENT}")
        assert found == (403, "upstream.socket_refused")
        assert stack.gateway.metrics.websocket_upgrades.child("upstream_refused").value == 1


FRAMES: list[tuple[Any, str]] = [
    ("{not json", "frame.malformed"),
    (json.dumps({"action": "dropTables", "token": TOKEN}), "frame.action_not_allowed"),
    (json.dumps(CONFIGURE), "frame.already_configured"),
    (json.dumps({"action": "getJwt", "token": str(uuid.UUID(int=8))}), "frame.token_changed"),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "code"), FRAMES)
async def test_a_frame_that_may_not_pass_is_answered_counted_and_recorded(stack: Stack, frame: str, code: str) -> None:
    url = f"{stack.url}/v1?deploymentId={DEPLOYMENT}"
    async with stack.client.ws_connect(url, headers={"Origin": PAGE}) as socket:
        await socket.send_json(CONFIGURE)
        await socket.receive_json(timeout=30)
        await socket.send_str(frame)
        answer = await socket.receive(timeout=30)
        assert answer.type is aiohttp.WSMsgType.TEXT
        assert code in answer.data
    assert stack.gateway.metrics.refusals.child(code).value == 1
    assert any(r.get("event.reason") == code for r in await stack.records())
