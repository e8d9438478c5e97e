"""Files in the panel: sent, shown, refused, and fetched again when their signed address has expired."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63606060f80f00010401005fe5c3"
    "4b0000000049454e44ae426082"
)


async def test_a_file_is_attached_and_shown(visit: Visit) -> None:
    await visit.chat()
    file: Any = {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}
    await visit.page.locator("gateway-chat input[type=file]").set_input_files(file)
    await visit.gateway.until(lambda: visit.gateway.frames[-1]["action"] == "onMessage")
    assert list(visit.gateway.uploads.values()) == [b"%PDF"]


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [("tool.exe", 4, "tool.exe could not be sent."), ("film.mov", 10241, "film.mov is too large.")],
)
async def test_a_file_that_may_not_be_sent_is_refused_before_the_upload(
    visit: Visit, name: str, size: int, told: str
) -> None:
    await visit.chat()
    file: Any = {"name": name, "mimeType": "application/octet-stream", "buffer": b"x" * size}
    await visit.page.locator("gateway-chat input[type=file]").set_input_files(file)
    await expect(visit.page.get_by_role("alert")).to_have_text(told)
    assert visit.gateway.uploads == {}


async def test_a_picture_whose_address_has_expired_is_fetched_by_a_fresh_one(visit: Visit) -> None:
    await visit.chat()
    visit.gateway.uploads["a1"] = PIXEL
    expired = f"{visit.gateway.url}/files/expired"
    part = {"id": "a1", "url": expired, "filename": "ink.png", "mime": "image/png", "mediaType": "Image"}
    await visit.gateway.say("", type="Structured", content=[{"contentType": "Attachment", "attachment": part}])
    await visit.page.wait_for_function(
        "(url) => document.querySelector('gateway-chat').shadowRoot.querySelector('a[href]:has(img)')?.href === url",
        arg=f"{visit.gateway.url}/files/a1",
    )
    asked = [frame["attachmentId"] for frame in visit.gateway.frames if frame["action"] == "getAttachment"]
    assert asked == ["a1"]


async def test_a_link_to_a_file_is_signed_anew_before_it_is_followed_late(visit: Visit) -> None:
    await visit.page.clock.install()
    await visit.chat()
    part = {"id": "a2", "url": f"{visit.gateway.url}/files/expired", "filename": "bill.pdf", "mime": "application/pdf"}
    await visit.gateway.say("", type="Structured", content=[{"contentType": "Attachment", "attachment": part}])
    link = visit.page.get_by_role("link", name="bill.pdf")
    await link.hover()
    assert not any(frame["action"] == "getAttachment" for frame in visit.gateway.frames)
    await visit.page.mouse.move(5, 5)
    await visit.page.clock.fast_forward(301_000)
    await link.hover()
    await visit.gateway.until(lambda: any(frame["action"] == "getAttachment" for frame in visit.gateway.frames))
    await visit.page.wait_for_function(
        "(url) => document.querySelector('gateway-chat').shadowRoot.querySelector('.attachment a').href === url",
        arg=f"{visit.gateway.url}/files/a2",
    )
