"""The console: one page on the admin listener for people without Grafana, fed by server-sent events.

What it shows comes from the app. The rule: the page holds no data and no inline script or style; everything is put
into it as text, and nothing on it changes anything.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web

PATH: Final = "/console"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
FILES: Final[Mapping[str, tuple[str, str]]] = {
    PATH: ("index.html", "text/html"),
    f"{PATH}/console.js": ("console.js", "text/javascript"),
    f"{PATH}/console.css": ("console.css", "text/css"),
}
EVERY_S: Final = 2.0
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

States = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
"""The state of every process of the node."""
Finds = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
"""The newest records of one request."""


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """Where the page's data comes from. `every_s`: seconds between two events."""

    states: States
    request: Finds
    every_s: float = EVERY_S


class ConsolePages:
    """The handlers below /console."""

    def __init__(self, parts: ConsoleParts) -> None:
        self._parts = parts
        folder = resources.files("gateway") / "data" / "console"
        self._files = {path: ((folder / name).read_bytes(), kind) for path, (name, kind) in FILES.items()}

    def add_to(self, app: web.Application) -> None:
        """Put the handlers into an application."""
        for path in self._files:
            app.router.add_get(path, self.file)
        app.router.add_get(f"{PATH}/state", self.state)
        app.router.add_get(f"{PATH}/events", self.events)
        app.router.add_get(f"{PATH}/request", self.request)

    async def file(self, request: web.Request) -> web.Response:
        """The page, its script or its style."""
        body, kind = self._files[request.path]
        return web.Response(
            body=body,
            content_type=kind,
            charset="utf-8",
            headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"},
        )

    async def state(self, _request: web.Request) -> web.Response:
        """The states, once."""
        return _json(await self._parts.states())

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The states, again and again, until the page is closed."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        try:
            while True:
                data = orjson.dumps(list(await self._parts.states()))
                await answer.write(b"event: state\ndata: " + data + b"\n\n")
                await asyncio.sleep(self._parts.every_s)
        except ConnectionError:
            return answer  # the page was closed

    async def request(self, request: web.Request) -> web.Response:
        """The records of one request: ?id=..."""
        wanted = request.query.get("id", "")
        if not REQUEST_ID.fullmatch(wanted):
            return web.Response(status=400, text="id must be a request id\n")
        return _json(await self._parts.request(wanted))


def _json(value: Sequence[Mapping[str, Any]]) -> web.Response:
    return web.Response(body=orjson.dumps(list(value)), content_type="application/json")
