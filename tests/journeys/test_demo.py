"""The demo, as a visitor lives it: Chromium, the shop, the gateway and the mock Genesys, nothing replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.journeys.stage import Stage, staged
from tests.journeys.window import window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


async def test_an_anonymous_guest_writes_and_gets_the_agents_answer(stage: Stage, browser: Browser) -> None:
    """Open the chat, write, read the answer; Genesys sees a guest that the gateway calls unverified."""
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Is the ink waterproof?")
        await window.hears("You said: Is the ink waterproof?")
        assert stage.guest_texts() == ["Is the ink waterproof?"]
        attributes = stage.conversation().custom_attributes
        assert attributes["gateway.verified"] == "false"
        assert attributes["gateway.site"] == "shop"
        assert window.ours == []


async def test_signing_in_keeps_the_conversation_and_shows_the_agent_a_verified_pseudonym(
    stage: Stage, browser: Browser
) -> None:
    """The agent's side has the same conversation, now of a verified guest, and no name, e-mail or Zendesk id."""
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Hello")
        await window.hears("You said: Hello")
        before = dict(stage.conversation().custom_attributes)
        await window.page.get_by_role("button", name="Sign in as Ada").click()
        await expect(window.status).to_have_text("Signed in")
        await window.write("Now it is me")
        await window.hears("You said: Now it is me")

        assert len(stage.mock.world.conversations) == 1
        after = stage.conversation().custom_attributes
        assert (before["gateway.verified"], after["gateway.verified"]) == ("false", "true")
        assert after["gateway.guest"] != before["gateway.guest"]
        at_genesys = stage.mock.world.sessions[stage.conversation().session_id]
        assert at_genesys.verified
        assert at_genesys.subject == after["gateway.guest"]  # signed in there too, under the gateway's own pseudonym
        assert "customer-1815" not in str(after)
        assert "ada@shop.example" not in str(after)
        assert stage.guest_texts() == ["Hello", "Now it is me"]
        issued = await stage.settled_audit("session.issued")
        assert [one["gateway.auth.method"] for one in issued][:2] == ["anonymous", "zendesk-messaging"]
        assert issued[0]["user.id"] != issued[1]["user.id"]  # two guests in the records, one session
        assert issued[0]["gateway.ref.session"] == issued[1]["gateway.ref.session"]


async def test_a_reload_brings_the_conversation_back(stage: Stage, browser: Browser) -> None:
    """The history comes through the gateway with a handle, and nothing is said twice."""
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Remember me")
        await window.hears("You said: Remember me")
        await window.page.reload()
        await window.page.get_by_role("button", name="Open chat").click()
        await window.hears("You said: Remember me")
        assert stage.guest_texts() == ["Remember me"]


async def test_a_site_sets_look_and_words_of_its_panel_and_leaves_the_language_to_the_page(
    tmp_path: Path, browser: Browser
) -> None:
    """What the configuration says is what the visitor sees, under the shop's strict policy."""
    flags: dict[str, object] = {
        "sites__shop__locale": "",
        "sites__shop__panel__scheme": "dark",
        "sites__shop__panel__theme": {"accent": "#007755"},
        "sites__shop__panel__texts": {"title": "Ask the shop"},
    }
    async with staged(tmp_path, **flags) as stage, window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        panel = window.page.locator("gateway-chat")
        await expect(panel).to_have_attribute("lang", "en")  # the page's own
        await expect(panel.get_by_role("heading")).to_have_text("Ask the shop")
        await expect(panel.get_by_role("banner")).to_have_css("background-color", "rgb(0, 119, 85)")
        await expect(panel.get_by_role("dialog")).to_have_css("background-color", "rgb(21, 26, 36)")
        assert window.others == []


@pytest.mark.parametrize(
    ("link", "shows"),
    [
        ("Console", "Genesys tokens by client"),
        ("Metrics", "gateway_http_requests_total"),
        ("Audit", "session.issued"),
        ("The other side", "Look behind me"),
    ],
)
async def test_the_page_links_to_what_happened_behind(stage: Stage, browser: Browser, link: str, shows: str) -> None:
    """Each link of the page opens, and shows this very visit."""
    async with window_of(browser) as window:
        await window.open_chat(stage.shop.url)
        await window.write("Look behind me")
        await window.hears("You said: Look behind me")
        await window.page.get_by_role("link", name=link, exact=True).click()
        await expect(window.page.locator("body")).to_contain_text(shows)


async def test_a_page_of_an_origin_that_is_not_listed_is_told_once_and_unharmed(stage: Stage, browser: Browser) -> None:
    """The same shop at another port: one console line with reason and request id, a refusal on record."""
    async with window_of(browser) as window:
        await window.page.goto(stage.shop.url)
        async with window.page.expect_response("**/beacon"):  # its refusal is the one on record
            await window.page.get_by_role("link", name="A site that is not on the list").click()
            await window.until(lambda: bool(window.ours))
        await window.page.get_by_role("button", name="Sign in as Ada").click()  # the page itself still works
        await expect(window.page.locator("#visitor")).to_have_text("Ada Lovelace")
        await expect(window.page.get_by_role("button", name="Open chat")).to_have_count(0)
        assert len(window.ours) == 1
        assert stage.stranger.url in window.ours[0]
        assert "origin.not_allowed (403)" in window.ours[0]
        assert stage.mock.world.conversations == {}
        denied = await stage.settled_audit("origin.denied")
        assert {one["event.reason"] for one in denied} == {"origin.not_allowed"}
