"""The control port: what the mock received and holds, and orders to it (faults, clients, clock, agent, OpenID)."""

from __future__ import annotations

from aiohttp import web

from gateway.mock.world import World


def control_app(world: World) -> web.Application:
    """Return the control listener of a world."""
    return web.Application()
