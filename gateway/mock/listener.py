"""Around every listener's handlers: record, inject ordered faults, translate errors, mark the answers.

Handlers raise PlatformError for the platform's refusals; nothing else in the mock turns errors into answers.
"""

from __future__ import annotations

from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.mock.faults import Handler, inject
from gateway.mock.platform_error import PlatformError
from gateway.mock.recorder import Received
from gateway.mock.world import World

RECEIVED = web.RequestKey("received", Received)
CORRELATION_HEADER = "ININ-Correlation-Id"
_EXPOSED = "ININ-Correlation-Id, Retry-After, inin-ratelimit-count, inin-ratelimit-allowed, inin-ratelimit-reset"


def watched(world: World, target: str, *, cors: bool) -> Middleware:
    """Return the middleware of one listener; with `cors` it answers preflights and marks answers for the Origin."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        correlation_id = str(uuid4())
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            too_large = PlatformError("request.entity.too.large", {"maxBytes": str(world.sizes["request_bytes"])})
            entry = world.recorder.request(target, request.method, request.path, request.query, request.headers, b"")
            entry.status, entry.correlation_id = too_large.status, correlation_id
            return _marked(request, too_large.response(correlation_id), correlation_id, cors)
        entry = world.recorder.request(target, request.method, request.path, request.query, request.headers, body)
        entry.correlation_id = correlation_id
        request[RECEIVED] = entry
        if cors and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            entry.status = 204
            return _preflight(request)
        response = await _answered(world, target, entry, request, handler)
        entry.status = response.status
        return _marked(request, response, correlation_id, cors)

    return middleware


async def _answered(
    world: World, target: str, entry: Received, request: web.Request, handler: Handler
) -> web.StreamResponse:
    try:
        fault = world.faults.take(target, request.method, request.path)
        if fault is None:
            return await handler(request)
        entry.fault = fault.kind
        if fault.kind == "expired_token":
            world.access_tokens.pop(request.headers.get("Authorization", "").partition(" ")[2].strip(), None)
        return await inject(fault, request, handler)
    except PlatformError as error:
        return error.response(str(entry.correlation_id))
    except web.HTTPException as exc:
        return web.Response(status=exc.status, text=exc.text, headers=exc.headers)


def _marked(request: web.Request, response: web.StreamResponse, correlation_id: str, cors: bool) -> web.StreamResponse:
    if response.prepared:
        return response
    response.headers.setdefault(CORRELATION_HEADER, correlation_id)
    response.headers.setdefault("X-Mock-Genesys", "this is a mock, not Genesys Cloud")
    # Genesys' HTML error pages come from the edge and carry no CORS headers; neither do ours.
    if cors and "Origin" in request.headers and response.content_type != "text/html":
        response.headers.setdefault("Access-Control-Allow-Origin", request.headers["Origin"])
        response.headers.setdefault("Access-Control-Expose-Headers", _EXPOSED)
        response.headers.setdefault("Vary", "Origin")
    return response


def _preflight(request: web.Request) -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Origin": request.headers.get("Origin", "*"),
            "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", "*"),
            "Access-Control-Max-Age": "600",
            "Vary": "Origin",
        },
    )


def single_header(request: web.Request, name: str) -> str | None:
    """Return the only value of a header, None when absent; two values are a 400, for no honest caller sends them."""
    values = request.headers.getall(name, [])
    if len(values) > 1:
        raise PlatformError("bad.request", {"reason": f"header {name} was sent {len(values)} times"})
    return values[0] if values else None
