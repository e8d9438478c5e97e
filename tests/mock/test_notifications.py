"""What notification channels hear of conversations."""

import aiohttp

from gateway.mock import conversations
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, GuestMaker


async def test_a_subscribed_channel_hears_the_end_of_its_conversation_only(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, guest: GuestMaker
) -> None:
    headers, base = await bearer("powerless"), f"{mock.endpoints.api}/api/v2/notifications/channels"
    async with http.post(base, headers=headers) as answer:
        channel = await answer.json()
    one, two = await guest(), await guest()
    await one.say("a")
    await two.say("b")
    first, second = mock.world.conversations.values()
    topic = f"v2.detail.events.conversation.{second.id}.customer.end"
    async with http.put(f"{base}/{channel['id']}/subscriptions", json=[{"id": topic}], headers=headers):
        pass
    async with http.ws_connect(channel["connectUri"]) as socket:
        await socket.receive_json(timeout=30)
        await conversations.end(mock.world, first, "agent")
        await conversations.end(mock.world, second, "agent")
        event = await socket.receive_json(timeout=30)
    assert (event["topicName"], event["eventBody"]["conversationId"]) == (topic, second.id)
    await conversations.end(mock.world, second, "agent")
