"""What guests send: text, structured answers, events, attributes and their limits."""

from typing import Any

import pytest

from gateway.mock.limits import Rate
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import GuestMaker


def attributes(**values: str) -> dict[str, Any]:
    return {"metadata": {"customAttributes": values}}


async def test_the_guest_gets_its_own_message_back_on_all_connections(guest: GuestMaker) -> None:
    one = await guest()
    two = await guest(one.token)
    own = await one.say("hello", metadata={"id": "m-1"})
    assert (own["type"], own["class"]) == ("message", "StructuredMessage")
    assert (own["body"]["direction"], own["body"]["text"], own["body"]["metadata"]["id"]) == ("Inbound", "hello", "m-1")
    assert len(own["body"]["id"]) == 32
    other = await two.receive()
    assert other["body"]["id"] == own["body"]["id"]
    assert "tracingId" not in other


async def test_the_first_message_opens_the_conversation_with_its_attributes(
    guest: GuestMaker, mock: RunningMock
) -> None:
    one = await guest()
    assert not mock.world.conversations
    await one.say("hello", channel=attributes(plan="gold"))
    await one.ask("onMessage", message={"type": "Text", "text": "x"}, channel=attributes(lang="en"))
    (conversation,) = mock.world.conversations.values()
    assert conversation.custom_attributes == {"plan": "gold", "lang": "en"}
    assert conversation.attribute_conflicts == []


async def test_disagreeing_slots_are_noted_for_tests_to_find(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    message = {"type": "Text", "text": "x", "channel": attributes(role="admin")}
    await one.ask("onMessage", message=message, channel=attributes(role="guest"))
    (conversation,) = mock.world.conversations.values()
    assert conversation.attribute_conflicts == ["role"]


@pytest.mark.parametrize(
    ("size", "code"), [(2048 - 1, 200), (2048, 4013)], ids=["at the limit with the key", "one byte over"]
)
async def test_attributes_are_limited_in_bytes(guest: GuestMaker, size: int, code: int) -> None:
    one = await guest()
    assert (await one.say("x", channel=attributes(k="v" * size)))["code"] == code


@pytest.mark.parametrize(("text", "code"), [("é" * 2048, 200), ("é" * 2048 + "x", 4011)])
async def test_text_is_limited_in_bytes(guest: GuestMaker, text: str, code: int) -> None:
    one = await guest()
    assert (await one.say(text))["code"] == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, 4020),
        ({"type": "Text"}, 4020),
        ({"type": "Text", "text": 5}, 400),
        ({"type": "Receipt"}, 400),
        ({"type": "Text", "text": "x", "content": "y"}, 400),
        ({"type": "Text", "text": "x", "content": [{"contentType": "Card"}]}, 400),
        ({"type": "Structured", "content": [{"contentType": "ButtonResponse"}]}, 4020),
        ({"content": [{"contentType": "Attachment", "attachment": {}}]}, 4020),
        ({"content": [{"contentType": "Attachment", "attachment": {"id": "unknown"}}]}, 4009),
        ({"type": []}, 400),
        ({"type": "Text", "text": "x", "metadata": {"a": 1}}, 400),
        ({"type": "Text", "text": "x", "metadata": "y"}, 400),
        ({"type": "Structured", "content": [{"contentType": {}}]}, 400),
        ({"type": "Event", "events": [{"eventType": [], "presence": []}]}, 400),
        ({"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": {}}}]}, 400),
        ({"type": "Event"}, 4020),
        ({"type": "Event", "events": [{"eventType": "Reactions"}]}, 400),
    ],
)
async def test_malformed_messages_are_refused(guest: GuestMaker, message: dict[str, Any], code: int) -> None:
    one = await guest()
    frame = await one.ask("onMessage", message=message)
    assert (frame["class"], frame["code"]) == ("string", code)


async def test_a_button_answer_is_a_structured_message(guest: GuestMaker) -> None:
    one = await guest()
    response = {"type": "QuickReply", "text": "Returns", "payload": "returns"}
    content = [{"contentType": "ButtonResponse", "buttonResponse": response}]
    frame = await one.ask("onMessage", message={"type": "Structured", "content": content})
    assert (frame["body"]["type"], frame["body"]["content"]) == ("Structured", content)
    response["text"] = "x" * 4097
    assert (await one.ask("onMessage", message={"type": "Structured", "content": content}))["code"] == 4011


async def test_a_sixth_message_in_a_second_is_too_many(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    for number in range(5):
        assert (await one.say(str(number)))["code"] == 200
    frame = await one.say("6")
    assert (frame["class"], frame["body"]["errorCode"]) == ("TooManyRequestsErrorMessage", 4029)
    mock.world.clock.advance(1)
    assert (await one.say("7"))["code"] == 200


async def test_the_rate_counts_per_session_not_per_connection(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.rates["messages_per_session"] = Rate(1, 1)
    one = await guest()
    two = await guest(one.token)
    await one.say("a")
    assert (await two.say("b"))["code"] == 429


async def test_join_opens_a_conversation_only_where_automatic_start_is_on(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    assert (await one.presence("Join"))["code"] == 200
    assert len(mock.world.conversations) == 1
    mock.world.deployments[DEFAULT_DEPLOYMENT].auto_start = False
    assert (await one.presence("Join"))["code"] == 403


async def test_clear_ends_the_conversation_and_forgets_the_session(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("hello")
    assert (await one.presence("Clear"))["body"]["events"][0]["presence"]["type"] == "Clear"
    assert (await one.receive())["class"] == "SessionClearedEvent"
    (conversation,) = mock.world.conversations.values()
    assert conversation.ended_by == "guest"
    assert (await one.configure())["body"]["newSession"] is True


async def test_clear_must_be_enabled(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].conversation_clear = False
    one = await guest()
    assert (await one.presence("Clear"))["code"] == 403
    assert (await one.presence("Disconnect"))["code"] == 400


async def test_typing_leaves_no_trace_and_must_be_enabled(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    typing = {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}
    assert (await one.ask("onMessage", message=typing))["code"] == 200
    assert not mock.world.conversations
    mock.world.deployments[DEFAULT_DEPLOYMENT].user_typing = False
    assert (await one.ask("onMessage", message=typing))["code"] == 403


async def test_anonymous_guests_cannot_send_where_authentication_is_required(
    guest: GuestMaker, mock: RunningMock
) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].allow_session_upgrade = False
    one = await guest()
    frame = await one.say("hello")
    assert frame["code"] == 403
    assert "Try to authenticate again" in frame["body"]
