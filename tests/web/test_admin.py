"""The admin listener: probes, metrics, version, the readable end of the audit log, and its token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from gateway.build import build_form
from gateway.web.admin import Admin, AdminParts

Client = TestClient[Request, Application]
Make = Callable[..., Awaitable[Client]]
RECORD = {"@timestamp": "2026-11-20T05:00:00Z", "event.action": "origin.denied", "event.outcome": "failure",
          "event.reason": "origin.not_allowed", "gateway.origin": "<script>"}  # fmt: skip


@pytest.fixture
async def make(aiohttp_client: Callable[[TestServer], Awaitable[Client]]) -> Make:
    async def made(why: str | None = None, draining: bool = False, token: str | None = None) -> Client:
        async def check() -> str | None:
            return why

        async def exposition(accept: str) -> tuple[bytes, str]:
            return b"gateway_build_info 1\n", "text/plain; version=0.0.4"

        def tail(n: int) -> Sequence[dict[str, object]]:
            return [dict(RECORD)] * min(n, 3)

        parts = AdminParts({"store": check}, exposition, tail, lambda: draining, token)
        return await aiohttp_client(TestServer(Admin(parts).application()))

    return made


async def test_health_asks_no_dependency(make: Make) -> None:
    answer = await (await make(why="store down")).get("/healthz")
    assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_readiness_names_each_dependency(make: Make) -> None:
    client = await make(why="timed out")
    answer = await client.get("/readyz?verbose")
    assert (answer.status, await answer.text()) == (503, "[-] store timed out\nnot ready\n")
    assert (await client.get("/readyz")).status == 503


async def test_a_ready_node_says_so(make: Make) -> None:
    answer = await (await make()).get("/readyz?verbose")
    assert (answer.status, await answer.text()) == (200, "[+] store ok\nready\n")


async def test_a_draining_node_is_not_ready(make: Make) -> None:
    answer = await (await make(draining=True)).get("/readyz?verbose")
    assert answer.status == 503
    assert "[-] drain the node is shutting down" in await answer.text()


async def test_metrics_and_version_are_served(make: Make) -> None:
    client = await make()
    assert (await (await client.get("/metrics")).text()) == "gateway_build_info 1\n"
    about = await (await client.get("/version")).json()
    assert about["version"]
    assert about["build"] == build_form()


async def test_the_audit_tail_is_readable_and_escaped(make: Make) -> None:
    client = await make()
    page = await (await client.get("/audit")).text()
    assert "origin.not_allowed" in page
    assert "<script>" not in page
    lines = (await (await client.get("/audit?format=jsonl&n=2")).text()).splitlines()
    assert len(lines) == 2
    assert (await client.get("/audit?n=many")).status == 400


async def test_the_audit_page_asks_for_no_icon_and_its_policy_lets_the_empty_one_be(make: Make) -> None:
    answer = await (await make()).get("/audit")
    assert '<link rel="icon" href="data:,">' in await answer.text()
    assert "img-src data:" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/metrics", "/version", "/audit"])
async def test_the_admin_token_is_asked_for_where_one_is_set(make: Make, path: str) -> None:
    client = await make(token="let-me-in")
    assert (await client.get(path)).status == 401
    assert (await client.get(path, headers={"Authorization": "Bearer wrong"})).status == 401
    assert (await client.get(path, headers={"Authorization": "Bearer let-me-in"})).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(make: Make, path: str) -> None:
    assert (await (await make(token="let-me-in")).get(path)).status == 200
