"""A real Prometheus scrapes a loaded gateway: its exposition is clean, and every dashboard's query is answered."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.build.prometheus import alerts
from tests.stack import Stack, whole_stack
from tests.store.conftest import RedisServer
from tests.telemetry import drive
from tests.telemetry.servers import program, running_alertmanager, running_prometheus, running_webhook
from tests.telemetry.test_dashboards import BOARDS, filled, panels

ROOT = Path(__file__).resolve().parents[2]
RULES = ("recording.yaml", "alerts.yaml")
SCRAPES = 14
EMPTY = {
    "Since secrets changed": "no secret changes here",
    "Reported only": "no issuer is in report-only mode",
    "Dropped": "nothing is dropped",
    "Failures of places": "every place takes lines",
    "Workers missing": "one process has no supervisor",
    "Legacy calls": "the shop has left Zendesk",
    "Migration": "no site is split",
}
"""Panels that are rightly without a line when all is well, and why."""
LOSS = {"GatewayAuditDropped", "GatewayAuditSinkFailing", "GatewayAuditVerifyFailed", "GatewayLabelOverflow"}
"""Alerts that nothing but a loss fires, however slow the machine of the test is."""


async def ask(client: aiohttp.ClientSession, url: str, path: str, **query: Any) -> Any:
    """A query of Prometheus' API; its data. Fails the test when Prometheus does not take it."""
    async with client.get(f"{url}/api/v1/{path}", params=query) as answer:
        body = await answer.json()
    assert body["status"] == "success", (query, body)
    return body["data"]


def quick_rules(directory: Path) -> list[str]:
    """The rules as committed, but looked at every second, and held for one: tests do not wait for minutes."""
    found = []
    for name in RULES:
        text = (ROOT / "deploy/prometheus" / name).read_text(encoding="utf-8")
        quick = text.replace('interval: "30s"', 'interval: "1s"').replace('for: "2m"', 'for: "1s"')
        assert quick != text
        (directory / name).write_text(quick)
        found.append(str(directory / name))
    return found


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.1)


@pytest.fixture
async def loaded(tmp_path: Path) -> AsyncIterator[tuple[Stack, str]]:
    """A gateway that is driven for ever, and the URL of the Prometheus that has scraped it some times."""
    server = RedisServer()
    flags = {"store.url": server.url, "keys.ends": {"orgs.acme.clients.reader.secret": "2031-01-31"},
             **{f"limits.requests_per_{who}_per_min": 1_000_000 for who in ("address", "guest", "site", "origin")},
             "limits.sessions_per_address_per_min": 1_000_000}  # fmt: skip

    async def load(stack: Stack) -> None:
        while True:
            await drive.socket(stack)
            await drive.calls(stack)
            await ask_page(stack)
            await asyncio.sleep(0.3)  # a few chats a second; the mock, as Genesys, takes no more at once

    async def ask_page(stack: Stack) -> None:
        await stack.session(drive.visitor_token())
        await drive.ask(stack, "GET", "/widget.js")

    try:
        async with whole_stack(tmp_path, flags) as stack:
            target = stack.admin_url.removeprefix("http://")
            async with (
                running_prometheus(tmp_path, target, quick_rules(tmp_path)) as url,
                aiohttp.ClientSession() as client,
            ):

                async def scraped(times: int) -> bool:
                    found = await ask(client, url, "query", query="count_over_time(up{job='gateway'}[5m])")
                    return bool(found["result"]) and int(found["result"][0]["value"][1]) >= times

                await until(partial(scraped, 2))  # so that each counter is seen before it moves
                await drive.everything(stack, flags)
                task = asyncio.create_task(load(stack))
                await until(partial(scraped, SCRAPES))
                assert not task.done(), task.exception()
                yield stack, url
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    finally:
        server.stop()


def numbers(series: dict[str, Any]) -> list[float]:
    """The values of a line that are numbers."""
    return [value for _, text in series["values"] if not math.isnan(value := float(text))]


