"""Tags and policies as they are printed are what is served and needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app.embedding import NONCE, ZENDESK_ENTRIES, csp, header, snippets
from tests.stack import compiled, whole_stack

ROOT = "https://chat.shop.example"
FLAGS = {"server.public_url": ROOT}


def test_every_tag_names_the_public_address() -> None:
    found = {each.name: each.tag for each in snippets(compiled(FLAGS), "shop")}
    assert found.keys() == {"plain", "zendesk", "nonce", "pinned", "consent", "lazy", "module"}
    assert all(f'"{ROOT}/' in tag for tag in found.values())
    assert f'nonce="{NONCE}"' in found["nonce"]


def test_the_tag_in_zendesks_place_is_not_async_so_that_ze_is_there_for_what_follows() -> None:
    (tag,) = (each.tag for each in snippets(compiled(FLAGS), "shop") if each.name == "zendesk")
    assert tag == f'<script id="ze-snippet" src="{ROOT}/sites/shop/widget.js"></script>'


@pytest.mark.parametrize("name", ["pinned", "module"])
async def test_a_pinned_address_is_served_with_its_digest(tmp_path: Path, name: str) -> None:
    async with whole_stack(tmp_path) as stack:
        (tag,) = (each.tag for each in snippets(stack.gateway.compiled, "shop") if each.name == name)
        found = re.search(r'(?:src|href)="[^"]*(/static/[^"]+)" integrity="([^"]+)" crossorigin="anonymous"', tag)
        assert found is not None
        async with stack.client.get(stack.url + found[1], headers={"Origin": "https://any.example"}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
            assert answer.headers["Cache-Control"].endswith("immutable")
        served = stack.gateway.assets.payloads[found[1].removeprefix("/static/")]
        assert served.integrity == found[2]


def test_a_proxied_site_needs_the_gateway_alone_and_the_place_for_files() -> None:
    policy = csp(compiled({**FLAGS, "orgs.acme.region": "eu-west-1"}), "shop", strict=True)
    assert policy["script-src"] == (f"'nonce-{NONCE}'", "'strict-dynamic'")
    upload = "https://shyrka-prod-euw1.s3.eu-west-1.amazonaws.com"
    assert policy["connect-src"] == (ROOT, "wss://chat.shop.example", upload)
    assert policy["trusted-types"] == ("gateway",)
    assert "style-src" not in policy


def test_a_messenger_site_needs_the_hosts_of_its_region() -> None:
    policy = csp(compiled({**FLAGS, "sites.shop.mode": "messenger"}), "shop", strict=False)
    assert policy["script-src"] == (ROOT, "http://127.0.0.1:8095")
    assert {ROOT, "ws://127.0.0.1:8094", "http://127.0.0.1:8092"} <= set(policy["connect-src"])
    assert policy["frame-src"] == ("http://127.0.0.1:8095",)


def test_the_header_names_nothing_twice_and_nothing_of_zendesk() -> None:
    text = header(csp(compiled(FLAGS), "shop", strict=False))
    assert text.startswith(f"script-src {ROOT}; connect-src {ROOT} wss://chat.shop.example")
    for directive in text.split("; "):
        values = directive.split()
        assert len(values) == len(set(values))
    assert not any(word in text for word in ("zendesk", "zdassets", "smooch", "zopim", "unsafe", "*"))
    assert all(entries for _, entries in ZENDESK_ENTRIES)
