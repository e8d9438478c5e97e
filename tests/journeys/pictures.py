"""Take the demo's pictures for the documentation: `python -m tests.journeys.pictures` writes docs/images/demo-*.png.

A real visit (shop, gateway, mock, Chromium); not a test, and nothing depends on it.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright, expect

from tests.journeys.conftest import CHROMIUM, FLAGS
from tests.journeys.stage import Stage, staged
from tests.journeys.window import Window

IMAGES_DIR = Path(__file__).resolve().parents[2] / "docs" / "images"


async def visit(stage: Stage, window: Window) -> None:
    """The demo journey, with a picture at each station."""
    page = window.page
    await window.open_chat(stage.shop.url)
    await window.write("Hello! Is the ink waterproof once it is dry?")
    await window.hears("You said: Hello! Is the ink waterproof once it is dry?")
    await page.screenshot(path=IMAGES_DIR / "demo-before-sign-in.png")
    stage.mock.world.faults.add("webmessaging", "slow", match="GET *", seconds=3.0)
    await page.get_by_role("button", name="Sign in as Ada").click()
    await expect(window.status).to_have_text("Connecting …")
    await page.screenshot(path=IMAGES_DIR / "demo-during-sign-in.png")
    await expect(window.status).to_have_text("Signed in")
    await window.write("who am i?")
    await expect(window.log.get_by_text("You are")).to_be_visible()
    await page.screenshot(path=IMAGES_DIR / "demo-after-sign-in.png")
    await page.goto(f"{stage.mock.endpoints.control}/")
    await page.screenshot(path=IMAGES_DIR / "demo-agent-side.png")
    await page.goto(f"{stage.gateway.admin_url}/audit")
    await page.screenshot(path=IMAGES_DIR / "demo-audit.png")


async def main() -> None:
    """Run everything, take the pictures, end everything."""
    IMAGES_DIR.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        async with staged(Path(directory)) as stage, async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            context = await chromium.new_context(viewport={"width": 1180, "height": 800})
            await visit(stage, Window(await context.new_page()))
            await chromium.close()


if __name__ == "__main__":
    asyncio.run(main())
