"""The example pages as text: every placeholder filled in, nothing but examples served."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession

from gateway.demo.examples import EXAMPLES, STRICT, example_page, index_page
from gateway.demo.shop import ShopSettings, running_shop

VALUES = {
    "nonce": "n0nce",
    "widget_url": "http://g/sites/shop/widget.js",
    "base": "http://g/sites/shop",
    "client_url": "http://g/static/client.js",
    "deployment_id": "1f5c",
}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_placeholder_is_filled_in(name: str) -> None:
    text = example_page(name, VALUES)
    assert "{{" not in text
    assert EXAMPLES[name] in text
    assert all('nonce="n0nce"' in tag for tag in re.findall(r"<(?:script|style)[^>]*>", text))


def test_a_value_cannot_break_out_of_its_place() -> None:
    text = example_page("plain", {**VALUES, "widget_url": '"><script>alert(1)</script>'})
    assert "<script>alert" not in text


def test_the_index_links_to_all_of_them() -> None:
    assert [f"/examples/{name}" in index_page() for name in EXAMPLES] == [True] * len(EXAMPLES)


def test_no_page_asks_for_an_icon_that_is_not_there() -> None:
    for text in (index_page(), *(example_page(name, VALUES) for name in EXAMPLES)):
        assert '<link rel="icon" href="data:,">' in text


@pytest.mark.parametrize("name", ["nothing", "..%2f..%2fdemo", "vendor/package.json", "vendor/..%2f..%2fpackage.json"])
async def test_what_is_no_example_is_not_found(name: str) -> None:
    async with (
        running_shop(ShopSettings(secret="x" * 40, port=0)) as shop,
        ClientSession() as client,
        client.get(f"{shop.url}/examples/{name}") as answer,
    ):
        assert answer.status == 404


async def test_the_strict_example_has_the_strict_policy() -> None:
    async with running_shop(ShopSettings(secret="x" * 40, port=0)) as shop, ClientSession() as client:
        for name in EXAMPLES:
            async with client.get(f"{shop.url}/examples/{name}") as answer:
                assert ("Content-Security-Policy" in answer.headers) == (name in STRICT)
