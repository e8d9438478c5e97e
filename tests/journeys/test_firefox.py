"""The demo as a visitor lives it in Debian's Firefox: that nothing of the chat is Chromium's alone.

Leaves what does not depend on the browser to the journeys in Chromium. Nothing is replaced here either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.journeys.firefox import Bidi, Tab, running_firefox, tab_of
from tests.journeys.stage import Stage, staged

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
LAUNCHER = '[aria-label="Open chat"]'
STATUS = "[role=dialog] header [role=status]"
ONLINE = '[role=log][aria-live="polite"]'
ENTER = "\ue007"  # https://w3c.github.io/webdriver/#keyboard-actions
BREAKS_THE_POLICY = """async () => {
  const broken = [];
  try { document.createElement("p").innerHTML = "<b>x</b>"; } catch (fault) { broken.push(fault.name); }
  try { await fetch("http://127.0.0.1:9/"); } catch (fault) { broken.push(fault.name); }
  return broken;
}"""
KEY_CAN_BE_READ = """() => new Promise((done) => {
  const opening = indexedDB.open("gateway");
  opening.onsuccess = () => {
    const asked = opening.result.transaction("keys").objectStore("keys").get("possession.shop");
    asked.onsuccess = () => { opening.result.close(); done(asked.result.privateKey.extractable); };
  };
})"""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bidi]:
    """Firefox, once for all journeys of this file."""
    async with running_firefox(tmp_path_factory.mktemp("firefox")) as bidi:
        yield bidi


@pytest_asyncio.fixture(loop_scope="session")
async def tab(firefox: Bidi) -> AsyncIterator[Tab]:
    """A tab that has never been at the shop."""
    async with tab_of(firefox) as fresh:
        yield fresh


async def open_chat(tab: Tab) -> None:
    """Press the launcher, and wait until the panel is connected."""
    await tab.click(LAUNCHER)
    await tab.sees(ONLINE)


async def ask(tab: Tab, text: str) -> None:
    """Write it, and wait for the agent's answer."""
    await tab.click('[aria-label="Write a message"]')
    await tab.type(text + ENTER)
    await tab.sees("[role=log] *", f"You said: {text}")


async def test_the_agent_answers_and_the_strict_policy_of_the_shop_is_kept(stage: Stage, tab: Tab) -> None:
    """No violation of the policy, Trusted Types among it; that one would be heard is shown by two of our own making."""
    await tab.goto(stage.shop.url)
    await open_chat(tab)
    await ask(tab, "Is the ink waterproof?")
    assert stage.guest_texts() == ["Is the ink waterproof?"]
    assert stage.conversation().custom_attributes["gateway.verified"] == "false"
    assert tab.violations == []
    assert tab.ours == []
    assert await tab.run(BREAKS_THE_POLICY) == ["TypeError", "TypeError"]
    await tab.until(lambda: len(tab.violations) == 2)
    assert sorted(tab.violations) == [
        "connect-src http://127.0.0.1:9/", "require-trusted-types-for trusted-types-sink",
    ]  # fmt: skip


async def test_signing_in_keeps_the_conversation_and_a_reload_brings_it_back(stage: Stage, tab: Tab) -> None:
    await tab.goto(stage.shop.url)
    await open_chat(tab)
    await ask(tab, "Hello")
    before = stage.conversation().custom_attributes["gateway.guest"]
    await tab.click("#sign-in")
    await tab.sees(STATUS, "Signed in")
    await ask(tab, "Now it is me")
    after = stage.conversation().custom_attributes
    assert (after["gateway.verified"], after["gateway.guest"] != before) == ("true", True)
    assert len(stage.mock.world.conversations) == 1
    await tab.reload()
    await tab.click(LAUNCHER)
    await tab.sees("[role=log] *", "You said: Hello")
    await tab.sees("[role=log] *", "You said: Now it is me")
    assert stage.guest_texts() == ["Hello", "Now it is me"]
    assert (tab.violations, tab.ours) == ([], [])


async def test_a_call_of_zendesk_opens_the_chat(stage: Stage, tab: Tab) -> None:
    """From the page's own button, which calls `zE`, and from a call with a callback."""
    await tab.goto(f"{stage.shop.url}/examples/plain")
    await tab.click("#help")
    await tab.sees(ONLINE)
    await ask(tab, "Where is my order?")
    await tab.run("() => new Promise((done) => zE('messenger', 'sendMessage', 'Still there?', null, done))")
    await tab.sees("[role=log] *", "You said: Still there?")
    assert stage.guest_texts() == ["Where is my order?", "Still there?"]
    assert tab.ours == []


async def test_a_page_of_an_origin_that_is_not_listed_is_told_once_and_unharmed(stage: Stage, tab: Tab) -> None:
    await tab.goto(stage.stranger.url)
    await tab.until(lambda: bool(tab.ours))
    await tab.click("#sign-in")
    await tab.sees("#visitor", "Ada Lovelace")
    assert len(tab.ours) == 1
    assert "origin.not_allowed (403)" in tab.ours[0]
    assert stage.stranger.url in tab.ours[0]
    assert stage.mock.world.conversations == {}
    denied = await stage.settled_audit("origin.denied")
    assert {one["event.reason"] for one in denied} == {"origin.not_allowed"}
    assert denied[0]["http.request.id"] in tab.ours[0]


async def test_a_session_bound_to_a_key_lives_through_a_reload(tmp_path: Path, firefox: Bidi) -> None:
    """DPoP with Firefox's own cryptography and store: the key cannot be read out, and proves after the reload too."""
    flags: dict[str, object] = {
        "sites__shop__session__dpop": "required", "sites__shop__visitors__anonymous_socket": False,
    }  # fmt: skip
    async with staged(tmp_path, **flags) as stage, tab_of(firefox) as tab:
        await tab.goto(stage.shop.url)
        await open_chat(tab)
        await tab.click("#sign-in")
        await tab.sees(STATUS, "Signed in")
        await ask(tab, "Bound")
        await tab.reload()
        await tab.click(LAUNCHER)
        await tab.sees("[role=log] *", "You said: Bound")
        assert await tab.run(KEY_CAN_BE_READ) is False
        assert [one for one in stage.audit() if str(one.get("event.reason", "")).startswith("dpop.")] == []
