"""Starts and stops one mock: a world behind its listeners, all on one address and one event loop.

Port 0 takes a free port; what was bound stands in `endpoints`. Beyond loopback it starts only when told so in words.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from aiohttp import web

from gateway.mock import guest_sessions
from gateway.mock.api import api_app
from gateway.mock.api_config import read_api_config
from gateway.mock.apps import apps_app
from gateway.mock.catalogue import load_catalogue
from gateway.mock.cdn import cdn_app
from gateway.mock.control import control_app
from gateway.mock.default_world import default_world
from gateway.mock.guest_socket import webmessaging_app
from gateway.mock.login import login_app
from gateway.mock.model import OidcIntegration
from gateway.mock.upload import upload_app
from gateway.mock.world import Endpoints, World

_SWEEP_EVERY_S = 5.0


class PublicBindRefused(ValueError):
    """The mock was to listen beyond loopback without being told that this is meant."""


@dataclass(frozen=True, slots=True)
class MockSettings:
    """Where the listeners bind, and what differs from the default world; each port may be 0 for a free one."""

    host: str = "127.0.0.1"
    login_port: int = 8091
    api_port: int = 8092
    cdn_port: int = 8093
    webmessaging_port: int = 8094
    apps_port: int = 8095
    upload_port: int = 8096
    control_port: int = 8099
    allow_public: bool = False
    agent_delay_s: float | None = None
    oidc: OidcIntegration | None = None
    api_config: dict[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def free_ports(cls, **changes: Any) -> Self:
        """Return settings in which every port is 0, as tests want them, with `changes` on top."""
        return replace(cls(), **{**dict.fromkeys(cls.port_names(), 0), **changes})

    @classmethod
    def port_names(cls) -> tuple[str, ...]:
        """Return the names of the port members."""
        return tuple(one.name for one in fields(cls) if one.name.endswith("_port"))


@dataclass(frozen=True, slots=True)
class RunningMock:
    """A mock that listens: where, and the world behind."""

    endpoints: Endpoints
    world: World

    async def settle(self) -> None:
        """Wait until the scripted agent has said all it has to say."""
        await self.world.tasks.settle()


@asynccontextmanager
async def running_mock(settings: MockSettings | None = None, world: World | None = None) -> AsyncIterator[RunningMock]:
    """Run a mock for the length of the block; raises PublicBindRefused, ApiConfigInvalid or OSError."""
    settings = settings or MockSettings()
    world = world or default_world()
    check_host(settings.host, allow_public=settings.allow_public)
    if settings.oidc is not None:
        world.oidc = settings.oidc
    if settings.agent_delay_s is not None:
        world.agent.delay_s = settings.agent_delay_s
    catalogue = load_catalogue()
    demands = read_api_config(settings.api_config, catalogue) if settings.api_config is not None else {}
    parts = {
        "login": (login_app(world), settings.login_port, "http"),
        "api": (api_app(world, catalogue, demands), settings.api_port, "http"),
        "cdn": (cdn_app(world), settings.cdn_port, "http"),
        "webmessaging": (webmessaging_app(world), settings.webmessaging_port, "ws"),
        "apps": (apps_app(world), settings.apps_port, "http"),
        "upload": (upload_app(world), settings.upload_port, "http"),
        "control": (control_app(world), settings.control_port, "http"),
    }
    async with AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for name, (app, port, scheme) in parts.items():
            bound = await _listen(stack, app, settings.host, port)
            urls[name] = f"{scheme}://{_in_url(settings.host)}:{bound}"
        world.endpoints = Endpoints(**urls)
        stack.push_async_callback(world.tasks.stop)
        sweeper = asyncio.create_task(_sweep_regularly(world))
        stack.push_async_callback(_cancelled, sweeper)
        yield RunningMock(world.endpoints, world)


async def _listen(stack: AsyncExitStack, app: web.Application, host: str, port: int) -> int:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return bound


async def _sweep_regularly(world: World) -> None:
    while True:
        await asyncio.sleep(_SWEEP_EVERY_S)
        await guest_sessions.sweep(world)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def check_host(host: str, *, allow_public: bool) -> None:
    """Raise PublicBindRefused unless the host is loopback or a public one is allowed in words."""
    if allow_public:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise PublicBindRefused(f"{host} is not loopback; this is a mock and must not be mistaken for Genesys Cloud")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
