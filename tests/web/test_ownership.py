"""Whose conversation it is, at the running gateway: guests and backends reach their own, strangers learn nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.web.proxy import OWNER_QUESTIONS_PER_MIN
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, Stack, whole_stack
from tests.threads.people import signed_in_guest

FLAGS: dict[str, object] = {"routes.1.callers": ["guest", "backend"]}
UNKNOWN = "0b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A gateway whose guests, too, may read conversations: their own."""
    async with whole_stack(tmp_path, FLAGS) as running:
        yield running


async def read(stack: Stack, conversation: str, bearer: str) -> tuple[int, dict[str, object]]:
    async with stack.call("GET", f"/api/v2/conversations/{conversation}", bearer=bearer) as answer:
        return answer.status, await answer.json()


async def test_a_guest_reads_its_own_conversation_and_no_other(stack: Stack) -> None:
    session = await stack.session()
    world = stack.mock.world
    mine = put_conversation(world, "shop", session["guest"]["id"])
    others = [put_conversation(world, "shop", "somebody"), put_conversation(world, "club", session["guest"]["id"])]
    assert (await read(stack, mine.id, session["session_token"]))[1]["id"] == mine.id
    answers = [await read(stack, one, session["session_token"]) for one in (*(o.id for o in others), UNKNOWN)]
    for status, body in answers:
        body.pop("request_id")
        assert (status, body) == (404, answers[0][1])
    assert answers[0][1]["code"] == "route.not_owner"


async def test_a_conversation_that_a_guest_began_on_its_socket_is_its_own(stack: Stack) -> None:
    """The marks come from the gateway, on the guest's first message; what the page claims to be is not kept."""
    session, other = await stack.session(), await stack.session()
    claimed = {"gateway.guest": other["guest"]["id"], "context.gateway.guest": other["guest"]["id"]}
    async with signed_in_guest(stack, session["session_token"]) as guest:
        await guest.send(
            "onMessage",
            message={"type": "Text", "text": "mine", "channel": {"metadata": {"customAttributes": claimed}}},
        )
        async with asyncio.timeout(30):
            while not stack.mock.world.conversations:
                await guest.receive()
    (conversation,) = stack.mock.world.conversations.values()
    assert (await read(stack, conversation.id, session["session_token"]))[0] == 200
    assert (await read(stack, conversation.id, other["session_token"]))[0] == 404
    assert (await read(stack, conversation.id, BACKEND_KEY))[0] == 200


async def test_a_backend_reaches_the_conversations_of_its_sites_only(stack: Stack) -> None:
    world = stack.mock.world
    ours, theirs = put_conversation(world, "shop"), put_conversation(world, "club")
    unmarked = put_conversation(world, None)
    assert (await read(stack, ours.id, BACKEND_KEY))[0] == 200
    for other in (theirs, unmarked):
        status, body = await read(stack, other.id, BACKEND_KEY)
        assert (status, body["code"]) == (404, "route.not_owner")
        async with stack.call("DELETE", f"/api/v2/conversations/{other.id}", bearer=BACKEND_KEY) as answer:
            assert answer.status == 404
        assert other.active
    async with stack.call("DELETE", f"/api/v2/conversations/{ours.id}", bearer=BACKEND_KEY) as answer:
        assert answer.status == 204
    assert not ours.active


async def test_a_guest_that_guesses_is_stopped_before_it_costs_much(stack: Stack) -> None:
    session = await stack.session()
    statuses = [
        (await read(stack, f"{n:08d}-0d7b-4a57-9b40-2f1f4f6a7c10", session["session_token"]))[0]
        for n in range(OWNER_QUESTIONS_PER_MIN * 2)
    ]
    assert set(statuses) == {404, 429}
    asked = [e for e in stack.mock.world.recorder.entries if e.path.startswith("/api/v2/conversations/")]
    assert len(asked) <= OWNER_QUESTIONS_PER_MIN + 1


async def test_genesys_being_down_is_no_refusal_of_ownership(stack: Stack) -> None:
    stack.mock.world.faults.add("api", "503", count=5)
    status, body = await read(stack, put_conversation(stack.mock.world).id, BACKEND_KEY)
    assert (status, body["code"]) == (503, "upstream.busy")
