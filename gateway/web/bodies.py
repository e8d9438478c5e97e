"""Bodies that are still to come: read within their limits, as bytes, one JSON object, or form text.

Leaves a body that came with its head to `exchange.py`. The rule: a body is bounded in size, time and pace; JSON that
two readers could take differently is refused.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final, cast

from aiohttp import web

from gateway import errors
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.web.exchange import Exchange

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
GRACE_S: Final = 5
"""How long a body may take before its pace counts."""


async def body(exchange: Exchange, max_bytes: int) -> bytes:
    """The whole body. Raises Refusal: MEDIA_TYPE (encoded), BODY_TOO_LARGE, BODY_TIMEOUT, CLIENT_GONE."""
    data = exchange.body_at_hand(max_bytes)
    if data is not None:
        return data
    try:
        async with asyncio.timeout(exchange.limits.timeout_s):
            return await _read(exchange, max_bytes)
    except TimeoutError as exc:
        raise Refusal(errors.BODY_TIMEOUT) from exc
    except (ConnectionError, web.RequestPayloadError) as exc:
        raise Refusal(errors.CLIENT_GONE) from exc


async def _read(exchange: Exchange, max_bytes: int) -> bytes:
    content, chunks, size = exchange.request.content, [], 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    while not content.at_eof():
        chunk = await content.readany()
        size += len(chunk)
        if size > max_bytes:
            raise Refusal(errors.BODY_TOO_LARGE, f"More than {max_bytes} bytes.")
        chunks.append(chunk)
        if size < (loop.time() - started - GRACE_S) * exchange.limits.min_bytes_per_s:
            raise Refusal(errors.BODY_TIMEOUT, "The body comes too slowly.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def json_object(exchange: Exchange, max_bytes: int) -> dict[str, object]:
    """The body as one JSON object; an empty body is an empty object. Raises as `body`, and JSON_MALFORMED."""
    data = await body(exchange, max_bytes)
    if not data:
        return {}
    if exchange.request.content_type != JSON:
        raise Refusal(errors.MEDIA_TYPE, "Content-Type must be application/json.")
    return parse_object(data)


async def form(exchange: Exchange, max_bytes: int) -> str:
    """The body as form text, unparsed. Raises as `body`, and MEDIA_TYPE."""
    data = await body(exchange, max_bytes)
    if exchange.request.content_type != FORM:
        raise Refusal(errors.MEDIA_TYPE, f"Content-Type must be {FORM}.")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as exc:
        raise Refusal(errors.OAUTH_REQUEST, "The form is not percent-encoded ASCII.") from exc


def parse_object(data: bytes) -> dict[str, object]:
    """One JSON object in UTF-8. Raises Refusal(JSON_MALFORMED); a key that stands twice is refused too."""
    try:
        text = data.decode("utf-8")
        value: object = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise Refusal(errors.JSON_MALFORMED) from exc
    if not isinstance(value, dict):
        raise Refusal(errors.JSON_MALFORMED, "The body is not an object.")
    return cast("dict[str, object]", value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers of a repeated key may take different ones; so nobody gets to choose."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
