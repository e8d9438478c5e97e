"""Notification channels: who listens to which topic, and the events that conversations send there.

Only the topics below are ever published; a subscription to another one stays silent, as for a quiet organisation.
"""

from __future__ import annotations

from aiohttp import ClientConnectionResetError, web

from gateway.mock.clock import iso_time
from gateway.mock.guest_model import Conversation
from gateway.mock.model import Json
from gateway.mock.world import World

CUSTOMER_END = "v2.detail.events.conversation.{id}.customer.end"


async def conversation_ended(world: World, conversation: Conversation) -> None:
    """Tell every channel that subscribed to the end of this conversation."""
    body = {
        "conversationId": conversation.id,
        "participantId": conversation.customer_id,
        "mediaType": "MESSAGE",
        "eventTime": iso_time(world.now()),
        "disconnectType": "CLIENT" if conversation.ended_by == "guest" else "PEER",
    }
    await _publish(world, CUSTOMER_END.format(id=conversation.id), body)


async def _publish(world: World, topic: str, body: Json) -> None:
    for channel in world.channels.values():
        if topic not in channel.topics:
            continue
        for socket in list(channel.sockets):
            await _send(socket, {"topicName": topic, "version": "2", "eventBody": body, "metadata": {}})


async def _send(socket: web.WebSocketResponse, event: Json) -> None:
    if socket.closed:
        return
    try:
        await socket.send_json(event)
    except (ClientConnectionResetError, ConnectionResetError):
        return  # the listener has gone; its handler takes it out of the channel
