"""Conversations: how they begin, what is said in them, how they end, and who of the guest's connections is told.

Both sides come through here: the guest socket, the agent's answers, the Platform API and the control port.
"""

from __future__ import annotations

from uuid import uuid4

from gateway.mock import notifications
from gateway.mock.clock import iso_time
from gateway.mock.guest_frames import answer
from gateway.mock.guest_model import Connection, Conversation, GuestSession
from gateway.mock.model import HOME_DIVISION, Json
from gateway.mock.world import World


class ConversationOver(Exception):
    """The conversation has ended; nothing can be said in it any more."""


class TextTooLong(ValueError):
    """An agent's text is over the platform's limit of characters."""


def begin(world: World, session: GuestSession) -> Conversation:
    """Return the session's running conversation, making one when there is none."""
    if session.conversation is not None and session.conversation.active:
        return session.conversation
    deployment = world.deployments[session.deployment_id]
    queue = world.queues.get(deployment.queue_id)
    conversation = Conversation(
        id=world.new_id(),
        session_id=session.id,
        deployment_id=session.deployment_id,
        queue_id=deployment.queue_id,
        division_id=queue.division_id if queue else HOME_DIVISION,
        started_at=world.now(),
        customer_id=world.new_id(),
        agent_id=world.new_id(),
        external_contact_id=session.external_contact_id,
    )
    world.conversations[conversation.id] = conversation
    session.conversation = conversation
    return conversation


def structured(world: World, direction: str, message: Json, *, sender: Json | None = None) -> Json:
    """Return the body of a StructuredMessage: `message` plus id, time and direction."""
    body: Json = {
        "id": uuid4().hex,
        "direction": direction,
        "type": message.get("type", "Text"),
        "channel": {"time": iso_time(world.now()), "messageId": str(uuid4()), "type": "Private"},
        "metadata": {"correlationId": str(uuid4())},
    }
    if sender is not None:
        body["channel"]["from"] = sender
    if direction == "Outbound":
        body["originatingEntity"] = message.get("originatingEntity", "Human")
    body.update({name: message[name] for name in ("text", "content", "events") if name in message})
    return body


def presence(kind: str) -> Json:
    """Return the message that carries a Presence event."""
    return {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": kind}}]}


def typing(duration_ms: int = 5000) -> Json:
    """Return the message that carries a Typing event; the schema calls the length `duration`."""
    return {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On", "duration": duration_ms}}]}


def keep(session: GuestSession, conversation: Conversation | None, body: Json) -> None:
    """Write a message into the transcript; typing leaves no trace there."""
    if any(event.get("eventType") == "Typing" for event in body.get("events", [])):
        return
    session.transcript.append(body)
    if conversation is not None:
        conversation.messages.append(body)


async def publish(
    session: GuestSession, body: Json, *, asker: Connection | None = None, tracing_id: str | None = None
) -> None:
    """Send a StructuredMessage to every connection of the session; only the asker's copy carries the tracing id."""
    for connection in list(session.connections):
        own = tracing_id if connection is asker else None
        await connection.send(answer("StructuredMessage", body, tracing_id=own, pushed=True))


async def agent_says(world: World, conversation: Conversation, message: Json) -> Json:
    """Send an agent's message to the guest; raises ConversationOver or TextTooLong."""
    if not conversation.active:
        raise ConversationOver(conversation.id)
    if len(str(message.get("text", ""))) > world.sizes["agent_text_chars"]:
        raise TextTooLong(f"over {world.sizes['agent_text_chars']} characters")
    session = world.sessions[conversation.session_id]
    body = structured(world, "Outbound", message, sender={"nickname": world.agent.name})
    keep(session, conversation, body)
    await publish(session, body)
    return body


async def end(world: World, conversation: Conversation, by: str) -> bool:
    """End a conversation and tell the guest as the deployment says; False when it had ended already."""
    if not conversation.active:
        return False
    conversation.ended_at, conversation.ended_by = world.now(), by
    await notifications.conversation_ended(world, conversation)
    deployment = world.deployments[conversation.deployment_id]
    session = world.sessions.get(conversation.session_id)
    if session is None or by == "guest" or deployment.conversation_disconnect is None:
        return True
    body = structured(world, "Outbound", presence("Disconnect"))
    session.read_only = deployment.conversation_disconnect == "ReadOnly"
    body["metadata"]["readOnly"] = "true" if session.read_only else "false"
    keep(session, conversation, body)
    await publish(session, body)
    return True


def participant_data(conversation: Conversation) -> dict[str, str]:
    """Return what the agent's desktop shows of the guest: its custom attributes and what the API added."""
    sent = {f"context.{name}": value for name, value in conversation.custom_attributes.items()}
    return {**sent, **conversation.participant_attributes.get(conversation.customer_id, {})}
