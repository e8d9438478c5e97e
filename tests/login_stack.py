"""A whole gateway whose OpenID provider the mock Genesys really calls: its public address is known before it starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from gateway.mock.clock import Clock as MockClock
from gateway.mock.default_world import default_world
from gateway.mock.model import OidcIntegration
from gateway.mock.server import MockSettings, running_mock
from tests.ports import free_port
from tests.stack import VISITOR_KID, VISITOR_SECRET, Stack, compiled, mock_flags, running_stack

REDIRECT = "http://127.0.0.1:8088/"
PARTY_ID = "genesys"
PARTY_SECRET = "demo-oidc-secret-never-use-it-elsewhere"


@dataclass
class SharedClock:
    """One present for gateway and mock, which a test may move."""

    mock: MockClock = field(default_factory=MockClock)

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.mock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass for both."""
        self.mock.advance(seconds)


def visitor_token(clock: SharedClock | None = None, subject: str = "ada-1815", **changes: Any) -> str:
    """A Zendesk messaging JWT as the shop's server would sign it now."""
    now = int((clock or SharedClock())())
    claims = {
        "scope": "user", "external_id": subject, "name": "Ada", "email": "ada@shop.example", "email_verified": True,
        "iat": now, "exp": now + 600, **changes,
    }  # fmt: skip
    return jwt.encode(claims, VISITOR_SECRET, algorithm="HS256", headers={"kid": VISITOR_KID})


@asynccontextmanager
async def login_stack(
    directory: Path, flags: Mapping[str, object] | None = None, *, clock: SharedClock | None = None
) -> AsyncIterator[Stack]:
    """Run mock and gateway with one clock; the mock's integration points at the gateway's discovery document."""
    clock = clock or SharedClock()
    url = f"http://127.0.0.1:{free_port()}"
    world = default_world(clock.mock)
    oidc = OidcIntegration(discovery_uri=f"{url}/.well-known/openid-configuration")
    settings = MockSettings.free_ports(agent_delay_s=0.0, oidc=oidc)
    async with running_mock(settings, world) as mock:
        own = {"server.listen": url.removeprefix("http://"), "server.public_url": url}
        config = compiled({**mock_flags(mock), **own, **(flags or {})})
        async with running_stack(config, directory, mock, clock) as stack:
            yield stack
