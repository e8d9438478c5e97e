"""Serve the init script of a site and the immutable payloads: bytes that were made at start, and 304 answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.origins import check_origin
from gateway.web.answer_bytes import ALLOW_ORIGIN, cors_lines
from gateway.web.assets import Asset, Assets
from gateway.web.exchange import Exchange
from gateway.web.problems import SERVER
from gateway.web.whole import WholeAnswer

SCRIPT_CACHE: Final = "public, max-age=300, stale-while-revalidate=86400"
"""Five minutes: a changed setting reaches every page soon, and a node that is down for a while is not noticed."""
ORIGIN_CACHE: Final = "private, max-age=300"
PAYLOAD_CACHE: Final = "public, max-age=31536000, immutable"
VARY_ORIGIN: Final = cors_lines(None)
ASSET_LINES: Final = (
    f"Vary: Accept-Encoding, Origin\r\nServer: {SERVER}\r\nX-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: cross-origin\r\n"  # pages of other origins embed it, also under COEP
).encode("ascii")


class Bootstrap:
    """The handlers of `widget`, `static` and `origin`."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    async def widget(self, exchange: Exchange) -> web.StreamResponse:
        """GET /sites/{site}/widget.js."""
        return _asset_answer(exchange, self._assets.scripts[exchange.rules.name], SCRIPT_CACHE)

    async def origin(self, exchange: Exchange) -> web.StreamResponse:
        """GET /sites/{site}/origin: may the page that asks talk to the gateway? Raises Refusal: ORIGIN_*.

        The one refusal that pages of every origin may read: elsewhere an unlisted one gets no CORS headers, and its
        developer would see no more than that the network failed. Without an Origin it is no page of another one.
        """
        if exchange.origin is not None:
            check_origin(exchange.origin, exchange.rules.origins)
        return exchange.answer(204, headers={"Cache-Control": ORIGIN_CACHE})

    async def payload(self, exchange: Exchange) -> web.StreamResponse:
        """GET /static/{name}.{hash}.{ext}; a name whose hash is not of today is unknown."""
        asset = self._assets.payloads.get(exchange.segments[1])
        if asset is None:
            raise Refusal(errors.NOT_FOUND)
        return _asset_answer(exchange, asset, PAYLOAD_CACHE)


def _asset_answer(exchange: Exchange, asset: Asset, cache: str) -> web.StreamResponse:
    """The asset, or 304: the answer that a page's every visit brings, so it is written in one piece."""
    headers, allowed = exchange.head.headers, exchange.cors.get(ALLOW_ORIGIN)
    # A request id is ours, or was held to its pattern (clients.py); the other lines are made of constants.
    own = b"X-Request-Id: %b\r\n" % exchange.trail.request_id.encode("ascii")
    if _unchanged(headers, asset.etag):
        return WholeAnswer(304, (), own + _lines(asset.etag, cache, None, None, allowed))
    body, coding = asset.encoded(headers.get("Accept-Encoding", ""))
    return WholeAnswer(200, (), own + _lines(asset.etag, cache, asset.media_type, coding, allowed), body)


@lru_cache(maxsize=1024)
def _lines(etag: str, cache: str, media_type: str | None, coding: str | None, allowed_origin: str | None) -> bytes:
    """All lines of an asset's answer but the request id's. Raises ValueError when a value holds a line break."""
    fields = {"ETag": etag, "Cache-Control": cache, "Content-Type": media_type, "Content-Encoding": coding}
    named = {name: value for name, value in fields.items() if value is not None}
    if any("\r" in value or "\n" in value for value in named.values()):
        raise ValueError("a header field holds a line break")
    lines = ASSET_LINES
    if allowed_origin is not None:
        lines += cors_lines(allowed_origin).removeprefix(VARY_ORIGIN)
    return "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode("latin-1") + lines


def _unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Whether If-None-Match names the tag, compared weakly (RFC 9110 section 13.1.2)."""
    sent = headers.get("If-None-Match")
    if sent is None or sent == etag:
        return sent is not None
    return sent.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in sent.split(",")}
