"""The demo shop: a small web site with a chat, as a customer of the gateway would run one.

It serves one page under a strict Content-Security-Policy, keeps its own sign-in, and mints Zendesk messaging tokens for
the visitor who signed in. It imports nothing of the gateway: all it knows are the addresses of the scripts to embed.
Rule kept: the signing secret comes in as a parameter and goes nowhere but into signatures.
"""

import html
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from aiohttp import web

from gateway.demo.examples import STRICT, example_page, index_page, vendor_file

SESSION_COOKIE = "shop_session"
PACKAGE_DIR = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """What the shop must be told; the defaults fit `gateway demo` on one machine."""

    secret: str = field(repr=False)
    kid: str = "app_5f2b7c1e9a4d3f6b8c0e1a2d"
    host: str = "127.0.0.1"
    port: int = 8088
    widget_url: str = "http://127.0.0.1:8080/sites/shop/widget.js"
    metrics_url: str = "http://127.0.0.1:9090/metrics"
    audit_url: str = "http://127.0.0.1:9090/audit"
    console_url: str = "http://127.0.0.1:9090/console"
    mock_url: str = "http://127.0.0.1:8099/"
    files_url: str = "http://127.0.0.1:8096/"
    genesys_urls: tuple[str, ...] = ()
    """Where the stock Messenger talks to; empty where all of the chat goes through the gateway."""
    foreign_url: str = "about:blank"
    """The same shop at an origin that the gateway does not know."""
    client_url: str = ""
    deployment_id: str = ""
    token_lifetime_s: int = 600
    now: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that is running."""

    url: str
    settings: ShopSettings


SETTINGS = web.AppKey("settings", ShopSettings)
SIGNED_IN = web.AppKey("signed_in", set[str])


def origin_of(url: str) -> str:
    """The origin of an absolute http(s) URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def content_security_policy(settings: ShopSettings, nonce: str) -> str:
    """The header of the shop's pages: what is not named here, or carries the nonce, neither runs nor is fetched."""
    gateway = origin_of(settings.widget_url)
    socket = "ws" + gateway.removeprefix("http")
    files = origin_of(settings.files_url)  # where a presigned upload goes
    connected = " ".join((gateway, socket, files, *map(origin_of, settings.genesys_urls)))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}' 'strict-dynamic'",
            f"style-src 'nonce-{nonce}'",
            f"img-src 'self' data: https: {gateway} {files}",
            f"connect-src 'self' {connected}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types gateway",
        )
    )


def mint_visitor_token(settings: ShopSettings) -> str:
    """A Zendesk messaging token for Ada, as https://developer.zendesk.com/api-reference/widget-messaging/web/authentication."""
    issued_at = int(settings.now())
    claims = {
        "scope": "user",
        "external_id": "customer-1815",
        "name": "Ada Lovelace",
        "email": "ada@shop.example",
        "email_verified": True,
        "iat": issued_at,
        "exp": issued_at + settings.token_lifetime_s,
    }
    return jwt.encode(claims, settings.secret, algorithm="HS256", headers={"kid": settings.kid})


def _template(name: str) -> str:
    """A page from `static/`: inside the package when installed, beside it in a working copy."""
    packed = PACKAGE_DIR / "static" / name
    return (packed if packed.is_file() else PACKAGE_DIR.parent / "static" / name).read_text(encoding="utf-8")


def _is_signed_in(request: web.Request) -> bool:
    return request.cookies.get(SESSION_COOKIE, "") in request.app[SIGNED_IN]


async def _page(request: web.Request) -> web.Response:
    settings = request.app[SETTINGS]
    nonce = secrets.token_urlsafe(16)
    values = {
        "nonce": nonce,
        "widget_url": settings.widget_url,
        "signed_in": "true" if _is_signed_in(request) else "false",
        "metrics_url": settings.metrics_url,
        "audit_url": settings.audit_url,
        "console_url": settings.console_url,
        "mock_url": settings.mock_url,
        "foreign_url": settings.foreign_url,
    }
    text = _template("demo.html")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", html.escape(value))
    headers = {
        "Content-Security-Policy": content_security_policy(settings, nonce),
        "Cache-Control": "no-store",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


async def _examples(_request: web.Request) -> web.Response:
    return web.Response(text=index_page(), content_type="text/html")


async def _example(request: web.Request) -> web.Response:
    settings, name = request.app[SETTINGS], request.match_info["name"]
    nonce = secrets.token_urlsafe(16)
    values = {
        "nonce": nonce,
        "widget_url": settings.widget_url,
        "base": settings.widget_url.removesuffix("/widget.js"),
        "client_url": settings.client_url,
        "deployment_id": settings.deployment_id,
    }
    try:
        text = example_page(name, values)
    except KeyError:
        return web.Response(status=404, text="There is no such example.\n")
    policy = {"Content-Security-Policy": content_security_policy(settings, nonce)} if name in STRICT else {}
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store", **policy})


async def _sign_in(request: web.Request) -> web.Response:
    handle = secrets.token_urlsafe(24)
    request.app[SIGNED_IN].add(handle)
    answer = web.Response(status=204)
    answer.set_cookie(SESSION_COOKIE, handle, httponly=True, samesite="Strict", path="/")
    return answer


async def _sign_out(request: web.Request) -> web.Response:
    request.app[SIGNED_IN].discard(request.cookies.get(SESSION_COOKIE, ""))
    answer = web.Response(status=204)
    answer.del_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="Strict")
    return answer


async def _token(request: web.Request) -> web.Response:
    if not _is_signed_in(request):
        return web.json_response({"error": "Nobody is signed in to the shop."}, status=401)
    return web.json_response(
        {"token": mint_visitor_token(request.app[SETTINGS])}, headers={"Cache-Control": "no-store"}
    )


def build_app(settings: ShopSettings) -> web.Application:
    """The shop as an aiohttp application."""
    app = web.Application()
    app[SETTINGS] = settings
    app[SIGNED_IN] = set()
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/examples/", _examples),
            web.get("/examples/vendor/{file}", vendor_file),
            web.get("/examples/{name}", _example),
            web.post("/sign-in", _sign_in),
            web.post("/sign-out", _sign_out),
            web.post("/token", _token),
        ]
    )
    return app


@asynccontextmanager
async def running_shop(settings: ShopSettings) -> AsyncIterator[Shop]:
    """Run the shop for as long as the block lasts; port 0 takes a free one. Raises OSError when the port is taken."""
    runner = web.AppRunner(build_app(settings), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        port = runner.addresses[0][1]
        yield Shop(url=f"http://{settings.host}:{port}", settings=settings)
    finally:
        await runner.cleanup()
