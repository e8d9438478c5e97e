"""The whole stage of a journey: mock Genesys, gateway and demo shops, all real, on free ports, in the test's own loop.

The configuration is the shipped config.toml; only addresses and origins are replaced, and what a journey says. The
gateway can be stopped and started again at the same address.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.app.gateway import Surroundings
from gateway.app.running import Running, running
from gateway.cli.demo import genesys_urls
from gateway.config import checks
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import load
from gateway.config.shipped import shipped_config
from gateway.demo.shop import Shop, ShopSettings, running_shop
from gateway.mock.default_world import default_world
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.observe.audit import records
from tests.journeys.tap import Tap, tapped
from tests.ports import free_ports

SITE = "shop"
DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
QUEUE = "d0000000-0000-4000-8000-000000000001"
SHOP_SECRET = "demo-shop-signing-secret-never-use-it-elsewhere"
BACKEND_ID = "5e41ce00-0000-4000-8000-0000000000aa"
BACKEND_KEY = "demo-backend-key-never-use-it-elsewhere"


@dataclass
class MovableClock:
    """The present, which a test may move forward."""

    ahead_s: float = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead_s


@dataclass
class Stage:
    """What runs. `gateway` changes when it is started again; `flags` hold for the next start."""

    directory: Path
    mock: RunningMock
    shop: Shop
    stranger: Shop
    flags: dict[str, object]
    tap: Tap
    clock: MovableClock = field(default_factory=MovableClock)
    run: Running | None = None
    _gateway: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def gateway(self) -> Running:
        """The gateway that runs now."""
        assert self.run is not None, "the gateway is stopped"
        return self.run

    @property
    def url(self) -> str:
        """The public address, which is that of the wire tap before the gateway."""
        return f"http://127.0.0.1:{self.tap.port}"

    @property
    def origin(self) -> str:
        """The origin of the shop that is on the list."""
        return self.shop.url

    async def start(self, **flags: object) -> None:
        """Start the gateway with the stage's configuration and `flags` (double underscores for dots) on top."""
        changes = {name.replace("__", "."): value for name, value in flags.items()}
        compiled = compiled_with({**self.flags, **changes})
        surroundings = Surroundings(self.directory, clock=self.clock)
        self._gateway = AsyncExitStack()
        self.run = await self._gateway.enter_async_context(running(compiled, surroundings))

    async def stop(self) -> None:
        """Stop the gateway as SIGTERM does. Twice does no harm."""
        self.run = None
        await self._gateway.aclose()

    def audit(self, action: str = "") -> list[dict[str, Any]]:
        """The records on disk (as JSON objects with flat ECS keys), all or those of one action, oldest first."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.directory / ".gateway" / "audit").rglob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(orjson.JSONDecodeError):  # the line that is being written
                    found.append(orjson.loads(line))
        return [one for one in found if not action or one.get("event.action") == action]

    async def settled_audit(self, action: str = "") -> list[dict[str, Any]]:
        """The records, once all that were queued until now are on disk: a grant is, and lines keep their order."""
        await self.gateway.gateway.audit.grant(records.config_loaded(at=self.clock(), sha256="0" * 64, version=1))
        return self.audit(action)

    def conversation(self, number: int = -1) -> Any:
        """A conversation at the mock, the newest unless told."""
        return list(self.mock.world.conversations.values())[number]

    def guest_texts(self) -> list[str]:
        """Every text that guests said, in all conversations, as Genesys has it."""
        return [
            message["text"]
            for conversation in self.mock.world.conversations.values()
            for message in conversation.messages
            if message["direction"] == "Inbound" and message.get("text")
        ]


def compiled_with(flags: Mapping[str, object]) -> Compiled:
    """The shipped configuration with these keys replaced, judged and compiled. The environment has no say."""
    loaded = load(shipped_config(), {}, dict(flags))
    sources = checks.sources_of(loaded, {})
    checks.require_sound(loaded, sources)
    return compile_config(loaded, sources)


@asynccontextmanager
async def staged(directory: Path, **flags: object) -> AsyncIterator[Stage]:
    """Run everything for the length of the block. `flags`: configuration keys, double underscores for dots."""
    public, listen, admin, shop_port, stranger_port = free_ports(5)
    changes = {name.replace("__", "."): value for name, value in flags.items()}
    async with AsyncExitStack() as stack:
        world = default_world()
        world.oidc.discovery_uri = f"http://127.0.0.1:{public}/.well-known/openid-configuration"
        mock = await stack.enter_async_context(running_mock(MockSettings.free_ports(agent_delay_s=0.05), world))
        theirs = genesys_urls(mock) if changes.get("sites.shop.mode") == "messenger" else ()
        shop = await stack.enter_async_context(_shop(shop_port, stranger_port, public, admin, mock, theirs))
        stranger = await stack.enter_async_context(_shop(stranger_port, stranger_port, public, admin, mock))
        ends = mock.endpoints
        own = {
            "server.listen": f"127.0.0.1:{listen}",
            "server.public_url": f"http://127.0.0.1:{public}",
            "server.drain_s": 1.0,
            "admin.listen": f"127.0.0.1:{admin}",
            "sites.shop.origins": [shop.url],
            "sites.shop.visitors.genesys_login": True,  # as the demo has it
            "oidc.clients.genesys.redirect_uris": [f"{shop.url}/"],
            **{f"orgs.acme.endpoints.{name}": getattr(ends, name) for name in ("login", "api", "cdn", "apps")},
            "orgs.acme.endpoints.webmessaging": ends.webmessaging,
        }
        tap = await stack.enter_async_context(tapped(public, listen))
        stage = Stage(directory, mock, shop, stranger, {**own, **changes}, tap)
        stack.push_async_callback(stage.stop)
        await stage.start()
        yield stage


def _shop(
    port: int, stranger: int, public: int, admin: int, mock: RunningMock, theirs: tuple[str, ...] = ()
) -> AbstractAsyncContextManager[Shop]:
    return running_shop(
        ShopSettings(
            secret=SHOP_SECRET,
            port=port,
            widget_url=f"http://127.0.0.1:{public}/sites/shop/widget.js",
            metrics_url=f"http://127.0.0.1:{admin}/metrics",
            audit_url=f"http://127.0.0.1:{admin}/audit",
            console_url=f"http://127.0.0.1:{admin}/console",
            foreign_url=f"http://127.0.0.1:{stranger}/",
            mock_url=f"{mock.endpoints.control}/",
            files_url=f"{mock.endpoints.upload}/",
            genesys_urls=theirs,
        )
    )
