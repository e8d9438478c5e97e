"""The panel as a visitor meets it: by mouse, by keyboard, by ear, on a phone, in other languages and contrasts."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

QUICK_REPLIES = [
    {"contentType": "QuickReply", "quickReply": {"text": text, "payload": text.lower()}} for text in ("Yes", "No")
]
CARD = {
    "title": "Ink",
    "description": "50 ml",
    "image": "javascript:alert(1)",
    "defaultAction": {"type": "Link", "url": "javascript:alert(2)"},
    "actions": [
        {"type": "Postback", "text": "Buy", "payload": "buy-ink"},
        {"type": "Link", "text": "Look", "url": "https://shop.example/ink"},
    ],
}
# Luminance contrast as in WCAG 2.2 (1.4.3), of each visible text against the first opaque background behind it.
LOW_CONTRAST = """
const root = document.querySelector('gateway-chat').shadowRoot;
const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const found = [];
for (const element of root.querySelectorAll('*')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest('.unseen') || element.tagName === 'STYLE') continue;
  const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) found.push(`${element.className} ${element.textContent}`);
}
return found;
"""
# What an accessibility checker asks first: names on controls, unique ids, no focusable thing hidden from readers.
UNNAMED = """
const root = document.querySelector('gateway-chat').shadowRoot;
const found = [];
for (const element of root.querySelectorAll('button, a, textarea, input, [role=dialog], [role=log], img')) {
  if (!element.checkVisibility()) continue;
  const labelled = element.getAttribute('aria-labelledby');
  const name = element.getAttribute('aria-label') ?? element.getAttribute('alt')
    ?? (labelled ? root.getElementById(labelled)?.textContent : element.textContent);
  if (!name?.trim() && element.getAttribute('alt') !== '') found.push(element.outerHTML);
  if (element.closest('[aria-hidden=true]') && element.tabIndex >= 0) found.push(`hidden: ${element.outerHTML}`);
}
const ids = [...root.querySelectorAll('[id]')].map(({ id }) => id);
return found.concat(ids.filter((id, index) => ids.indexOf(id) !== index));
"""
SMALL_TARGETS = """
const root = document.querySelector('gateway-chat').shadowRoot;
return [...root.querySelectorAll('button, a')].filter((each) => each.checkVisibility())
  .map((each) => [each.textContent || each.ariaLabel, each.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name);
"""


async def focused(visit: Visit) -> str:
    """The label of what has the focus inside the panel."""
    script = "const at = document.activeElement?.shadowRoot?.activeElement;"
    return str(await visit.run(f"{script} return at?.getAttribute('aria-label') ?? at?.textContent ?? '';"))


async def test_a_message_goes_there_and_an_answer_comes_back(visit: Visit) -> None:
    await visit.chat()
    await visit.write("Do you ship to Turin?")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["Do you ship to Turin?"])
    await visit.gateway.say("We do.")
    await visit.log.get_by_text("We do.").wait_for()


async def test_the_keyboard_alone_opens_writes_and_closes(visit: Visit) -> None:
    await visit.go()
    await visit.page.locator("#own").focus()
    await visit.page.keyboard.press("Tab")
    assert await focused(visit) == "Open chat"
    await visit.page.keyboard.press("Enter")
    await visit.online()
    assert await focused(visit) == "Write a message"
    await visit.page.keyboard.type("two")
    await visit.page.keyboard.press("Shift+Enter")
    await visit.page.keyboard.type("lines")
    await visit.page.keyboard.press("Enter")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["two\nlines"])
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog")).to_be_hidden()
    assert await focused(visit) == "Open chat"


async def test_keys_pressed_in_the_chat_do_not_reach_the_pages_shortcuts(visit: Visit) -> None:
    visit.site.after = "window.keys = []; addEventListener('keydown', ({ key }) => window.keys.push(key));"
    await visit.chat()
    await visit.input.press_sequentially("/search")
    assert await visit.run("return window.keys;") == []


async def test_the_launcher_says_whether_the_dialog_is_open(visit: Visit) -> None:
    await visit.go()
    launcher = visit.page.locator("gateway-chat .launcher")
    await expect(launcher).to_have_attribute("aria-expanded", "false")
    await launcher.click()
    await expect(launcher).to_have_attribute("aria-expanded", "true")
    await expect(visit.page.get_by_role("dialog", name="Chat with us")).to_be_visible()


async def test_new_messages_are_read_aloud_and_old_ones_are_not(visit: Visit) -> None:
    await visit.go()
    log = visit.page.locator("gateway-chat .log")
    await expect(log).to_have_attribute("aria-live", "off")
    await visit.page.get_by_role("button", name="Open chat").click()
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(log).to_have_attribute("aria-relevant", "additions")


async def test_a_message_that_gets_confirmed_is_not_read_aloud_again(visit: Visit) -> None:
    await visit.chat()
    await visit.run(
        "const log = document.querySelector('gateway-chat').shadowRoot.querySelector('.log'); window.added = [];"
        "const note = ({ addedNodes }) => addedNodes.forEach((node) => added.push(node.textContent));"
        "new MutationObserver((all) => all.forEach(note)).observe(log, { childList: true });"
    )
    await visit.write("once")
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    assert len(await visit.run("return window.added;")) == 1


async def test_unread_messages_are_counted_and_told(visit: Visit) -> None:
    visit.site.after = "window.counts = []; window.gateway.on('unread', (n) => window.counts.push(n));"
    await visit.chat()
    await visit.page.get_by_role("button", name="Close chat").click()
    await visit.gateway.say("one")
    await visit.gateway.say("two")
    await visit.page.get_by_role("button", name="Open chat. Unread messages: 2").click()
    await expect(visit.page.locator("gateway-chat .badge")).to_be_hidden()
    assert await visit.run("return window.counts;") == [1, 2, 0]


async def test_typing_of_the_other_side_shows_until_its_message_comes(visit: Visit) -> None:
    await visit.chat()
    events = [{"eventType": "Typing", "typing": {"type": "On", "duration": 60000}}]
    await visit.gateway.push(
        "StructuredMessage", {"id": "t", "direction": "Outbound", "type": "Event", "events": events}
    )
    await visit.page.get_by_role("dialog").get_by_text("Typing …").wait_for()
    await visit.gateway.say("here I am")
    await expect(visit.page.get_by_role("dialog").get_by_text("Typing …")).to_be_hidden()


async def test_offline_is_told_and_what_was_written_is_sent_on_return(visit: Visit) -> None:
    await visit.chat()
    await visit.context.set_offline(True)
    await visit.page.get_by_text("You are offline.").wait_for()
    await visit.write("in the lift")
    await visit.log.get_by_text("Waiting to be sent").wait_for()
    await visit.context.set_offline(False)
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    await expect(visit.page.get_by_text("You are offline.")).to_be_hidden()
    assert visit.gateway.stored() == ["in the lift"]


async def test_a_message_that_failed_can_be_sent_again(visit: Visit) -> None:
    refusals: list[dict[str, Any]] = [{"kind": "string", "body": "no", "code": 4003}]
    visit.gateway.answer_message = lambda _: refusals.pop() if refusals else None
    await visit.chat()
    await visit.write("try me")
    await visit.log.get_by_text("Not sent").wait_for()
    await visit.log.get_by_role("button", name="Try again").click()
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    assert visit.gateway.stored() == ["try me"]


async def test_a_text_that_is_too_long_is_kept_and_told(visit: Visit) -> None:
    await visit.chat()
    await visit.input.fill("x" * 4097)
    await visit.page.get_by_role("button", name="Send").click()
    await expect(visit.page.get_by_role("alert")).to_have_text("This message is too long.")
    await expect(visit.input).to_have_value("x" * 4097)


async def test_what_was_typed_survives_a_reload(visit: Visit) -> None:
    await visit.chat()
    await visit.input.fill("half a thought")
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Open chat").click()
    await expect(visit.input).to_have_value("half a thought")


async def test_the_thread_survives_a_reload(visit: Visit) -> None:
    await visit.chat()
    await visit.write("remember me")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["remember me"])
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.log.get_by_text("remember me").wait_for()


async def test_earlier_pages_of_the_history_can_be_asked_for(visit: Visit) -> None:
    await visit.chat()
    await visit.write("start")
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    for number in range(30):
        await visit.gateway.say(f"line {number}")
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.log.get_by_text("line 29").wait_for()
    await expect(visit.log.get_by_text("start")).to_have_count(0)
    await visit.log.get_by_role("button", name="Show earlier messages").click()
    await visit.log.get_by_text("start").wait_for()
    assert await visit.log.locator(".message").count() == 32  # 31 messages and the greeting


async def test_quick_replies_answer_as_the_guest_api_wants_and_then_close(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.say("Shall I?", type="Structured", content=QUICK_REPLIES)
    await visit.log.get_by_role("button", name="Yes").click()
    await visit.gateway.until(lambda: bool(visit.gateway.sent()))
    message = visit.gateway.frames[-1]["message"]
    assert message["type"] == "Structured"
    assert message["content"][0]["buttonResponse"] == {"type": "QuickReply", "text": "Yes", "payload": "yes"}
    await expect(visit.log.get_by_role("button", name="No")).to_be_disabled()


async def test_a_card_shows_its_actions_and_follows_no_script_address(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.say("", type="Structured", content=[{"contentType": "Card", "card": CARD}])
    await expect(visit.log.get_by_role("link")).to_have_count(1)
    link = visit.log.get_by_role("link", name="Look")
    await expect(link).to_have_attribute("href", "https://shop.example/ink")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(visit.log.locator("img")).to_have_count(0)
    await visit.log.get_by_role("button", name="Buy").click()
    await visit.gateway.until(lambda: bool(visit.gateway.sent()))
    reply = visit.gateway.frames[-1]["message"]["content"][0]["buttonResponse"]
    assert reply == {"type": "Button", "text": "Buy", "payload": "buy-ink"}


async def test_markup_in_a_message_stays_text(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.say('<img src=x onerror="window.stolen = true"> <b>bold</b> see https://shop.example/a.')
    await visit.log.get_by_text("<b>bold</b>").wait_for()
    await expect(visit.log.get_by_role("link")).to_have_attribute("href", "https://shop.example/a")
    assert await visit.run("return window.stolen;") is None


async def test_a_kind_of_content_that_is_not_known_is_told(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.say("", type="Structured", content=[{"contentType": "Hologram"}])
    await visit.log.get_by_text("This message cannot be shown here.").wait_for()


async def test_ending_the_chat_asks_first_and_a_new_one_can_be_started(visit: Visit) -> None:
    await visit.chat()
    await visit.write("bye")
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    await visit.page.get_by_role("button", name="End chat").click()
    assert await focused(visit) == "Keep chatting"
    await visit.page.keyboard.press("Escape")
    await visit.page.get_by_role("button", name="End chat").click()
    await visit.page.get_by_role("button", name="End it").click()
    await visit.page.get_by_text("This chat has ended.").wait_for()
    await visit.gateway.until(lambda: len(visit.gateway.asked("end")) == 1)
    assert visit.gateway.sessions == {}
    await visit.page.get_by_role("button", name="Start a new chat").click()
    await visit.write("hello again")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["bye", "hello again"])


async def test_a_chat_ended_by_the_other_side_says_so_and_starts_anew(visit: Visit) -> None:
    await visit.chat()
    await visit.write("hi")
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    events = [{"eventType": "Presence", "presence": {"type": "Disconnect"}}]
    body = {"id": "p", "direction": "Outbound", "type": "Event", "events": events, "metadata": {"readOnly": "true"}}
    await visit.gateway.push("StructuredMessage", body)
    await visit.page.get_by_role("button", name="Start a new chat").click()
    await visit.gateway.until(lambda: any(frame.get("startNew") for frame in visit.gateway.frames))
    await expect(visit.input).to_be_focused()


async def test_a_chat_that_moved_to_other_tabs_can_be_taken_back(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.push("ConnectionClosedEvent", {})
    await visit.page.get_by_text("This chat is open in other tabs.").wait_for()
    await visit.page.get_by_role("button", name="Continue here").click()
    await visit.gateway.until(lambda: len(visit.gateway.sockets) == 1)


async def test_a_signed_in_session_that_ended_offers_to_go_on_as_a_guest(visit: Visit) -> None:
    await visit.chat()
    await visit.run("await window.gateway.signIn('ada.jwt');")
    await visit.page.get_by_text("Signed in").wait_for()
    visit.gateway.sessions.clear()
    await visit.page.reload()
    await visit.page.get_by_role("button", name="Open chat").click()
    await visit.page.get_by_role("button", name="Continue as a guest").click()
    await visit.online()
    assert visit.gateway.asked("session")[-1]["authorization"] == ""


async def test_on_a_phone_the_dialog_fills_the_screen_and_keeps_the_focus(visit: Visit) -> None:
    await visit.page.emulate_media(reduced_motion="reduce")
    await visit.page.set_viewport_size({"width": 390, "height": 780})
    await visit.chat()
    dialog = visit.page.get_by_role("dialog")
    assert await dialog.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 780}
    await expect(dialog).to_have_attribute("aria-modal", "true")
    labels = set()
    for _ in range(12):
        await visit.page.keyboard.press("Tab")
        labels.add(await focused(visit))
    assert {"Write a message", "Close chat", "Send"} <= labels
    assert "" not in labels


async def test_right_to_left_the_panel_is_mirrored(visit: Visit) -> None:
    visit.gateway.settings = {"locale": "ar"}
    await visit.go()
    await visit.page.get_by_role("button", name="فتح المحادثة").click()
    box = await visit.page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] < 100
    await visit.page.locator("gateway-chat textarea").fill("مرحبا")
    await visit.page.keyboard.press("Enter")
    mine = await visit.page.locator("gateway-chat .mine").bounding_box()
    assert mine is not None
    assert mine["x"] < box["x"] + box["width"] / 2


async def test_with_forced_colours_every_control_keeps_a_visible_edge(visit: Visit) -> None:
    await visit.page.emulate_media(forced_colors="active")
    await visit.chat()
    await visit.gateway.say("Shall I?", type="Structured", content=QUICK_REPLIES)
    await visit.log.get_by_role("button", name="Yes").wait_for()
    bare = await visit.run(
        "const root = document.querySelector('gateway-chat').shadowRoot;"
        "return ['.launcher', '.send', '.choice', 'textarea', '.bubble', '.panel'].filter((name) => {"
        "  const style = getComputedStyle(root.querySelector(name));"
        "  return parseFloat(style.borderTopWidth) < 1 || style.borderTopStyle === 'none'; });"
    )
    assert bare == []


async def test_who_wants_less_motion_gets_none(visit: Visit) -> None:
    await visit.page.emulate_media(reduced_motion="reduce")
    await visit.chat()
    names = "[...root.querySelectorAll('*')].map((each) => getComputedStyle(each).animationName)"
    script = f"const root = document.querySelector('gateway-chat').shadowRoot; return [...new Set({names})];"
    assert await visit.run(script) == ["none"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_is_readable(visit: Visit, scheme: str) -> None:
    await visit.page.emulate_media(reduced_motion="reduce")
    visit.gateway.settings = {"theme": {"scheme": scheme}}
    await visit.chat()
    await visit.write("mine")
    await visit.log.get_by_text("Sent", exact=True).wait_for()
    await visit.gateway.say(
        "Shall I?", type="Structured", content=[*QUICK_REPLIES, {"contentType": "Card", "card": CARD}]
    )
    await visit.log.get_by_role("button", name="Buy").wait_for()
    assert await visit.run(LOW_CONTRAST) == []


async def test_every_control_has_a_name_and_a_size(visit: Visit) -> None:
    await visit.chat()
    await visit.write("mine")
    await visit.gateway.say(
        "Shall I?", type="Structured", content=[*QUICK_REPLIES, {"contentType": "Card", "card": CARD}]
    )
    await visit.log.get_by_role("button", name="Buy").wait_for()
    assert await visit.run(UNNAMED) == []
    assert await visit.run(SMALL_TARGETS) == []


async def test_a_site_may_set_colours_and_words(visit: Visit) -> None:
    visit.gateway.settings = {"theme": {"accent": "rgb(1, 2, 3)"}, "texts": {"title": "Ask Note G"}}
    await visit.chat()
    await visit.page.get_by_role("dialog", name="Ask Note G").wait_for()
    header = visit.page.locator("gateway-chat header")
    await expect(header).to_have_css("background-color", "rgb(1, 2, 3)")
