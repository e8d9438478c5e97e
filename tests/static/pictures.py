"""Take the pictures of the documentation: `python -m tests.static.pictures` writes docs/images/*.png.

The demo shop's page, with a conversation played by the stand-in; not a test, and nothing depends on it.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from gateway.demo.shop import ShopSettings, running_shop
from tests.static.conftest import CHROMIUM, FLAGS
from tests.static.stand_in import StandIn, serve

IMAGES_DIR = Path(__file__).resolve().parents[2] / "docs" / "images"
ENGLISH = {
    "ask": "Hello! Is the Engine notebook dotted or squared?",
    "bot": "Good afternoon! Let me look that up for you.",
    "agent": "Hi, this is Charles. It is dotted, 5 mm. There is a squared one too:",
    "card": {
        "title": "Engine notebook, squared",
        "description": "192 pages, sewn to lie flat, €14",
        "buy": "Reserve one",
    },
    "question": "Shall I put one aside for you?",
    "replies": ["Yes, please", "No, thank you"],
    "by": "Charles",
}
ARABIC = {
    "ask": "مرحبًا! هل الدفتر منقّط أم مربّعات؟",
    "bot": "مساء الخير! سأبحث عن ذلك لك.",
    "agent": "أهلًا، معك كريم. إنه منقّط، 5 مم. ولدينا نوع بمربّعات أيضًا:",
    "card": {"title": "دفتر بمربّعات", "description": "192 صفحة، 14 يورو", "buy": "احجز واحدًا"},
    "question": "هل أحجز لك واحدًا؟",
    "replies": ["نعم، من فضلك", "لا، شكرًا"],
    "by": "كريم",
}


async def converse(gateway: StandIn, page: Page, words: dict[str, Any]) -> None:
    """Open the chat and play the conversation."""
    await page.locator("gateway-chat .launcher").click()
    log = page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await page.locator("gateway-chat textarea").fill(words["ask"])
    await page.keyboard.press("Enter")
    await gateway.until(lambda: len(gateway.sent()) == 1)
    agent: dict[str, Any] = {"originatingEntity": "Human"}
    await gateway.say(words["bot"], originatingEntity="Bot")
    by = {"from": {"nickname": words["by"]}, "time": "2026-11-20T14:06:30.000Z"}
    await gateway.say(words["agent"], **agent, channel=by)
    card = words["card"]
    action = {"type": "Postback", "text": card["buy"], "payload": "reserve"}
    content = [{"contentType": "Card", "card": {**card, "actions": [action]}}]
    by = {**by, "time": "2026-11-20T14:06:31.000Z"}
    await gateway.say("", type="Structured", content=content, **agent, channel=by)
    replies = [
        {"contentType": "QuickReply", "quickReply": {"text": text, "payload": text}} for text in words["replies"]
    ]
    by = {**by, "time": "2026-11-20T14:06:40.000Z"}
    await gateway.say(words["question"], type="Structured", content=replies, **agent, channel=by)
    await log.get_by_text(words["question"]).wait_for()


async def take(browser: Browser, name: str, words: dict[str, Any], settings: dict[str, Any], **context: Any) -> None:
    """One picture, in a browser profile and a shop of its own."""
    gateway = StandIn()
    gateway.settings = settings
    async with AsyncExitStack() as stack:
        gateway.url = await stack.enter_async_context(serve(gateway.app()))
        widget = f"{gateway.url}/sites/shop/widget.js"
        shop = await stack.enter_async_context(running_shop(ShopSettings(secret="s" * 32, port=0, widget_url=widget)))
        window = await browser.new_context(**{"viewport": {"width": 1180, "height": 760}, **context})
        page = await window.new_page()
        await page.goto(shop.url)
        await converse(gateway, page, words)
        IMAGES_DIR.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=IMAGES_DIR / f"{name}.png", animations="disabled")
        await window.close()


async def main() -> None:
    """Take them all."""
    phone = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 1, "has_touch": True, "is_mobile": True}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        await take(browser, "panel-desktop", ENGLISH, {})
        await take(browser, "panel-phone", ENGLISH, {}, **phone)
        await take(browser, "panel-right-to-left", ARABIC, {"locale": "ar"})
        await take(browser, "panel-high-contrast", ENGLISH, {}, forced_colors="active", color_scheme="dark")
        await take(browser, "panel-dark", ENGLISH, {"theme": {"scheme": "dark", "accent": "#3d6dff"}})
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
