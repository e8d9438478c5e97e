"""The world that the mock starts with: organisation acme in eu-west-1, its deployment, queues and OAuth clients.

Identifiers and secrets here are public test values; the shipped configuration and the demo rely on them.
"""

from __future__ import annotations

from gateway.mock.clock import Clock
from gateway.mock.model import (
    DEFAULT_DEPLOYMENT,
    HOME_DIVISION,
    RESTRICTED_DIVISION,
    SUPPORT_QUEUE,
    Client,
    Deployment,
    Queue,
    Secret,
)
from gateway.mock.world import World

BILLING_QUEUE = "d0000000-0000-4000-8000-000000000002"

# name, number at the end of the id, permissions, more members
_CLIENTS: tuple[tuple[str, int, tuple[str, ...], dict[str, object]], ...] = (
    ("reader", 1, ("routing:queue:view", "conversation:communication:view"), {}),
    ("closer", 2, ("conversation:communication:disconnect",), {}),
    ("disabled", 3, ("routing:queue:view",), {"active": False}),
    ("wrong-grant", 4, ("routing:queue:view",), {"grant_type": "CODE"}),
    ("divided", 5, ("routing:queue:view", "conversation:communication:disconnect"), {"divisions": {HOME_DIVISION}}),
    ("powerless", 6, (), {}),
)


def default_world(clock: Clock | None = None) -> World:
    """Return a fresh world with the documented clients, queues and deployment."""
    world = World(clock=clock)
    for name, number, permissions, more in _CLIENTS:
        client_id = f"c0ffee00-0000-4000-8000-{number:012d}"
        client = Client(name, client_id, [Secret(f"mock-secret-{name}")], set(permissions))
        for member, value in more.items():
            setattr(client, member, value)
        world.add_client(client)
    world.add_queue(Queue(SUPPORT_QUEUE, "Support", HOME_DIVISION, 42))
    world.add_queue(Queue(BILLING_QUEUE, "Billing", RESTRICTED_DIVISION, 300))
    world.add_deployment(
        Deployment(DEFAULT_DEPLOYMENT, "Shop", allowed_domains=["localhost", "127.0.0.1", "shop.example"])
    )
    return world
