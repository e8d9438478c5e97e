"""The scripted agent."""

import pytest

from gateway.mock import agent, conversations
from gateway.mock.agent import scripted
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import GuestMaker


async def test_the_agent_types_first_and_then_says_it_back(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.agent.enabled = True
    one = await guest()
    await one.say("hello")
    typing, reply = await one.receive(), await one.receive()
    assert typing["body"]["events"][0]["typing"] == {"type": "On", "duration": 5000}
    assert (reply["body"]["text"], reply["body"]["direction"]) == ("You said: hello", "Outbound")
    assert reply["body"]["originatingEntity"] == "Human"
    assert reply["body"]["channel"]["from"] == {"nickname": "Charles (mock agent)"}


async def test_without_the_typing_indicator_only_the_answer_comes(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.agent.enabled = True
    mock.world.deployments[DEFAULT_DEPLOYMENT].agent_typing = False
    one = await guest()
    await one.say("hello")
    assert (await one.receive())["body"]["text"] == "You said: hello"


async def test_bye_ends_the_conversation(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.agent.enabled = True
    one = await guest()
    await one.say("Bye")
    await mock.settle()
    (conversation,) = mock.world.conversations.values()
    assert conversation.ended_by == "agent"


async def test_an_agent_stays_silent_when_the_conversation_ended_while_it_typed(
    guest: GuestMaker, mock: RunningMock
) -> None:
    one = await guest()
    await one.say("hello")
    (conversation,) = mock.world.conversations.values()
    await conversations.end(mock.world, conversation, "client closer")
    await agent.reply(mock.world, conversation, "hello")
    assert "You said: hello" not in [line.get("text") for line in conversation.messages]


async def test_files_and_buttons_are_answered_too(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.agent.enabled = True
    one = await guest()
    response = {"type": "Button", "text": "Returns", "payload": "returns"}
    content = [{"contentType": "ButtonResponse", "buttonResponse": response}]
    await one.ask("onMessage", message={"type": "Structured", "content": content})
    await mock.settle()
    (conversation,) = mock.world.conversations.values()
    assert conversation.messages[-1]["text"] == "You said: Returns"


async def test_an_agent_that_is_switched_off_is_silent(guest: GuestMaker) -> None:
    one = await guest()
    await one.say("hello")
    assert (await one.ask("getJwt"))["class"] == "JwtResponse"
    assert one.pushed == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anything", "You said: anything"),
        ("who am i?", "You are not signed in at Genesys. I see: context.plan=gold."),
        ("options", "What is it about?"),
    ],
)
async def test_the_script_is_always_the_same(guest: GuestMaker, mock: RunningMock, text: str, said: str) -> None:
    one = await guest()
    await one.say("x", channel={"metadata": {"customAttributes": {"plan": "gold"}}})
    (conversation,) = mock.world.conversations.values()
    assert scripted(mock.world, conversation, text)["text"] == said
