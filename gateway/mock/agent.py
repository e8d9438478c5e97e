"""The scripted agent: answers each text of a guest, after a typing event, always the same way for the same words.

A table of phrases holds its few variants; everything else is said back, so that tests and a demo can see what arrived.
"""

from __future__ import annotations

import asyncio

from gateway.mock import conversations
from gateway.mock.guest_model import Conversation
from gateway.mock.model import Json
from gateway.mock.world import World

_OPTIONS = [("Order status", "order"), ("Returns", "returns")]


async def reply(world: World, conversation: Conversation, text: str) -> None:
    """Type, wait as long as the world's agent takes, and answer; silent when the conversation has ended meanwhile."""
    session = world.sessions[conversation.session_id]
    if world.deployments[conversation.deployment_id].agent_typing and conversation.active:
        body = conversations.structured(
            world, "Outbound", conversations.typing(), sender={"nickname": world.agent.name}
        )
        await conversations.publish(session, body)
    await asyncio.sleep(world.agent.delay_s)
    if not conversation.active:
        return
    await conversations.agent_says(world, conversation, scripted(world, conversation, text))
    if text.strip().lower() == "bye":
        await conversations.end(world, conversation, "agent")


def scripted(world: World, conversation: Conversation, text: str) -> Json:
    """Return the message that the agent answers to `text`."""
    words = text.strip().lower()
    if words == "bye":
        return _says("Goodbye, and thank you for your visit.")
    if words in ("who am i", "who am i?"):
        return _says(_who_is(world, conversation))
    if words == "options":
        content = [
            {"contentType": "QuickReply", "quickReply": {"text": label, "payload": payload, "action": "Message"}}
            for label, payload in _OPTIONS
        ]
        return {"type": "Structured", "text": "What is it about?", "content": content, "originatingEntity": "Bot"}
    said = f"You said: {text}"[: world.sizes["agent_text_chars"]]
    return _says(said)


def _says(text: str) -> Json:
    return {"type": "Text", "text": text}


def _who_is(world: World, conversation: Conversation) -> str:
    session = world.sessions[conversation.session_id]
    who = f"signed in at Genesys as {session.subject}" if session.verified else "not signed in at Genesys"
    data = ", ".join(f"{name}={value}" for name, value in sorted(conversations.participant_data(conversation).items()))
    return f"You are {who}. I see: {data or 'no participant data'}."
