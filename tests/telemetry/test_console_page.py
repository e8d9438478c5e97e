"""The console in Chromium, over a real gateway: live, searchable, under its policy, closed without the admin token.

`python -m tests.telemetry.test_console_page` takes the pictures of docs/images.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.journeys.conftest import CHROMIUM, FLAGS
from tests.journeys.guest_client import connected
from tests.stack import DEPLOYMENT, PAGE, Stack, whole_stack
from tests.telemetry import drive

TOKEN = "console-admin-token-0123456789abcdef"
FLAGS_OF_NODE = {"admin.token": TOKEN}
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
pytestmark = pytest.mark.timeout(90)


@asynccontextmanager
async def opened(stack: Stack, password: str = TOKEN, scheme: str = "light") -> AsyncIterator[tuple[Page, list[str]]]:
    """The console in a fresh browser, and what the browser complained about."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await chromium.new_context(
            http_credentials={"username": "operator", "password": password},
            viewport={"width": 1280, "height": 1180},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page, faults = await context.new_page(), list[str]()
        page.on("pageerror", lambda fault: faults.append(str(fault)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
        await page.goto(f"{stack.admin_url}/console")
        yield page, faults
        await chromium.close()


async def test_a_person_sees_what_a_node_does(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, FLAGS_OF_NODE) as stack:
        await drive.everything(stack, FLAGS_OF_NODE)
        async with stack.call("POST", "/session", origin="https://evil.example", json={}) as answer:
            request_id = answer.headers["X-Request-Id"]
        await stack.records()
        async with opened(stack) as (page, faults):
            await expect(page.get_by_role("status")).to_contain_text("Live")
            await expect(page.locator("#tokens")).to_contain_text("reader")
            await expect(page.locator("#tokens")).to_contain_text("routing:queue:view")
            await expect(page.locator("#upstreams")).to_contain_text("api")
            await expect(page.locator("#refused")).to_contain_text("origin.not_allowed")
            await expect(page.locator("#audit")).to_contain_text(stack.gateway.audit.writer_name)
            await expect(page.locator("#sockets")).to_contain_text("No socket is open.")
            async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
                await guest.configure()
                await expect(page.locator("#sockets")).to_contain_text("shop")  # told by an event, without a reload
            await page.get_by_label("Request id").fill(request_id)
            await page.get_by_role("button", name="Find").click()
            await expect(page.locator("#found")).to_contain_text("origin.denied")
            await page.get_by_role("button", name="Clear").click()
            await expect(page.locator("#found")).to_be_empty()
            assert faults == []
            text = await page.content()
        for secret in (TOKEN, *stack.mock.world.access_tokens, drive.SUBJECT, "cara@canary.example"):
            assert secret not in text


async def test_what_foreign_words_hold_is_shown_as_text(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, FLAGS_OF_NODE) as stack:
        async with stack.call("POST", "/session", origin="https://<img src=x onerror=alert(1)>", json={}) as answer:
            assert answer.status in {400, 403}
        await stack.records()
        async with opened(stack) as (page, faults):
            await expect(page.locator("#refusals")).to_contain_text("origin.")
            assert await page.locator("#refusals img").count() == 0
            assert faults == []


async def test_without_the_token_there_is_no_console(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, FLAGS_OF_NODE) as stack, opened(stack, password="wrong") as (page, _):
        await expect(page.locator("body")).to_contain_text("The admin token is needed")


async def pictures() -> None:
    """Write docs/images/console-*.png."""
    with tempfile.TemporaryDirectory() as directory:
        async with whole_stack(Path(directory), FLAGS_OF_NODE) as stack:
            await drive.everything(stack, FLAGS_OF_NODE)
            async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
                await guest.configure()
                for scheme in ("light", "dark"):
                    async with opened(stack, scheme=scheme) as (page, _):
                        await expect(page.locator("#sockets")).to_contain_text("shop")
                        await page.screenshot(path=IMAGES / f"console-{scheme}.png", full_page=True)


if __name__ == "__main__":
    asyncio.run(pictures())
