"""Faults that a test or an operator orders: which listener, which requests, what goes wrong, how often.

Kinds that act on a whole HTTP exchange are coroutines in one table; kinds that act on socket frames are named in a
second table and carried out by the guest socket. A fault is used up by the requests that it hits.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.mock.model import Json
from gateway.mock.platform_error import PlatformError

TARGETS = ("login", "api", "cdn", "webmessaging", "apps", "upload")
FRAME_KINDS = (
    *("frame_slow", "frame_garbage", "frame_drop", "frame_close", "frame_reset", "frame_error", "frame_429"),
    *("frame_huge", "frame_binary"),
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FaultInvalid(ValueError):
    """The ordered fault makes no sense; the text says why."""


@dataclass(slots=True)
class Fault:
    """One order: `match` is a glob over `METHOD /path` (`FRAME action` for frames), `count` None means for ever."""

    number: int
    target: str
    kind: str
    match: str = "*"
    count: int | None = 1
    seconds: float = 1.0
    status: int | None = None
    injected: int = 0

    def view(self) -> Json:
        """Return the JSON form for the control port."""
        return {name: getattr(self, name) for name in self.__slots__}


class Faults:
    """The open orders, oldest first."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.orders: list[Fault] = []

    def add(
        self,
        target: str,
        kind: str,
        *,
        match: str = "*",
        count: int | None = 1,
        seconds: float = 1.0,
        status: int | None = None,
    ) -> Fault:
        """Order a fault; raises FaultInvalid for an unknown target or kind."""
        if target not in TARGETS:
            raise FaultInvalid(f"target must be one of {', '.join(TARGETS)}")
        if kind not in EXCHANGE_KINDS and kind not in FRAME_KINDS:
            raise FaultInvalid(f"kind must be one of {', '.join((*EXCHANGE_KINDS, *FRAME_KINDS))}")
        if kind in FRAME_KINDS and target != "webmessaging":
            raise FaultInvalid(f"{kind} is for target webmessaging only")
        if count is not None and count < 1:
            raise FaultInvalid("count must be at least 1, or null for ever")
        fault = Fault(next(self._numbers), target, kind, match, count, seconds, status)
        self.orders.append(fault)
        return fault

    def clear(self) -> None:
        """Drop all orders."""
        self.orders.clear()

    def take(self, target: str, method: str, path: str) -> Fault | None:
        """Return the first order that hits this request (method `FRAME` for socket frames) and use it once."""
        subject = f"{method} {path}"
        for fault in self.orders:
            is_frame_kind = fault.kind in FRAME_KINDS
            if fault.target != target or is_frame_kind != (method == "FRAME") or not _hits(fault.match, subject):
                continue
            fault.injected += 1
            if fault.count is not None and fault.injected >= fault.count:
                self.orders.remove(fault)
            return fault
        return None


def _hits(pattern: str, subject: str) -> bool:
    return fnmatch.fnmatchcase(subject, pattern) or fnmatch.fnmatchcase(subject.partition(" ")[2], pattern)


async def inject(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the request as the fault demands; `slow` lets the true answer follow."""
    return await EXCHANGE_KINDS[fault.kind](fault, request, handler)


async def _slow(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await asyncio.sleep(fault.seconds)
    return await handler(request)


async def _too_many(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    retry_after_s = str(max(1, int(fault.seconds)))
    raise PlatformError(
        "too.many.requests",
        {"maxRequests": "300", "seconds": "60"},
        limit={"key": "client.credentials.token.rate.per.minute", "namespace": "platform.api", "value": 300},
        headers={"Retry-After": retry_after_s},
    )


async def _unavailable(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    raise PlatformError("service.unavailable")


async def _status(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.json_response({"message": "injected", "status": fault.status or 500}, status=fault.status or 500)


async def _garbage(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(body=b'\x00\xff{"half": ', content_type="application/json")


async def _html(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return web.Response(text=page, status=fault.status or 502, content_type="text/html")


async def _empty(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(status=fault.status or 200)


async def _reset(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


async def _reset_mid_body(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"entities": [')
    if request.transport is not None:
        request.transport.abort()
    return response


async def _hostile_echo(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Throw everything the caller sent back at it, as a careless or captured upstream could."""
    body = {"echo": dict(request.headers), "access_token": request.headers.get("Authorization", "")}
    response = web.json_response(body, status=fault.status or 200)
    for name in ("Authorization", "Cookie"):
        if name in request.headers:
            response.headers[name] = request.headers[name]
            response.headers[f"X-Echo-{name}"] = request.headers[name]
    response.headers.add("Set-Cookie", "upstream_session=stolen; Path=/; Domain=.mypurecloud.ie")
    response.headers["Server"] = "hostile"
    response.headers["X-Powered-By"] = json.dumps(request.path)
    return response


async def _expired_token(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse the bearer; the listener forgets it, so the same one fails again and a fresh one works."""
    raise PlatformError("bad.credentials")


async def _wrong_region(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer as a region that has never heard of this organisation."""
    if request.path == "/oauth/token":
        body = {
            "error": "invalid_client",
            "description": "authentication failed",
            "error_description": "authentication failed",
        }
        return web.json_response(body, status=400)
    if request.path.startswith("/api/"):
        raise PlatformError("bad.credentials")
    return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>", content_type="application/xml")


async def _refuse_upgrade(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    return web.Response(status=fault.status or 403, text="Forbidden")


async def _huge(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    chunk = b" " * 65_536
    for _ in range(1024):
        await response.write(chunk)
    await response.write_eof()
    return response


EXCHANGE_KINDS: dict[str, Callable[[Fault, web.Request, Handler], Awaitable[web.StreamResponse]]] = {
    "slow": _slow,
    "429": _too_many,
    "503": _unavailable,
    "status": _status,
    "garbage": _garbage,
    "html": _html,
    "empty": _empty,
    "reset": _reset,
    "reset_mid_body": _reset_mid_body,
    "expired_token": _expired_token,
    "wrong_region": _wrong_region,
    "hostile_echo": _hostile_echo,
    "refuse_upgrade": _refuse_upgrade,
    "huge": _huge,
}