@pytest.mark.timeout(150)
async def test_every_query_of_every_dashboard_is_answered(loaded: tuple[Stack, str]) -> None:
    _, url = loaded
    now, back_s = time.time(), 2 * SCRAPES
    wrong: list[str] = []
    assert set(EMPTY) <= {panel["title"] for board in BOARDS.values() for panel in panels(board)}
    async with aiohttp.ClientSession() as client:
        names = set(await ask(client, url, "label/__name__/values"))
        for board in BOARDS.values():
            for panel in panels(board):
                for target in panel["targets"]:
                    query = {"query": filled(target["expr"]), "start": now - back_s, "end": now, "step": 1}
                    lines = (await ask(client, url, "query_range", **query))["result"]
                    wrong += faults(panel["title"], target, lines)
            for mark in board["annotations"]["list"]:
                await ask(client, url, "query_range", query=filled(mark["expr"]), start=now - back_s, end=now, step=1)
        for alert in alerts():
            for name in re.findall(r"\bgateway_[a-z0-9_]+", alert.expr):
                if name not in names and not name.startswith("gateway_worker"):  # the supervisor's
                    wrong.append(f"{alert.name} asks for {name}, which nobody tells")
    assert wrong == []


def faults(title: str, target: dict[str, Any], lines: list[dict[str, Any]]) -> list[str]:
    """What is wrong with an answer: empty without reason, no number, or a legend that its labels do not fill."""
    if not lines or not any(numbers(line) for line in lines):
        return [] if title in EMPTY else [f"{title}: nothing for {target['expr']}"]
    if title in EMPTY:
        return [f"{title} is not empty, although {EMPTY[title]}"]
    wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    missing = wanted - set(lines[0]["metric"])
    return [f"{title}: the legend wants {missing}"] if missing and lines[0]["metric"] else []


@pytest.mark.timeout(150)
async def test_no_rule_fails_and_no_loss_is_alarmed_while_all_is_well(loaded: tuple[Stack, str]) -> None:
    _, url = loaded
    async with aiohttp.ClientSession() as client:
        groups = (await ask(client, url, "rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) > 70
        assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] == "err"] == []
        states = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
        assert {name: states[name] for name in LOSS} == dict.fromkeys(LOSS, "inactive")


async def test_promtool_finds_nothing_to_say_about_the_exposition(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        await drive.everything(stack)
        async with stack.client.get(f"{stack.admin_url}/metrics") as answer:
            text = await answer.read()
    pipe = asyncio.subprocess.PIPE
    check = await asyncio.create_subprocess_exec(
        program("promtool"), "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe
    )
    _, said = await check.communicate(text)
    assert (check.returncode, said) == (0, b""), said.decode()


@pytest.mark.timeout(150)
async def test_a_gateway_that_stops_pages_somebody(tmp_path: Path) -> None:
    """From the process to the pager: scrape, rule, Alertmanager, webhook."""
    async with running_webhook() as webhook, running_alertmanager(tmp_path, webhook.url) as alertmanager:
        async with whole_stack(tmp_path / "gateway") as stack:
            target = stack.admin_url.removeprefix("http://")
            prometheus = running_prometheus(tmp_path, target, quick_rules(tmp_path), alertmanager)
            url = await prometheus.__aenter__()
            async with aiohttp.ClientSession() as client:

                async def is_up() -> bool:
                    found = await ask(client, url, "query", query="up{job='gateway'} == 1")
                    return bool(found["result"])

                await until(is_up)
        try:
            async with asyncio.timeout(60):
                alert = await webhook.heard.get()
                while alert["labels"]["alertname"] != "GatewayDown":
                    alert = await webhook.heard.get()
        finally:
            await prometheus.__aexit__(None, None, None)
    assert (alert["status"], alert["labels"]["severity"]) == ("firing", "page")
    assert alert["labels"]["instance"] == target
    assert (ROOT / alert["annotations"]["runbook_url"]).is_file()
    assert target in alert["annotations"]["description"]
