"""The admin listener: health, readiness, metrics, version and the readable end of the audit log; never the public port.

Leaves what is measured to `observe`. The rule: nothing here shows a secret, and beyond loopback everything but
health asks for the admin token.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import html
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web

from gateway import __version__
from gateway.build import build_form
from gateway.web.console import PATH as CONSOLE
from gateway.web.console import ConsolePages, ConsoleParts
from gateway.web.problems import SERVER

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[], Awaitable[str | None]]
"""None when the dependency is ready; else why not, in words without addresses or secrets."""
Tail = Callable[[int], Sequence[Mapping[str, object]]]
"""The newest audit records, oldest first."""
Exposition = Callable[[str], Awaitable[tuple[bytes, str]]]
"""The metrics for an Accept header: body and content type."""

TAIL_DEFAULT: Final = 50
TAIL_MOST: Final = 500
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Asked by probes, which hold no token."""
_HEADERS: Final = {"Cache-Control": "no-store", "Server": SERVER, "X-Content-Type-Options": "nosniff"}
_PAGE_POLICY: Final = "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
_COLUMNS: Final = (
    ("time", "@timestamp"),
    ("event", "event.action"),
    ("outcome", "event.outcome"),
    ("reason", "event.reason"),
    ("site", "gateway.site"),
    ("route", "gateway.route"),
    ("status", "http.response.status_code"),
    ("guest", "user.id"),
    ("client", "client.ip"),
    ("request", "http.request.id"),
)
_STYLE: Final = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;color:#1b1f24}table{border-collapse:collapse}"
    "th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #d8dee4;white-space:nowrap}"
    "td{font-family:ui-monospace,monospace;font-size:12px}.failure td{background:#fff1f0}"
)


@dataclass(frozen=True, slots=True)
class AdminParts:
    """What the admin listener shows. `checks`: readiness by the name of the dependency. `token`: None on loopback.

    `guarded`: further calls (method, path, handler), which exist only where there is a token.
    """

    checks: Mapping[str, Check]
    exposition: Exposition
    tail: Tail
    is_draining: Callable[[], bool]
    token: str | None = field(default=None, repr=False)
    revision: str = "unknown"
    guarded: Sequence[tuple[str, str, Handler]] = ()
    console: ConsoleParts | None = None


class Admin:
    """The handlers of the admin listener."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    def application(self) -> web.Application:
        """The aiohttp application of this listener."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/version", self.version)
        app.router.add_get("/audit", self.audit_tail)
        app.router.add_get("/audit.css", self.style)
        if self._parts.console is not None:
            ConsolePages(self._parts.console).add_to(app)
        for method, path, handler in self._parts.guarded if self._parts.token is not None else ():
            app.router.add_route(method, path, handler)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        token = self._parts.token
        if token is not None and request.path not in OPEN_PATHS:
            for_people = request.path == CONSOLE or request.path.startswith(f"{CONSOLE}/")
            if not _shows(request.headers.get("Authorization", ""), token, for_people=for_people):
                scheme = "Basic" if for_people else "Bearer"
                return web.Response(
                    status=401, text="The admin token is needed: Authorization: Bearer ...\n",
                    headers={**_HEADERS, "WWW-Authenticate": f'{scheme} realm="gateway admin"'},
                )  # fmt: skip
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update(_HEADERS)
        return answer

    async def healthz(self, _request: web.Request) -> web.Response:
        """The process answers. Asks no dependency, so that an outage elsewhere restarts nobody."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when traffic may come; with ?verbose each check on its own line."""
        found = await self.readiness()
        if self._parts.is_draining():
            found["drain"] = "the node is shutting down"
        ready = not any(found.values())
        lines = [f"[{'+' if why is None else '-'}] {name} {why or 'ok'}" for name, why in found.items()]
        text = (
            "\n".join([*lines, "ready" if ready else "not ready"])
            if "verbose" in request.query
            else "ready"
            if ready
            else "not ready"
        )
        return web.Response(status=200 if ready else 503, text=text + "\n")

    async def readiness(self) -> dict[str, str | None]:
        """Why each dependency is not ready, None where it is."""
        return {name: await check() for name, check in self._parts.checks.items()}

    async def newest(self, count: int) -> Sequence[Mapping[str, object]]:
        """The newest audit records, oldest first."""
        return self._parts.tail(count)

    async def metrics(self, request: web.Request) -> web.Response:
        """The exposition, in OpenMetrics where the scraper asks for it."""
        body, content_type = await self._parts.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def version(self, _request: web.Request) -> web.Response:
        """What runs."""
        about = {"version": __version__, "revision": self._parts.revision, "python": platform.python_version()}
        return web.json_response({**about, "build": build_form()})

    async def audit_tail(self, request: web.Request) -> web.Response:
        """The newest audit records: a page for people, or one JSON object a line with ?format=jsonl."""
        asked = request.query.get("n", str(TAIL_DEFAULT))
        if not asked.isdecimal():
            return web.Response(status=400, text="n must be a whole number\n")
        found = await self.newest(min(int(asked), TAIL_MOST))
        if request.query.get("format") == "jsonl":
            lines = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in found)
            return web.Response(body=lines, headers={"Content-Type": "application/x-ndjson"})
        return web.Response(
            text=_tail_page(found), content_type="text/html", headers={"Content-Security-Policy": _PAGE_POLICY}
        )

    async def style(self, _request: web.Request) -> web.Response:
        """The style of the page; apart, so that no inline style need be allowed."""
        return web.Response(text=_STYLE, content_type="text/css")


def _shows(authorization: str, token: str, *, for_people: bool) -> bool:
    """Does the header show the token? A browser shows it as the password of Basic, and at the console only.

    Browsers send Basic along with whatever a page makes them ask, so that it opens nothing that changes anything.
    """
    scheme, _, sent = authorization.partition(" ")
    if for_people and scheme.lower() == "basic":
        try:
            sent = base64.b64decode(sent, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme != "Bearer":
        return False
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), token.encode())


def _tail_page(found: Sequence[Mapping[str, object]]) -> str:
    head = "".join(f"<th>{name}</th>" for name, _ in _COLUMNS)
    rows = "".join(
        f'<tr class="{html.escape(str(record.get("event.outcome", "")))}">'
        + "".join(f"<td>{html.escape(str(record.get(key, '')))}</td>" for _, key in _COLUMNS)
        + "</tr>"
        for record in reversed(found)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit log: newest records</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/audit.css"></head>'
        "<body><h1>Audit log: newest records</h1>"
        "<p>Newest first. <code>gateway audit verify</code> proves that the log is whole.</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></body></html>"
    )
