"""Finding out whose a conversation is: asked once, remembered, and never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.errors import (
    TOKEN_UNAVAILABLE,
    UPSTREAM_BAD_ANSWER,
    UPSTREAM_BUSY,
    UPSTREAM_UNREACHABLE,
    Reason,
    Refusal,
)
from gateway.mock.default_world import default_world
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.policy.ownership import NOBODYS, ConversationOwner
from gateway.upstream.bearer import Bearer, ClientCredentials
from gateway.upstream.http import HttpLeg
from gateway.upstream.login import LoginDesk
from gateway.upstream.ownership import FORGET_S, KEEP_S, ConversationOwners, OwnerQuestion
from gateway.upstream.tokens import TokenBroker
from tests.conversations import put_conversation

READER = "c0ffee00-0000-4000-8000-000000000001"


@dataclass
class Room:
    """A mock, and owners that ask it."""

    mock: RunningMock
    owners: ConversationOwners
    now: float = 1_000.0
    client: str | None = "reader"

    def questions(self) -> int:
        return sum(1 for entry in self.mock.world.recorder.entries if entry.path.startswith("/api/v2/conversations/"))


def question(conversation: str) -> OwnerQuestion:
    return OwnerQuestion("acme", conversation, "shop", by_guest=True)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with running_mock(MockSettings.free_ports(), default_world()) as mock:
        login, api = HttpLeg(mock.endpoints.login), HttpLeg(mock.endpoints.api)
        reader = ClientCredentials("acme", "r", mock.endpoints.login, "reader", READER, "mock-secret-reader")
        desk = LoginDesk(login)
        broker = TokenBroker([reader], lambda _: desk)
        world: list[Room] = []

        async def asked(question: OwnerQuestion, client: str, deadline: float) -> Bearer:
            return await broker.bearer(question.org, client, deadline)

        owners = ConversationOwners(
            lambda org: api, asked, lambda org: world[0].client, lambda: world[0].now, rejected=broker.reject
        )
        world.append(Room(mock, owners))
        yield world[0]
        await owners.close()
        await broker.close()
        await login.close()
        await api.close()


async def test_the_owner_is_asked_for_once_and_then_known(room: Room) -> None:
    conversation = put_conversation(room.mock.world, "shop", "g1")
    assert room.owners.owner("acme", conversation.id) is None
    await asyncio.gather(*(room.owners.find_out(question(conversation.id)) for _ in range(50)))
    assert room.owners.owner("acme", conversation.id.upper()) == ConversationOwner("shop", "g1")
    assert room.questions() == 1
    assert room.owners.owner("other", conversation.id) is None
    room.now += KEEP_S
    assert room.owners.owner("acme", conversation.id) is None


async def test_a_conversation_without_marks_and_one_that_is_not_there_are_nobodys_for_a_moment(room: Room) -> None:
    unmarked = put_conversation(room.mock.world, None).id
    for name in (unmarked, "0b5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"):
        await room.owners.find_out(question(name))
        assert room.owners.owner("acme", name) is NOBODYS
        room.now += FORGET_S
        assert room.owners.owner("acme", name) is None


async def test_without_an_ownership_client_nothing_is_asked(room: Room) -> None:
    room.client = None
    await room.owners.find_out(question(put_conversation(room.mock.world).id))
    assert room.questions() == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("503", UPSTREAM_BUSY), ("429", UPSTREAM_BUSY), ("garbage", UPSTREAM_BAD_ANSWER), ("reset", UPSTREAM_UNREACHABLE)],
)
async def test_an_answer_that_is_no_conversation_is_never_taken_for_a_no(
    room: Room, fault: str, reason: Reason
) -> None:
    conversation = put_conversation(room.mock.world, "shop", "g1")
    room.mock.world.faults.add("api", fault, match="GET /api/v2/conversations/*", count=2)
    with pytest.raises(Refusal) as caught:
        await room.owners.find_out(question(conversation.id))
    assert caught.value.reason is reason
    assert room.owners.owner("acme", conversation.id) is None


async def test_a_list_in_place_of_a_conversation_is_a_bad_answer(room: Room) -> None:
    room.mock.world.faults.add("api", "status", match="GET /api/v2/conversations/*", status=302)
    with pytest.raises(Refusal) as caught:
        await room.owners.find_out(question(put_conversation(room.mock.world).id))
    assert caught.value.reason is UPSTREAM_BAD_ANSWER


async def test_a_token_that_died_before_its_time_is_replaced_and_the_question_asked_again(room: Room) -> None:
    first, second = put_conversation(room.mock.world), put_conversation(room.mock.world)
    await room.owners.find_out(question(first.id))
    room.mock.world.access_tokens.clear()
    await room.owners.find_out(question(second.id))
    assert room.owners.owner("acme", second.id) == ConversationOwner("shop")
    assert room.questions() == 3


async def test_a_token_that_genesys_never_takes_is_a_503_and_no_answer_about_the_owner(room: Room) -> None:
    conversation = put_conversation(room.mock.world)
    room.mock.world.faults.add("api", "expired_token", count=None)
    with pytest.raises(Refusal) as caught:
        await room.owners.find_out(question(conversation.id))
    assert (caught.value.reason, caught.value.retry_after_s) == (TOKEN_UNAVAILABLE, 5)
    assert room.owners.owner("acme", conversation.id) is None
    assert room.questions() == 2
