"""Conversations put into a mock's world, marked as the gateway marks those of its guests: for any test."""

from __future__ import annotations

from uuid import uuid4

from gateway.mock.guest_model import Conversation
from gateway.mock.model import DEFAULT_DEPLOYMENT, HOME_DIVISION, SUPPORT_QUEUE
from gateway.mock.world import World


def put_conversation(world: World, site: str | None = "shop", guest_id: str | None = None) -> Conversation:
    """A running conversation; without a site it carries no mark, like one that never came through the gateway."""
    marks = {"gateway.site": site, "gateway.guest": guest_id}
    conversation = Conversation(
        id=str(uuid4()),
        session_id="none",
        deployment_id=DEFAULT_DEPLOYMENT,
        queue_id=SUPPORT_QUEUE,
        division_id=HOME_DIVISION,
        started_at=world.now(),
        customer_id=str(uuid4()),
        agent_id=str(uuid4()),
        custom_attributes={name: value for name, value in marks.items() if value is not None},
    )
    world.conversations[conversation.id] = conversation
    return conversation
