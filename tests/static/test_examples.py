"""The example pages, as the demo shop serves them: each one chats, in the way that it is there to show."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from gateway.demo.examples import EXAMPLES, NODE_MODULES
from gateway.demo.shop import ShopSettings, running_shop
from tests.static.conftest import Visit
from tests.static.stand_in import ASSETS, DEPLOYMENT_ID

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]
ROOT = Path(__file__).resolve().parents[2]


@pytest_asyncio.fixture(loop_scope="session")
async def shop(visit: Visit) -> AsyncIterator[str]:
    """The demo shop, pointed at the stand-in."""
    settings = ShopSettings(
        secret="x" * 40,
        port=0,
        widget_url=f"{visit.gateway.url}/sites/shop/widget.js",
        client_url=visit.gateway.url + ASSETS.payload_settings()["client"]["url"],
        deployment_id=DEPLOYMENT_ID,
    )
    visit.gateway.settings = {"zendesk": {"fields": {}, "departments": {}}}
    async with running_shop(settings) as running:
        yield running.url


async def chat(visit: Visit) -> None:
    """Open the chat by its launcher, write, and be answered."""
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.online()
    await visit.write("hello")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hello"])
    await visit.gateway.say("good day")
    await visit.log.get_by_text("good day").wait_for()


async def test_the_shop_lists_every_example(visit: Visit, shop: str) -> None:
    await visit.page.goto(f"{shop}/examples/")
    assert await visit.page.get_by_role("list").get_by_role("link").count() == len(EXAMPLES)
    assert {path.stem for path in (ROOT / "static" / "examples").glob("*.html")} == set(EXAMPLES)


async def test_the_plain_page_uses_zendesks_calls_as_it_did(visit: Visit, shop: str) -> None:
    await visit.page.goto(f"{shop}/examples/plain")
    await visit.page.get_by_role("button", name="Ask for help").click()
    await visit.online()
    await visit.write("hello")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["hello"])
    attributes = visit.gateway.frames[-1]["message"]["channel"]["metadata"]["customAttributes"]
    assert attributes == {"zd_locale": "en", "zd_tags": "example,plain"}
    await visit.page.get_by_role("button", name="Close chat").click()
    await visit.gateway.say("are you there?")
    await expect(visit.page.locator("#unread")).to_have_text("1")


async def test_the_strict_page_chats_without_a_violation(visit: Visit, shop: str) -> None:
    await visit.page.goto(f"{shop}/examples/strict-csp")
    await chat(visit)
    await expect(visit.page.locator("#violations")).to_have_text("0")
    assert visit.console.faults == []


async def test_the_consent_page_loads_nothing_before_the_visitor_agrees(visit: Visit, shop: str) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    await visit.page.goto(f"{shop}/examples/consent")
    assert [url for url in asked if visit.gateway.url in url] == [f"{visit.gateway.url}/sites/shop/widget.js"]
    await visit.page.get_by_role("button", name="Allow the chat").click()
    await chat(visit)
    await visit.page.get_by_role("button", name="Refuse the chat").click()
    await visit.page.wait_for_function("sessionStorage.length === 0")
    await expect(visit.page.locator("gateway-chat")).to_be_hidden()


async def test_the_single_page_application_keeps_its_chat_over_navigation(visit: Visit, shop: str) -> None:
    await visit.page.goto(f"{shop}/examples/single-page")
    await chat(visit)
    await visit.page.get_by_role("link", name="cart").click()
    await visit.page.get_by_role("heading", name="Your cart holds a notebook.").wait_for()
    await visit.log.get_by_text("good day").wait_for()
    await visit.write("about my cart")
    await visit.gateway.until(lambda: visit.gateway.sent()[-1] == "about my cart")
    assert visit.gateway.frames[-1]["message"]["channel"]["metadata"]["customAttributes"] == {"view": "cart"}
    assert len(visit.gateway.sockets) == 1


async def test_the_react_page_draws_its_own_chat_on_the_client(visit: Visit, shop: str) -> None:
    subprocess.run([ROOT / ".ci" / "browser-parts"], check=True, timeout=80)  # noqa: ASYNC221  # once, before the page
    assert (NODE_MODULES / "react").is_dir()
    await visit.page.goto(f"{shop}/examples/react")
    await visit.page.get_by_role("textbox", name="Message").fill("from React")
    await visit.page.get_by_role("button", name="Send").click()
    await visit.gateway.until(lambda: visit.gateway.sent() == ["from React"])
    await visit.gateway.say("good day", channel={"from": {"nickname": "Charles"}, "time": "2026-11-20T14:06:30.000Z"})
    await visit.log.get_by_text("Charles: good day").wait_for()
    await visit.page.get_by_text("The chat is online.").wait_for()


async def test_the_react_page_says_why_it_was_refused(visit: Visit, shop: str) -> None:
    subprocess.run([ROOT / ".ci" / "browser-parts"], check=True, timeout=80)  # noqa: ASYNC221  # once, before the page
    visit.gateway.refuse("ticket", 404, "request.not_found", times=9)
    await visit.page.goto(f"{shop}/examples/react")
    await visit.page.get_by_role("textbox", name="Message").fill("hello")
    await visit.page.get_by_role("button", name="Send").click()
    await visit.page.get_by_role("alert").get_by_text("Refused by the test. Reference: req-test-1").wait_for()
    assert len(visit.gateway.asked("ticket")) == 1


async def test_without_react_the_page_says_how_to_get_it(visit: Visit, shop: str) -> None:
    await visit.page.route("**/vendor/*", lambda route: route.fulfill(status=404))
    await visit.page.goto(f"{shop}/examples/react")
    await visit.page.get_by_text("React is not here.").wait_for()
