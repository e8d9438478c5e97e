"""Real Prometheus and Alertmanager on free ports, for the length of a block, and a webhook that hears alerts.

Leaves what they scrape and alert on to the tests.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from deploy.build.yaml_text import yaml_text
from tests.ports import free_port


def program(name: str) -> str:
    """Where a program is. Fails the test without it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"these tests need {name}; see .ci/system", pytrace=False)
    return found


@asynccontextmanager
async def _running(directory: Path, ready_url: str, *command: str) -> AsyncIterator[None]:
    """Run a program until the end of the block; it is there once the address answers 200."""
    log = (directory / f"{Path(command[0]).name}.log").open("wb")
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as client:
            while process.returncode is None:
                try:
                    async with client.get(ready_url) as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        if process.returncode is not None:
            pytest.fail(f"{command[0]} ended at once; see {log.name}", pytrace=False)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        log.close()


@asynccontextmanager
async def running_prometheus(
    directory: Path, target: str, rules: list[str], alertmanager: str | None = None
) -> AsyncIterator[str]:
    """A Prometheus that scrapes `target` (host:port) every second as job gateway; its base URL."""
    port = free_port()
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "gateway", "static_configs": [{"targets": [target]}]}],
    }
    if alertmanager is not None:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (directory / "prometheus.yaml").write_text(yaml_text(config))
    url = f"http://127.0.0.1:{port}"
    command = (
        program("prometheus"), f"--config.file={directory / 'prometheus.yaml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={directory / 'tsdb'}", "--enable-feature=exemplar-storage",
        "--rules.alert.resend-delay=1s", "--log.level=warn",
    )  # fmt: skip
    async with _running(directory, f"{url}/-/ready", *command):
        yield url


@asynccontextmanager
async def running_alertmanager(directory: Path, webhook: str) -> AsyncIterator[str]:
    """An Alertmanager that tells pages to the webhook at once; its host:port."""
    port = free_port()
    config = {
        "route": {
            "receiver": "nobody",
            "group_wait": "0s",
            "group_by": ["alertname"],
            "routes": [{"receiver": "on-call", "matchers": ["severity = page"], "group_wait": "0s"}],
        },
        "receivers": [{"name": "nobody"}, {"name": "on-call", "webhook_configs": [{"url": webhook}]}],
    }
    (directory / "alertmanager.yaml").write_text(yaml_text(config))
    command = (
        program("prometheus-alertmanager"), f"--config.file={directory / 'alertmanager.yaml'}",
        f"--web.listen-address=127.0.0.1:{port}", f"--storage.path={directory / 'alerts'}", "--cluster.listen-address=",
        "--log.level=warn",
    )  # fmt: skip
    async with _running(directory, f"http://127.0.0.1:{port}/-/ready", *command):
        yield f"127.0.0.1:{port}"


class Webhook:
    """What a pager would get."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        """Keep one notification."""
        for alert in json.loads(await request.read())["alerts"]:
            self.heard.put_nowait(alert)
        return web.Response()


@asynccontextmanager
async def running_webhook() -> AsyncIterator[Webhook]:
    """A webhook receiver on a free port."""
    webhook = Webhook()
    app = web.Application()
    app.router.add_post("/page", webhook.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    webhook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/page"
    try:
        yield webhook
    finally:
        await runner.cleanup()
