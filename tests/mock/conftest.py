"""A mock on free ports with a clock that stands still, an HTTP client, bearers, and guests over real sockets."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from gateway.mock.clock import frozen_clock
from gateway.mock.default_world import default_world
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import MockSettings, RunningMock, running_mock
from tests.mock.provider import Provider

Json = dict[str, Any]
ORIGIN = "http://localhost:8088"


class Guest:
    """One guest socket, for scripts: ask and read the answer, or read what is pushed."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket, self.token = socket, token
        self._numbers = itertools.count(1)
        self.pushed: list[Json] = []

    async def send(self, action: str, **members: Any) -> str:
        """Send one frame and return its tracing id."""
        tracing_id = f"trace-{next(self._numbers)}"
        await self.socket.send_json({"action": action, "token": self.token, "tracingId": tracing_id, **members})
        return tracing_id

    async def receive(self) -> Json:
        """Return the next frame, whatever it is."""
        if self.pushed:
            return self.pushed.pop(0)
        frame: Json = await self.socket.receive_json(timeout=30)
        return frame

    async def ask(self, action: str, **members: Any) -> Json:
        """Send one frame and return the answer with its tracing id; what is pushed meanwhile is kept."""
        tracing_id = await self.send(action, **members)
        while True:
            frame: Json = await self.socket.receive_json(timeout=30)
            if frame.get("tracingId") == tracing_id:
                return frame
            self.pushed.append(frame)

    async def next_of(self, kind: str) -> Json:
        """Return the next frame of that class, dropping others."""
        while True:
            frame = await self.receive()
            if frame["class"] == kind:
                return frame

    async def configure(self, **members: Any) -> Json:
        """Configure the anonymous session."""
        return await self.ask("configureSession", deploymentId=DEFAULT_DEPLOYMENT, **members)

    async def say(self, text: str, **members: Any) -> Json:
        """Send a text."""
        return await self.ask("onMessage", message={"type": "Text", "text": text, **members})

    async def presence(self, kind: str) -> Json:
        """Send a Presence event."""
        event = {"eventType": "Presence", "presence": {"type": kind}}
        return await self.ask("onMessage", message={"type": "Event", "events": [event]})


GuestMaker = Callable[..., Awaitable[Guest]]
Bearer = Callable[[str], Awaitable[dict[str, str]]]


@pytest.fixture
async def mock() -> AsyncIterator[RunningMock]:
    """A mock whose clock stands still and whose agent is silent until a test wakes it."""
    world = default_world(frozen_clock())
    world.agent.enabled = False
    async with running_mock(MockSettings.free_ports(), world) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client without cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
def basic() -> Callable[[str], dict[str, str]]:
    """The Basic header of a default client."""

    def header(name: str, secret: str | None = None) -> dict[str, str]:
        world = default_world()
        client = world.client_named(name)
        assert client is not None
        return {"Authorization": aiohttp.encode_basic_auth(client.id, secret or f"mock-secret-{name}")}

    return header


@pytest.fixture
def bearer(mock: RunningMock, http: aiohttp.ClientSession, basic: Callable[[str], dict[str, str]]) -> Bearer:
    """Fetch a token for a default client over the login host and return its header."""

    async def fetch(name: str) -> dict[str, str]:
        form = {"grant_type": "client_credentials"}
        async with http.post(f"{mock.endpoints.login}/oauth/token", data=form, headers=basic(name)) as answer:
            assert answer.status == 200, await answer.text()
            return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

    return fetch


@pytest.fixture
async def guest(mock: RunningMock, http: aiohttp.ClientSession) -> AsyncIterator[GuestMaker]:
    """Connect a guest; configured anonymously unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def connect(token: str | None = None, *, configure: bool = True, origin: str = ORIGIN) -> Guest:
            url = f"{mock.endpoints.webmessaging}/v1?deploymentId={DEFAULT_DEPLOYMENT}"
            socket = await stack.enter_async_context(http.ws_connect(url, origin=origin))
            one = Guest(socket, token or str(uuid4()))
            if configure:
                assert (await one.configure())["class"] == "SessionResponse"
            return one

        yield connect


@pytest.fixture
async def provider(mock: RunningMock, aiohttp_server: Callable[..., Awaitable[TestServer]]) -> Provider:
    """An OpenID provider that the mock's integration points to."""
    one = Provider(mock.world.clock)
    server = await aiohttp_server(one.app())
    one.issuer = str(server.make_url("")).rstrip("/")
    mock.world.oidc.discovery_uri = f"{one.issuer}/.well-known/openid-configuration"
    mock.world.oidc.client_secret = "s+e/c ret"
    return one
