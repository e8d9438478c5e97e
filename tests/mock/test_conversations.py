"""Conversations: their end by either side, and what guests are told."""

import pytest

from gateway.mock import conversations
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import GuestMaker


async def test_after_an_end_with_send_the_guest_may_open_a_new_conversation(
    guest: GuestMaker, mock: RunningMock
) -> None:
    one = await guest()
    await one.say("first")
    (first,) = mock.world.conversations.values()
    assert await conversations.end(mock.world, first, "agent")
    frame = await one.receive()
    assert frame["body"]["events"][0]["presence"]["type"] == "Disconnect"
    assert frame["body"]["metadata"]["readOnly"] == "false"
    assert (await one.say("second"))["code"] == 200
    assert len(mock.world.conversations) == 2
    assert len({one.session_id for one in mock.world.conversations.values()}) == 1


async def test_after_an_end_with_readonly_sending_is_409_until_a_new_start(
    guest: GuestMaker, mock: RunningMock
) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].conversation_disconnect = "ReadOnly"
    one = await guest()
    await one.say("first")
    (first,) = mock.world.conversations.values()
    await conversations.end(mock.world, first, "agent")
    assert (await one.receive())["body"]["metadata"]["readOnly"] == "true"
    assert (await one.say("second"))["code"] == 409
    assert (await one.presence("Join"))["code"] == 409
    assert (await one.configure())["body"]["readOnly"] is True
    assert (await one.configure(startNew=True))["body"]["readOnly"] is False


async def test_guests_are_not_told_where_the_deployment_does_not(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].conversation_disconnect = None
    one = await guest()
    await one.say("first")
    (first,) = mock.world.conversations.values()
    await conversations.end(mock.world, first, "agent")
    assert (await one.ask("getJwt"))["class"] == "JwtResponse"
    assert one.pushed == []


async def test_one_end_writes_one_disconnect_into_the_transcript(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("first")
    assert (await one.presence("Join"))["code"] == 200
    (first,) = mock.world.conversations.values()
    await conversations.end(mock.world, first, "agent")
    kinds = [line["events"][0]["presence"]["type"] for line in first.messages if line.get("events")]
    assert kinds == ["Join", "Disconnect"]


async def test_a_conversation_ends_once(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("first")
    (first,) = mock.world.conversations.values()
    assert await conversations.end(mock.world, first, "agent") is True
    assert await conversations.end(mock.world, first, "client closer") is False
    assert first.ended_by == "agent"


async def test_agents_cannot_speak_after_the_end_nor_beyond_4000_characters(
    guest: GuestMaker, mock: RunningMock
) -> None:
    one = await guest()
    await one.say("first")
    (first,) = mock.world.conversations.values()
    with pytest.raises(conversations.TextTooLong):
        await conversations.agent_says(mock.world, first, {"type": "Text", "text": "x" * 4001})
    await conversations.end(mock.world, first, "agent")
    with pytest.raises(conversations.ConversationOver):
        await conversations.agent_says(mock.world, first, {"type": "Text", "text": "x"})


async def test_participant_data_prefixes_the_guests_attributes(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("x", channel={"metadata": {"customAttributes": {"plan": "gold"}}})
    (first,) = mock.world.conversations.values()
    first.participant_attributes[first.customer_id] = {"crm": "7"}
    assert conversations.participant_data(first) == {"context.plan": "gold", "crm": "7"}
