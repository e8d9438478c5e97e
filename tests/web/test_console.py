"""The console's handlers: the page under its policy, the events, the search, and the token that browsers can show."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from gateway.web.admin import Admin, AdminParts
from gateway.web.console import FILES, ConsoleParts

Client = TestClient[Request, Application]
Make = Callable[..., Awaitable[Client]]
TOKEN = "let-me-in-please"


@pytest.fixture
async def make(aiohttp_client: Callable[[TestServer], Awaitable[Client]]) -> Make:
    async def made(token: str | None = None) -> Client:
        asked: list[int] = []

        async def states() -> Sequence[Mapping[str, Any]]:
            asked.append(1)
            return [{"node": "a", "times": len(asked)}]

        async def request(request_id: str) -> Sequence[Mapping[str, Any]]:
            return [{"http.request.id": request_id}]

        async def exposition(accept: str) -> tuple[bytes, str]:
            return b"", "text/plain"

        console = ConsoleParts(states, request, every_s=0.0)
        parts = AdminParts({}, exposition, lambda _: (), lambda: False, token, console=console)
        return await aiohttp_client(TestServer(Admin(parts).application()))

    return made


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


@pytest.mark.parametrize("path", FILES)
async def test_the_page_and_its_parts_are_served_under_a_strict_policy(make: Make, path: str) -> None:
    answer = await (await make()).get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_it_asks_for_no_icon_and_its_policy_lets_the_empty_one_be(make: Make) -> None:
    answer = await (await make()).get("/console")
    assert '<link rel="icon" href="data:,">' in await answer.text()
    assert "img-src data:" in answer.headers["Content-Security-Policy"]


def test_the_page_has_nothing_inline_and_makes_no_html_from_strings() -> None:
    folder = resources.files("gateway") / "data" / "console"
    page = (folder / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", page)
    script = (folder / "console.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)


async def test_events_tell_the_state_again_and_again(make: Make) -> None:
    async with (await make()).get("/console/events") as answer:
        assert answer.content_type == "text/event-stream"
        seen: list[int] = []
        async with asyncio.timeout(30):
            while len(seen) < 3:
                line = await answer.content.readline()
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[6:])[0]["times"])
    assert seen == [1, 2, 3]


async def test_the_state_can_be_asked_for_once(make: Make) -> None:
    assert await (await (await make()).get("/console/state")).json() == [{"node": "a", "times": 1}]


async def test_a_request_is_found_by_its_id(make: Make) -> None:
    client = await make()
    assert await (await client.get("/console/request?id=abc-1")).json() == [{"http.request.id": "abc-1"}]


@pytest.mark.parametrize("wanted", ["", "a b", "%3Cscript%3E", "x" * 65])
async def test_what_is_no_request_id_is_not_looked_for(make: Make, wanted: str) -> None:
    assert (await (await make()).get(f"/console/request?id={wanted}")).status == 400


@pytest.mark.parametrize("path", ["/console", "/console/state", "/console/events", "/console/console.js"])
async def test_the_console_asks_for_the_admin_token_in_a_way_that_browsers_know(make: Make, path: str) -> None:
    client = await make(TOKEN)
    refused = await client.get(path)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="gateway admin"')
    assert (await client.get(path, headers=basic("wrong"))).status == 401
    assert (await client.get(path, headers={"Authorization": "Basic ?"})).status == 401
    assert (await client.get(path, headers=basic(TOKEN))).status == 200
    assert (await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/audit", "/version"])
async def test_what_browsers_send_by_themselves_opens_the_console_only(make: Make, path: str) -> None:
    client = await make(TOKEN)
    assert (await client.get(path, headers=basic(TOKEN))).status == 401
