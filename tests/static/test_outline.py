"""Content that the panel cannot operate is told in words: nothing that an agent or bot sends is lost to the visitor."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from playwright.async_api import expect

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

SIZES = {
    "title": "Size",
    "multipleSelection": False,
    "items": [{"id": "1", "title": "A5", "subtitle": "fits a pocket"}, {"id": "2", "title": "A4"}],
}
TWO_TIMES = [
    {"dateTime": "2026-11-23T09:30:00.000Z", "duration": 1800},
    {"dateTime": "2026-11-24T14:00:00.000Z", "duration": 1800},
]
PAGE = {
    "title": "About you",
    "subtitle": "Page 1",
    "pageComponents": [
        {"formComponentType": "Input", "input": {"id": "a", "placeholderText": "Order number"}},
        {"formComponentType": "WheelPicker", "wheelPicker": {"items": [{"id": "w", "title": "Mornings"}]}},
        {"formComponentType": "ListPicker", "listPicker": {"sections": [SIZES]}},
        {"formComponentType": "Hologram"},
    ],
}
# Content by its kind, the lines that are read (times as in New York), and whether a message is told to be an answer.
OUTLINES: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    "DatePicker": (
        {"datePicker": {"title": "When may we call?", "subtitle": "Our time", "availableTimes": TWO_TIMES}},
        [
            "When may we call?",
            "Our time",
            "Monday, November 23, 2026 * 4:30?AM",
            "Tuesday, November 24, 2026 * 9:00?AM",
        ],
        True,
    ),
    "ListPicker": (
        {"listPicker": {"receivedMessage": {"title": "Which one?"}, "sections": [SIZES]}},
        ["Which one?", "Size", "A5", "fits a pocket", "A4"],
        True,
    ),
    "Form": (
        {"form": {"introduction": {"title": "Your order", "buttonText": "Begin"}, "formPages": [PAGE]}},
        ["Your order", "About you", "Page 1", "Order number", "Mornings", "Size", "A5", "fits a pocket", "A4"],
        True,
    ),
    "Location": (
        {"location": {"text": "Our shop", "address": "1 Quay Street", "url": "https://shop.example/map"}},
        ["Our shop", "1 Quay Street"],
        False,
    ),
    "RichLink": (
        {"richLink": {"text": "How to fill a pen", "url": "https://shop.example/pens"}},
        ["https://shop.example/pens", "How to fill a pen"],
        False,
    ),
    "Text": ({"text": {"body": "Just words"}}, ["Just words"], False),
}


async def in_new_york(visit: Visit) -> None:
    """The visitor's clock is New York's, wherever the test runs."""
    session = await visit.context.new_cdp_session(visit.page)
    await session.send("Emulation.setTimezoneOverride", {"timezoneId": "America/New_York"})


@pytest.mark.parametrize("kind", OUTLINES)
async def test_a_content_that_cannot_be_operated_is_told_in_words(visit: Visit, kind: str) -> None:
    content, words, hint = OUTLINES[kind]
    await in_new_york(visit)
    await visit.chat()
    await visit.gateway.say("", type="Structured", content=[{"contentType": kind, **content}])
    bubble = visit.log.locator(".outline")
    await expect(bubble).to_have_count(1)
    said = [line.strip() for line in (await bubble.inner_text()).splitlines() if line.strip()]
    assert len(said) == len(words)
    assert [line for line, word in zip(said, words, strict=True) if not fnmatchcase(line, word)] == []
    assert await bubble.locator("li").filter(has_not=visit.page.locator(":scope > p")).count() == 0, "an empty level"
    await expect(visit.log.get_by_text("You can answer with a message.")).to_have_count(int(hint))
    await expect(visit.log.get_by_text("cannot be shown")).to_have_count(0)


@pytest.mark.parametrize(
    "broken", [None, 7, "x", [], {"sections": 3, "formPages": "x"}, {"availableTimes": [None, {}]}]
)
async def test_a_malformed_content_is_told_to_be_unreadable_and_stops_nothing(visit: Visit, broken: object) -> None:
    await visit.chat()
    for kind, name in (("DatePicker", "datePicker"), ("ListPicker", "listPicker"), ("Form", "form")):
        await visit.gateway.say("", type="Structured", content=[{"contentType": kind, name: broken}])
    await visit.gateway.say("and on it goes")
    await visit.log.get_by_text("and on it goes").wait_for()
    await expect(visit.log.get_by_text("This message cannot be shown here.")).to_have_count(3)


async def test_a_date_picker_without_times_tells_its_first_and_last_day(visit: Visit) -> None:
    await in_new_york(visit)
    await visit.chat()
    picker = {
        "title": "Which day?",
        "dateMinimum": "2026-11-23T00:00:00.000Z",
        "dateMaximum": "2026-11-27T00:00:00.000Z",
    }
    await visit.gateway.say("", type="Structured", content=[{"contentType": "DatePicker", "datePicker": picker}])
    await expect(visit.log.locator(".outline li")).to_have_text("November 23, 2026 \u2013 November 27, 2026")


async def test_an_address_that_is_no_web_address_is_no_link(visit: Visit) -> None:
    await visit.chat()
    link = {"text": "Look", "urlLabel": "here", "url": "javascript:alert(1)"}
    await visit.gateway.say("", type="Structured", content=[{"contentType": "RichLink", "richLink": link}])
    await expect(visit.log.locator(".outline")).to_contain_text("here")
    await expect(visit.log.get_by_role("link")).to_have_count(0)


async def test_a_place_links_to_its_map(visit: Visit) -> None:
    await visit.chat()
    await visit.gateway.say("", type="Structured", content=[{"contentType": "Location", **OUTLINES["Location"][0]}])
    link = visit.log.get_by_role("link", name="Our shop")
    await expect(link).to_have_attribute("href", "https://shop.example/map")
    await expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
