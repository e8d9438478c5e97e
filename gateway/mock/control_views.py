"""The control port's JSON views of the world; none of them holds a secret or a token."""

from __future__ import annotations

import dataclasses
from typing import Any

from gateway.mock import conversations
from gateway.mock.clock import iso_time
from gateway.mock.guest_model import Conversation
from gateway.mock.model import Client, Json
from gateway.mock.recorder import fingerprint
from gateway.mock.world import World


def brief(world: World, conversation: Conversation) -> Json:
    """Return a conversation in a list: who, whether it runs, its participant data."""
    session = world.sessions[conversation.session_id]
    return {
        "id": conversation.id,
        "session_id": session.id,
        "deployment_id": conversation.deployment_id,
        "queue_id": conversation.queue_id,
        "started_at": iso_time(conversation.started_at),
        "active": conversation.active,
        "ended_by": conversation.ended_by,
        "verified": session.verified,
        "external_id": session.subject,
        "external_contact_id": conversation.external_contact_id,
        "custom_attributes": dict(conversation.custom_attributes),
        "attribute_conflicts": list(conversation.attribute_conflicts),
        "participant_data": conversations.participant_data(conversation),
        "customer_participant_id": conversation.customer_id,
        "agent_participant_id": conversation.agent_id,
        "message_count": len(conversation.messages),
        "connections": len(session.connections),
    }


def as_agent_sees(world: World, conversation: Conversation) -> Json:
    """Return a conversation as on the agent's desktop: guest, participant data, transcript."""
    session = world.sessions[conversation.session_id]
    guest = {"verified": session.verified, "external_id": session.subject, "claims": session.claims}
    return {
        **brief(world, conversation),
        "guest": guest,
        "messages": [transcript_line(one) for one in conversation.messages],
    }


def transcript_line(message: Json) -> Json:
    """Return one message in short: time, who, what."""
    event = message["events"][0] if message.get("events") else {}
    return {
        "id": message["id"],
        "time": message["channel"]["time"],
        "from": message["channel"].get("from", {}).get("nickname", "guest")
        if message["direction"] == "Outbound"
        else "guest",
        "direction": message["direction"],
        "type": message["type"],
        "text": message.get("text"),
        "event": event.get("presence", {}).get("type") if event else None,
        "content": message.get("content"),
    }


def client(record: Client) -> Json:
    """Return an OAuth client with fingerprints for its secrets."""
    return {
        "name": record.name,
        "id": record.id,
        "active": record.active,
        "grant_type": record.grant_type,
        "permissions": sorted(record.permissions),
        "divisions": sorted(record.divisions),
        "scopes": sorted(record.scopes),
        "token_life_s": record.token_life_s,
        "secrets": [{"fingerprint": fingerprint(one.value), "valid_until": one.valid_until} for one in record.secrets],
    }


def oidc(world: World) -> Json:
    """Return the OpenID integration without its secret."""
    view = members(world.oidc)
    view["client_secret"] = fingerprint(world.oidc.client_secret)
    return view


def members(record: Any) -> Json:
    """Return a record's members as a JSON object."""
    return {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}


def whole(world: World) -> Json:
    """Return the organisation with its counts and limits."""
    return {
        "mock": "not Genesys Cloud",
        "organization": {"id": world.org_id, "name": world.org_name, "region": world.region, "domain": world.domain},
        "endpoints": members(world.endpoints),
        "now": world.now(),
        "clock_offset_s": world.clock.offset_s,
        "clients": [client(one) for one in world.clients.values()],
        "deployments": [members(one) for one in world.deployments.values()],
        "queues": [members(one) for one in world.queues.values()],
        "oidc": oidc(world),
        "agent": members(world.agent),
        "rates": {name: {"count": rate.count, "window_s": rate.window_s} for name, rate in world.rates.items()},
        "sizes": dict(world.sizes),
        "counts": {
            "access_tokens": len(world.access_tokens),
            "sessions": len(world.sessions),
            "conversations": len(world.conversations),
            "attachments": len(world.attachments),
            "received": len(world.recorder.entries),
        },
    }
