"""A front on a free port: real sockets, one site, handlers that say who they are, and an audit sink that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from gateway.errors import AUDIT_UNAVAILABLE, Refusal
from gateway.gate import Gate
from gateway.observe.audit.records import Record
from gateway.observe.metrics import Metrics
from gateway.policy.decision import SiteRules
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.routes import RouteTable
from gateway.policy.sites import SiteAddress, SiteTable
from gateway.web.clients import TrustedProxies
from gateway.web.connection import ConnectionLimits, GatewayServer
from gateway.web.exchange import BodyLimits, Exchange
from gateway.web.front import Front, Handler
from gateway.web.reception import FrontRules
from tests.stack import Stack, whole_stack

DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
PAGE = "https://shop.example"
NOW = 1_763_600_000.0


class RememberingAudit:
    """An audit sink that keeps the records, and can be told to fail."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fails = False

    async def grant(self, record: Record) -> None:
        self._keep(record)

    async def use(self, record: Record) -> None:
        self._keep(record)

    def try_use(self, record: Record) -> bool:
        if self.fails:
            return False
        self._keep(record)
        return True

    def end(self, record: Record) -> None:
        self.records.append(record)

    def refuse(self, record: Record) -> None:
        self.records.append(record)

    @property
    def has_room(self) -> bool:
        return not self.fails

    async def room(self, site: str | None = None) -> None:
        if self.fails:
            raise Refusal(AUDIT_UNAVAILABLE, retry_after_s=1)

    has_subject_keys = False

    async def meet(self, site: str, subject: str) -> None:
        """Nothing to fetch: every guest has a name."""

    def pseudonym(self, site: str, subject: str, now: float) -> str:
        return f"p1:{site}"

    def client_ref(self, address: str, now: float) -> str:
        return "c1"

    def conversation(self, conversation_id: str) -> str:
        return conversation_id

    def ref(self, kind: str, secret: str) -> str:
        return "r1"

    def _keep(self, record: Record) -> None:
        if self.fails:
            raise Refusal(AUDIT_UNAVAILABLE, retry_after_s=1)
        self.records.append(record)

    def actions(self) -> list[str]:
        """The actions recorded, in order."""
        return [record.action.name for record in self.records]


@dataclass
class RunningFront:
    """A front that listens, and what it recorded."""

    port: int
    front: Front
    audit: RememberingAudit
    metrics: Metrics
    server: GatewayServer
    malformed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def raw(self, data: bytes) -> bytes:
        """Send bytes as they are; everything that comes back until the connection closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    def refusals(self, code: str) -> float:
        """How often this code was counted."""
        return self.metrics.refusals.child(code).value


def site_rules(name: str, origin: str) -> SiteRules:
    return SiteRules(name, "acme", DEPLOYMENT, OriginRules((parse_pattern(origin),)), RouteTable(()))


async def say_name(exchange: Exchange) -> web.StreamResponse:
    body = await exchange.body(1_000)
    return exchange.json_answer(200, {"surface": exchange.surface.name, "bytes": len(body)})


async def fail(exchange: Exchange) -> web.StreamResponse:
    raise RuntimeError("a secret in an exception: hunter2")


Start = Callable[..., "asyncio.Future[RunningFront]"]
SITES = (site_rules("shop", PAGE), site_rules("club", "https://club.example"))


def front_rules(
    sites: tuple[SiteRules, ...] = SITES,
    hosts: dict[str, tuple[str, ...]] | None = None,
    body_limits: BodyLimits | None = None,
    concurrent: int = 100,
) -> FrontRules:
    """Rules of these sites."""
    table = SiteTable(SiteAddress(s.name, s.deployment_id, (hosts or {}).get(s.name, ())) for s in sites)
    regions = {s.name: "eu-west-1" for s in sites}
    return FrontRules(
        table, {s.name: s for s in sites}, regions, TrustedProxies(()), body_limits or BodyLimits(), concurrent
    )


def new_front(
    rules: FrontRules, limits: ConnectionLimits | None = None, handlers: dict[str, Handler] | None = None
) -> RunningFront:
    """A front and its server, which listen nowhere yet."""
    audit, metrics, malformed = RememberingAudit(), Metrics(), list[tuple[str, str]]()
    usual: dict[str, Handler] = {
        "session": say_name,
        "rest_proxy": say_name,
        "static": say_name,
        "oauth_token": say_name,
        "ticket": fail,
    }
    gate = Gate(audit, metrics, lambda: NOW)
    front = Front(rules, {**usual, **(handlers or {})}, gate, metrics, lambda exchange: None)
    server = GatewayServer(front, limits or ConnectionLimits(), lambda *told: malformed.append(told))
    return RunningFront(0, front, audit, metrics, server, malformed)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    """A function that starts a front; everything started is stopped at the end."""
    running: list[web.ServerRunner] = []

    async def started(
        *,
        sites: tuple[SiteRules, ...] = SITES,
        hosts: dict[str, tuple[str, ...]] | None = None,
        concurrent: int = 100,
        limits: ConnectionLimits | None = None,
        body_limits: BodyLimits | None = None,
        handlers: dict[str, Handler] | None = None,
    ) -> RunningFront:
        front = new_front(front_rules(sites, hosts, body_limits, concurrent), limits, handlers)
        runner = web.ServerRunner(front.server, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        running.append(runner)
        front.port = runner.addresses[0][1]
        return front

    yield started
    for runner in running:
        await runner.cleanup()


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """A whole gateway with a mock behind it."""
    async with whole_stack(tmp_path) as running_stack:
        yield running_stack
