"""What a guest sends: text, structured answers and events, checked against every limit, then written and shown.

The guest gets its own message back on all its connections; the first one opens the conversation.
"""

from __future__ import annotations

from gateway.mock import agent, conversations, guest_sessions
from gateway.mock.guest_frames import (
    GuestError,
    RateExceeded,
    answer,
    attributes_size_bytes,
    custom_attributes,
    tracing_id_of,
)
from gateway.mock.guest_model import Connection, GuestSession
from gateway.mock.model import Deployment, Json
from gateway.mock.world import World

_MESSAGE_TYPES = frozenset({"Text", "Structured", "Event"})


async def on_message(world: World, connection: Connection, session: GuestSession, frame: Json) -> None:
    """Obey an onMessage; raises GuestError when the message breaks a rule."""
    deployment = world.deployments[session.deployment_id]
    message: Json = frame["message"]
    # A message that holds only a file may come without a type.
    kind = message.get("type", "Text" if "content" in message else None)
    if kind is None:
        raise GuestError(4020, "message.type")
    if not isinstance(kind, str) or kind not in _MESSAGE_TYPES:
        raise GuestError(400, "message.type")
    metadata = message.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise GuestError(400, "message.metadata must be a map of strings")
    if deployment.auth_required and not session.verified:
        raise GuestError(403, f"{guest_sessions.SIGN_IN_FAILED}. Try to authenticate again")
    attributes, conflicts = custom_attributes(frame)
    if attributes_size_bytes(attributes) > world.sizes["custom_attributes_bytes"]:
        raise GuestError(4013)
    if kind == "Event":
        await _event(world, connection, session, deployment, frame, attributes, conflicts)
        return
    reading = world.meter.hit("messages_per_session", session.id, world.now())
    if reading.over:
        raise RateExceeded(reading.reset_s)
    if session.read_only:
        raise GuestError(409)
    body = conversations.structured(world, "Inbound", _checked_content(world, session, {**message, "type": kind}))
    body["metadata"].update(metadata)
    await _say(world, connection, session, frame, body, attributes, conflicts)
    text = _spoken(message)
    if text and session.conversation is not None and world.agent.enabled:
        world.tasks.start(agent.reply(world, session.conversation, text))


async def _say(
    world: World,
    connection: Connection,
    session: GuestSession,
    frame: Json,
    body: Json,
    attributes: dict[str, str],
    conflicts: list[str],
) -> None:
    conversation = conversations.begin(world, session)
    conversation.custom_attributes.update(attributes)
    conversation.attribute_conflicts += conflicts
    conversations.keep(session, conversation, body)
    guest_sessions.touch(world, session)
    await conversations.publish(session, body, asker=connection, tracing_id=tracing_id_of(frame))


def _checked_content(world: World, session: GuestSession, message: Json) -> Json:
    text = message.get("text")
    content = message.get("content", [])
    if text is not None and not isinstance(text, str):
        raise GuestError(400, "message.text must be a string")
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise GuestError(400, "message.content must be a list of objects")
    if not text and not content:
        raise GuestError(4020, "message.text")
    if text is not None and len(text.encode()) > world.sizes["text_bytes"]:
        raise GuestError(4011)
    attachments = [item for item in content if item.get("contentType") == "Attachment"]
    if len(attachments) > 1:
        raise GuestError(400, "one file at a time")
    for item in content:
        _check_item(world, session, item)
    return message


def _check_item(world: World, session: GuestSession, item: Json) -> None:
    kind = item.get("contentType")
    if kind == "ButtonResponse":
        response = item.get("buttonResponse")
        if not isinstance(response, dict) or not {"type", "text", "payload"} <= set(response):
            raise GuestError(4020, "buttonResponse")
        if len(str(response["text"]).encode()) > world.sizes["text_bytes"]:
            raise GuestError(4011)
        return
    if kind != "Attachment":
        raise GuestError(400, f"contentType {str(kind)[:40]!r}")
    reference = item.get("attachment")
    if not isinstance(reference, dict) or not isinstance(reference.get("id"), str):
        raise GuestError(4020, "attachment.id")
    attachment = world.attachments.get(reference["id"])
    if attachment is None or attachment.session_id != session.id or attachment.state in ("deleted", "failed"):
        raise GuestError(4009)
    if attachment.state == "presigned":
        raise GuestError(4010)
    if world.now() >= attachment.expires_at:
        raise GuestError(4008)
    attachment.state = "sent"
    reference.update(filename=attachment.file_name, mime=attachment.file_type, fileSize=len(attachment.content))


def _spoken(message: Json) -> str:
    if message.get("text"):
        return str(message["text"])
    for item in message.get("content", []):
        if item.get("contentType") == "ButtonResponse":
            return str(item["buttonResponse"]["text"])
        if item.get("contentType") == "Attachment":
            return f"(file {item['attachment'].get('filename', '')})"
    return ""


async def _event(
    world: World,
    connection: Connection,
    session: GuestSession,
    deployment: Deployment,
    frame: Json,
    attributes: dict[str, str],
    conflicts: list[str],
) -> None:
    events = frame["message"].get("events")
    if not isinstance(events, list) or len(events) != 1 or not isinstance(events[0], dict):
        raise GuestError(4020, "message.events")
    event = events[0]
    body = conversations.structured(world, "Inbound", {"type": "Event", "events": [event]})
    if event.get("eventType") == "Typing":
        if not deployment.user_typing:
            raise GuestError(403, "the typing indicator is not enabled")
        await connection.send(answer("StructuredMessage", body, tracing_id=tracing_id_of(frame), pushed=True))
        return
    presence = event.get("presence")
    kind = presence.get("type") if event.get("eventType") == "Presence" and isinstance(presence, dict) else None
    if kind == "Join":
        if not deployment.auto_start:
            raise GuestError(403, "automatic start is not enabled")
        if session.read_only:
            raise GuestError(409)
        await _say(world, connection, session, frame, body, attributes, conflicts)
    elif kind == "Clear":
        if not deployment.conversation_clear:
            raise GuestError(403, "clearing the conversation is not enabled")
        await conversations.publish(session, body, asker=connection, tracing_id=tracing_id_of(frame))
        await guest_sessions.clear(world, session)
    else:
        raise GuestError(400, "unknown event")
