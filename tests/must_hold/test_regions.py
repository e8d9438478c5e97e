"""Many organisations, many regions: tokens and calls never cross, and nothing moves unless it was declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.app.gateway import Surroundings
from gateway.app.running import Running, running
from gateway.config import checks
from gateway.config.compile import compile_config
from gateway.config.genesys import region_table
from gateway.config.load import load
from gateway.config.shipped import shipped_config
from gateway.errors import ConfigFault
from gateway.mock.server import MockSettings, RunningMock, running_mock
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, QUEUE, mock_flags

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
DEAD = "http://127.0.0.1:1"
OTHER = """
[orgs.tokyo]
region = "ap-northeast-1"
ownership_client = "reader"
[orgs.tokyo.clients.reader]
id = "c0ffee00-0000-4000-8000-000000000001"
secret = "mock-secret-reader"
permissions = ["routing:queue:view", "conversation:communication:view"]
[orgs.tokyo.clients.closer]
id = "c0ffee00-0000-4000-8000-000000000002"
secret = "mock-secret-closer"
permissions = ["conversation:communication:disconnect"]
[orgs.tokyo.endpoints]
[sites.bank]
org = "tokyo"
deployment_id = "2f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
origins = ["https://bank.example"]
hosts = ["bank.example"]
[sites.bank.visitors]
anonymous = true
[sites.bank.context]
attributes = { "gateway.guest" = "{guest_id}", "gateway.site" = "{site}" }
"""


@asynccontextmanager
async def two_regions(directory: Path, **flags: object) -> AsyncIterator[tuple[Running, RunningMock, RunningMock]]:
    """One gateway over two mocks: site shop in eu-west-1, site bank in ap-northeast-1."""
    async with running_mock(MockSettings.free_ports()) as ireland, running_mock(MockSettings.free_ports()) as tokyo:
        path = directory / "config.toml"
        text = shipped_config().read_text(encoding="utf-8").replace('sites = ["shop"]', 'sites = ["shop", "bank"]')
        path.write_text(text + OTHER, encoding="utf-8")
        ends = ("login", "api", "cdn", "apps", "webmessaging")
        own = {f"orgs.tokyo.endpoints.{name}": getattr(tokyo.endpoints, name) for name in ends}
        changes = {name.replace("__", "."): value for name, value in flags.items()}
        loaded = load(path, {}, {**mock_flags(ireland), **own, **changes})
        sources = checks.sources_of(loaded, {})
        checks.require_sound(loaded, sources)
        async with running(compile_config(loaded, sources), Surroundings(directory)) as run:
            yield run, ireland, tokyo


async def read(run: Running, site: str, path: str = WAIT) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {BACKEND_KEY}"}
    async with aiohttp.ClientSession() as http, http.get(f"{run.url}/sites/{site}{path}", headers=headers) as answer:
        return answer.status, await answer.json()


def waits(mock: RunningMock) -> int:
    return sum(entry.path == WAIT for entry in mock.world.recorder.entries)


async def test_each_site_calls_its_own_region_with_a_token_of_that_region(tmp_path: Path) -> None:
    async with two_regions(tmp_path) as (run, ireland, tokyo):
        for site in ("shop", "bank", "bank"):
            assert (await read(run, site))[0] == 200
        assert (waits(ireland), waits(tokyo)) == (1, 2)
        one, other = [await run.gateway.tokens.bearer(org, "reader") for org in ("acme", "tokyo")]
        assert one.reveal() in ireland.world.access_tokens
        assert other.reveal() in tokyo.world.access_tokens
        assert one.reveal() != other.reveal()
        shown = run.gateway.metrics.token_expiry.series()
        assert {name for (name,), cell in shown.items() if cell.value} >= {"acme.reader", "tokyo.reader"}
        minted = [r for r in run.gateway.audit.tail(100) if r["event.action"] == "token.minted"]
        assert {r["gateway.token.client"] for r in minted} >= {"acme.reader", "tokyo.reader"}
        assert {e.status for m in (ireland, tokyo) for e in m.world.recorder.entries if e.path == WAIT} == {200}


async def test_without_a_declared_failover_a_dead_region_is_a_fault(tmp_path: Path) -> None:
    async with two_regions(tmp_path, orgs__acme__endpoints__api=DEAD) as (run, _, tokyo):
        status, body = await read(run, "shop")
        assert (status, body["code"]) in {(502, "upstream.unreachable"), (503, "upstream.busy")}
        assert waits(tokyo) == 0


@pytest.mark.parametrize("dead", ["api", "login"])
async def test_a_declared_failover_carries_reads_and_is_on_record(tmp_path: Path, dead: str) -> None:
    flags = {f"orgs__acme__endpoints__{dead}": DEAD, "orgs__acme__failover": "tokyo"}
    async with two_regions(tmp_path, **flags) as (run, ireland, tokyo):
        assert (await read(run, "shop"))[0] == 200
        assert (waits(ireland), waits(tokyo)) == (0, 1)
        async with asyncio.timeout(30):
            while not (told := [r for r in run.gateway.audit.tail(100) if r["event.action"] == "proxy.allowed"]):
                await asyncio.sleep(0)
        assert told[0]["gateway.region"] == "ap-northeast-1"


async def test_neither_writes_nor_conversations_ever_move(tmp_path: Path) -> None:
    flags = {"orgs__acme__endpoints__api": DEAD, "orgs__acme__failover": "tokyo"}
    async with two_regions(tmp_path, **flags) as (run, _, tokyo):
        conversation = put_conversation(tokyo.world, "shop")
        status, body = await read(run, "shop", f"/api/v2/conversations/{conversation.id}")
        assert status in {502, 503}, body
        assert conversation.active
        assert [e for e in tokyo.world.recorder.entries if conversation.id in e.path] == []


@pytest.mark.parametrize(("other", "words"), [("nowhere", "no other organisation"), ("acme", "no other organisation")])
async def test_a_failover_to_nowhere_is_a_fault_of_the_configuration(tmp_path: Path, other: str, words: str) -> None:
    with pytest.raises(ConfigFault, match=words):
        async with two_regions(tmp_path, orgs__acme__failover=other):
            pass


def test_every_accepted_spelling_of_every_region_means_that_region() -> None:
    table = region_table()
    for region in table.regions:
        spellings = (
            region.aws_region, region.sdk_enum, region.short_code, region.domain, region.environment,
            region.aws_region.upper(), f"api.{region.domain}", f"https://login.{region.domain}/oauth/token",
            f"https://apps.{region.domain}", f"wss://webmessaging.{region.domain}/v1?deploymentId=x",
            *region.domain_aliases,
        )  # fmt: skip
        for spelling in spellings:
            assert table.resolve(spelling) is region, spelling
