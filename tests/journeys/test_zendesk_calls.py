"""Zendesk's calls on a real page, through the real gateway, to the mock Genesys: both modes, and what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.cli.shim import uses_of
from gateway.web.shim_table import read_table
from tests.journeys.stage import staged
from tests.journeys.window import window_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(90)]
STATIC = Path(__file__).resolve().parents[2] / "static"
CALLS = """async () => {
  const { status } = await fetch('/sign-in', { method: 'POST' });
  const token = () => fetch('/token', { method: 'POST' }).then((answer) => answer.json()).then(({ token }) => token);
  await new Promise((done, failed) => zE('messenger', 'loginUser', (give) => token().then(give),
    (error) => (error ? failed(error) : done())));
  zE('messenger:set', 'conversationFields', [{ id: '360012345678', value: 'A-17' }]);
  $zopim.livechat.departments.setVisitorDepartment('Sales');
  zE('webWidget', 'helpCenter:setSuggestions', { search: 'x' });
  await new Promise((done, failed) => zE('messenger', 'sendMessage', 'Where is my order?', null,
    (error) => (error ? failed(error) : done())));
  return status;
}"""


@pytest.mark.parametrize("mode", ["proxied", "messenger"])
async def test_a_page_written_for_zendesk_reaches_genesys(tmp_path: Path, browser: Browser, mode: str) -> None:
    """Login, a ticket field, a department and a message arrive; the owner reads which calls the page makes."""
    flags = {"sites__shop__mode": mode, "sites__shop__visitors__genesys_login": mode == "proxied"}
    async with staged(tmp_path, **flags) as stage, window_of(browser) as window:
        await window.page.goto(f"{stage.shop.url}/examples/plain")
        await window.page.evaluate(CALLS)
        if mode == "proxied":
            await window.page.evaluate("zE('messenger', 'open')")
            await window.hears("You said: Where is my order?")
        await window.page.wait_for_function("zE('webWidget:get', 'chat:isChatting')")
        assert stage.guest_texts() == ["Where is my order?"]
        attributes = stage.conversation().custom_attributes
        assert attributes["order_number"] == "A-17"
        assert attributes["zd_department"] == "sales"
        assert stage.mock.world.sessions[stage.conversation().session_id].verified
        async with window.page.expect_response("**/beacon"):
            await window.page.evaluate("window.dispatchEvent(new Event('pagehide'))")
        body, _ = stage.gateway.gateway.metrics.exposition("text/plain")
        uses = {use.call: use.how_far for use in uses_of(body.decode(), read_table(STATIC))}
        assert uses["messenger loginUser"] == "works"
        assert next(iter(uses.items())) == ("webWidget helpCenter:*", "lost")
        assert window.ours == []
