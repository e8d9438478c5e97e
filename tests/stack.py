"""A whole gateway with a mock Genesys behind it, on free ports, from the shipped configuration: for any test."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.app.gateway import Gateway, Surroundings
from gateway.app.observers import OWN_ROUTE
from gateway.app.running import running
from gateway.config import checks
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import load
from gateway.config.shipped import shipped_config
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.observe.audit import records

PAGE = "http://127.0.0.1:8088"
SITE = "shop"
DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
QUEUE = "d0000000-0000-4000-8000-000000000001"
BACKEND_ID = "5e41ce00-0000-4000-8000-0000000000aa"
BACKEND_KEY = "demo-backend-key-never-use-it-elsewhere"
VISITOR_KID = "app_5f2b7c1e9a4d3f6b8c0e1a2d"
VISITOR_SECRET = "demo-shop-signing-secret-never-use-it-elsewhere"


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and a client that follows nothing and keeps no cookies."""

    gateway: Gateway
    mock: RunningMock
    url: str
    admin_url: str
    client: aiohttp.ClientSession

    @property
    def base(self) -> str:
        """The site's prefix."""
        return f"{self.url}/sites/{SITE}"

    def call(
        self, method: str, path: str, *, bearer: str | None = None, origin: str | None = PAGE, **options: Any
    ) -> aiohttp.client._RequestContextManager:
        """A request below the site's prefix, as a page of the shop sends it."""
        headers = dict(options.pop("headers", {}))
        if origin is not None:
            headers["Origin"] = origin
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        return self.client.request(method, self.base + path, headers=headers, allow_redirects=False, **options)

    async def session(self, visitor_token: str | None = None, bearer: str | None = None) -> dict[str, Any]:
        """Open, renew or upgrade a session; the answer's JSON."""
        body = {} if visitor_token is None else {"visitor_token": visitor_token}
        async with self.call("POST", "/session", bearer=bearer, json=body) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status in {200, 201}, found
            return found

    async def records(self) -> list[dict[str, Any]]:
        """The audit log, oldest first, without what log and gateway do for themselves; waits until all are on disk."""
        await self.gateway.audit.grant(records.audit_read(at=time.time(), query="a test", count=0))
        tail: list[dict[str, Any]] = self.gateway.audit.tail(500)
        others = [record for record in tail if not str(record["event.action"]).startswith("audit.")]
        return [record for record in others if record.get("gateway.route") != OWN_ROUTE]

    async def actions(self) -> list[str]:
        """The actions of `records`."""
        return [str(record["event.action"]) for record in await self.records()]


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def compiled(flags: Mapping[str, object], environ: Mapping[str, str] | None = None) -> Compiled:
    """The shipped configuration with some keys set, judged and compiled."""
    loaded = load(shipped_config(), environ or {}, flags)
    sources = checks.sources_of(loaded, environ or {})
    checks.require_sound(loaded, sources)
    return compile_config(loaded, sources)


def mock_flags(mock: RunningMock) -> dict[str, object]:
    """The keys that point the shipped configuration at a mock on free ports, and the listeners at free ports too."""
    names = ("login", "api", "cdn", "apps", "webmessaging")
    flags: dict[str, object] = {f"orgs.acme.endpoints.{name}": getattr(mock.endpoints, name) for name in names}
    return {**flags, "server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0", "log.level": "error"}


@asynccontextmanager
async def whole_stack(
    directory: Path,
    flags: Mapping[str, object] | None = None,
    *,
    clock: Callable[[], float] | None = None,
    mock_settings: MockSettings | None = None,
) -> AsyncIterator[Stack]:
    """Run mock and gateway for the length of the block; `flags` are set on top of the shipped configuration."""
    async with running_mock(mock_settings or MockSettings.free_ports(agent_delay_s=0.0)) as mock:
        config = compiled({**mock_flags(mock), **(flags or {})})
        async with running_stack(config, directory, mock, clock) as stack:
            yield stack


@asynccontextmanager
async def running_stack(
    config: Compiled, directory: Path, mock: RunningMock, clock: Callable[[], float] | None = None
) -> AsyncIterator[Stack]:
    """Run one gateway beside a mock that runs already."""
    surroundings = Surroundings(directory, clock=clock) if clock is not None else Surroundings(directory)
    jar = aiohttp.DummyCookieJar()
    async with running(config, surroundings) as run, aiohttp.ClientSession(cookie_jar=jar) as client:
        await run.gateway.tokens.warm_up()
        yield Stack(run.gateway, mock, run.url, run.admin_url, client)
