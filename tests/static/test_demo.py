"""The demo page in a browser: its strict policy holds, and Ada signs in without losing what she wrote."""

from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from gateway.demo.shop import ShopSettings, running_shop
from tests.static.conftest import Console
from tests.static.stand_in import StandIn, serve

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]
LAPTOP: ViewportSize = {"width": 1366, "height": 682}  # a small one: the open chat fills it from top to bottom


async def test_ada_writes_signs_in_beside_the_open_chat_reloads_and_signs_out(browser: Browser) -> None:
    gateway = StandIn()
    async with AsyncExitStack() as stack:
        gateway.url = await stack.enter_async_context(serve(gateway.app()))
        settings = ShopSettings(secret="s" * 32, port=0, widget_url=f"{gateway.url}/sites/shop/widget.js")
        shop = await stack.enter_async_context(running_shop(settings))
        page = await stack.enter_async_context(await browser.new_page(viewport=LAPTOP))
        console = Console(page)
        await page.goto(shop.url)
        await page.get_by_role("button", name="Open chat").click()
        await page.get_by_role("textbox", name="Write a message").fill("Is the ink waterproof?")
        await page.keyboard.press("Enter")
        await page.get_by_role("log").get_by_text("Sent", exact=True).wait_for()
        await page.get_by_role("button", name="Sign in as Ada").click()
        await gateway.until(lambda: any(guest.verified for guest in gateway.sessions.values()))
        await page.reload()
        await page.get_by_role("button", name="Open chat").click()
        await page.get_by_text("Signed in").wait_for()
        await page.get_by_role("log").get_by_text("Is the ink waterproof?").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await gateway.until(lambda: gateway.sessions == {})
        await expect(page.get_by_role("button", name="Sign in as Ada")).to_be_visible()
        assert console.faults == []
        assert console.ours == []
