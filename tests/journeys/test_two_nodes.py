"""Two gateways over one real Redis: sessions, codes and ends made on one count on the other, within a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from gateway.mock.server import MockSettings, running_mock
from tests.login_stack import PARTY_ID, PARTY_SECRET, REDIRECT, visitor_token
from tests.patience import within
from tests.stack import DEPLOYMENT, PAGE, Stack, basic, compiled, mock_flags, running_stack
from tests.store.conftest import RedisServer

TOKEN = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
async def nodes(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[tuple[Stack, Stack]]:
    """Two nodes with their own audit logs, sharing store, guest key and signing keys."""
    redis_server.flush()
    async with AsyncExitStack() as stack:
        mock = await stack.enter_async_context(running_mock(MockSettings.free_ports(agent_delay_s=0.0)))
        made = []
        for name in ("one", "two"):
            flags = {
                **mock_flags(mock), "store.url": redis_server.url, "audit.dir": f"audit-{name}", "store.timeout_s": 2.0,
                "server.public_url": "https://chat.shop.example",
            }  # fmt: skip
            made.append(await stack.enter_async_context(running_stack(compiled(flags), tmp_path, mock)))
        yield made[0], made[1]


async def test_a_session_of_one_node_is_known_on_the_other(nodes: tuple[Stack, Stack]) -> None:
    one, two = nodes
    session = await one.session(visitor_token())
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        assert answer.status == 200
    assert (await two.session(visitor_token()))["guest"]["id"] == session["guest"]["id"]


async def test_a_code_of_one_node_is_redeemed_on_the_other_and_once(nodes: tuple[Stack, Stack]) -> None:
    one, two = nodes
    async with one.call("POST", "/auth-code", json={"visitor_token": visitor_token()}) as answer:
        code = (await answer.json())["authCode"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    statuses = []
    for node in (two, one):
        async with node.client.post(
            f"{node.url}/oauth/token", data=form, headers=basic(PARTY_ID, PARTY_SECRET)
        ) as answer:
            statuses.append((answer.status, (await answer.json()).get("code")))
    assert statuses == [(200, None), (400, "oauth.code_replayed")]


async def test_ending_a_session_closes_its_socket_on_the_other_node_within_a_second(nodes: tuple[Stack, Stack]) -> None:
    one, two = nodes
    session = await one.session(visitor_token())
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        ticket = (await answer.json())["ticket"]
    url = f"{two.base}/v1?deploymentId={DEPLOYMENT}"
    async with two.client.ws_connect(url, origin=PAGE, protocols=("gateway.v1", f"ticket.{ticket}")) as socket:
        async with one.call("DELETE", "/session", bearer=session["session_token"]) as answer:
            assert answer.status == 204
        async with within(1):
            told = await socket.receive()
        assert (told.type, told.data) == (aiohttp.WSMsgType.CLOSE, 1008)
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "session.invalid")


async def test_a_ticket_that_comes_twice_closes_the_socket_that_it_opened_on_the_other_node(
    nodes: tuple[Stack, Stack],
) -> None:
    one, two = nodes
    session = await one.session(visitor_token())
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        offer = ("gateway.v1", f"ticket.{(await answer.json())['ticket']}")
    path = f"/v1?deploymentId={DEPLOYMENT}"
    async with two.client.ws_connect(two.base + path, origin=PAGE, protocols=offer) as socket:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await one.client.ws_connect(one.base + path, origin=PAGE, protocols=offer)
        assert refused.value.status == 403
        async with within(1):
            told = await socket.receive()
        assert (told.type, told.data, told.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "ticket.invalid")
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        assert answer.status == 200  # the session itself goes on


async def test_ending_a_guest_on_one_node_ends_it_on_the_other_within_a_second(nodes: tuple[Stack, Stack]) -> None:
    one, two = nodes
    session = await two.session(visitor_token())
    ended = asyncio.Event()
    two.gateway.guestbook.on_end(lambda end: ended.set())
    await one.gateway.guestbook.end_guest(session["guest"]["id"])
    async with within(1):
        await ended.wait()
    async with two.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        assert (await answer.json())["code"] == "session.invalid"


async def test_a_store_that_is_gone_lets_nobody_new_in_and_says_so(
    nodes: tuple[Stack, Stack], redis_server: RedisServer
) -> None:
    one, _ = nodes
    redis_server.stop()
    try:
        async with one.call("POST", "/session", json={}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "store.unavailable")
        async with one.client.get(f"{one.admin_url}/readyz?verbose") as answer:
            assert answer.status == 503
            assert "[-] store" in await answer.text()
    finally:
        redis_server.start()
