"""The init script and the payloads over HTTP: cacheable, compressed, the same for everybody."""

from __future__ import annotations

import gzip
from pathlib import Path

import brotli
import pytest

from tests.stack import PAGE, Stack, whole_stack


async def test_the_script_is_served_with_validator_and_cache_rule(stack: Stack) -> None:
    async with stack.call("GET", "/widget.js", origin=None) as answer:
        body = await answer.read()
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        assert answer.headers["Cache-Control"].startswith("public, max-age=")
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        etag = answer.headers["ETag"]
    assert b'"site": "shop"' in body
    for sent in (etag, f'W/{etag}, "other"', "*"):
        async with stack.call("GET", "/widget.js", headers={"If-None-Match": sent}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == etag
    async with stack.call("GET", "/widget.js", headers={"If-None-Match": '"other"'}) as answer:
        assert answer.status == 200


async def test_every_coding_holds_the_same_script(stack: Stack) -> None:
    bodies = {}
    for coding in ("identity", "gzip", "br"):
        async with stack.client.get(
            f"{stack.base}/widget.js", headers={"Accept-Encoding": coding}, auto_decompress=False
        ) as answer:
            assert answer.headers.get("Content-Encoding", "identity") == coding
            assert answer.headers["Vary"] == "Accept-Encoding, Origin"
            bodies[coding] = await answer.read()
    assert gzip.decompress(bodies["gzip"]) == brotli.decompress(bodies["br"]) == bodies["identity"]


async def test_nothing_of_a_request_gets_into_the_script(stack: Stack) -> None:
    async with stack.call("GET", "/widget.js?x=REFLECTED", headers={"Host": "reflected.example"}) as answer:
        assert b"REFLECTED" not in (await answer.read()).upper()
        assert answer.status == 200


async def test_the_payloads_of_the_script_are_immutable_and_readable_by_pages(stack: Stack) -> None:
    for payload in stack.gateway.assets.payload_settings().values():
        async with stack.client.get(stack.url + payload["url"], headers={"Origin": PAGE}) as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_listed_origin_is_told_so_and_may_keep_the_answer_a_while(stack: Stack) -> None:
    for origin in (PAGE, None):
        async with stack.call("GET", "/origin", origin=origin) as answer:
            assert (answer.status, await answer.read()) == (204, b"")
            assert answer.headers["Cache-Control"] == "private, max-age=300"
            assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("origin", "code"),
    [("https://evil.example", "origin.not_allowed"), ("null", "origin.null"), ("nonsense", "origin.malformed")],
)
async def test_an_origin_that_is_not_listed_can_read_why(stack: Stack, origin: str, code: str) -> None:
    async with stack.call("GET", "/origin", origin=origin) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, code)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_payload_of_another_hash_is_unknown(stack: Stack) -> None:
    async with stack.client.get(f"{stack.url}/static/client.0000000000000000.js") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "request.not_found")


async def test_head_tells_the_same_without_the_bytes(stack: Stack) -> None:
    async with stack.call("HEAD", "/widget.js") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 1000


async def test_a_messenger_site_gets_region_and_deployment(tmp_path: Path) -> None:
    async with (
        whole_stack(tmp_path, {"sites.shop.mode": "messenger"}) as stack,
        stack.call("GET", "/widget.js") as answer,
    ):
        script = await answer.text()
    assert '"mode": "messenger"' in script
    assert '"environment": "prod-euw1"' in script
    assert f"{stack.mock.endpoints.apps}/genesys-bootstrap/genesys.min.js" in script
