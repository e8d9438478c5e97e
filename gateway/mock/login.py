"""The login host: `POST /oauth/token` for client credentials, with the real error bodies, and nothing else.

As measured at Genesys, a wrong secret, an unknown id and a disabled client are answered alike; only a client of another
grant type is told apart. Errors have OAuth's shape, not the Platform API's.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from gateway.mock.listener import watched
from gateway.mock.model import GRANT_CLIENT_CREDENTIALS
from gateway.mock.world import World, basic_credentials

_NOT_FOUND_PAGE = "<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"


def login_app(world: World) -> web.Application:
    """Return the login listener of a world."""
    app = web.Application(middlewares=[watched(world, "login", cors=False)], client_max_size=65_536)

    async def token(request: web.Request) -> web.Response:
        return await _token(world, request)

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(status=404, text=_NOT_FOUND_PAGE, content_type="text/html")

    app.router.add_post("/oauth/token", token)
    app.router.add_route("*", "/{path:.*}", elsewhere)
    return app


async def _token(world: World, request: web.Request) -> web.Response:
    if request.content_type != "application/x-www-form-urlencoded":
        return _oauth_error("invalid_request", "content type must be application/x-www-form-urlencoded")
    try:
        form = dict(parse_qsl((await request.text()), strict_parsing=True))
    except ValueError:
        return _oauth_error("invalid_request", "malformed form")
    grant_type = form.pop("grant_type", None)
    if grant_type is None:
        return _oauth_error("invalid_request", "missing grant_type")
    if grant_type != "client_credentials":
        return _oauth_error("unsupported_grant_type", "unsupported grant type")
    if form and world.refuse_extra_token_fields:
        return _oauth_error("invalid_request", f"unknown parameter: {min(form)}")
    pair = basic_credentials(request.headers.get(hdrs.AUTHORIZATION, ""))
    client = world.clients.get(pair[0]) if pair else None
    if pair is None or client is None or not client.active or not world.secret_matches(client, pair[1]):
        return _oauth_error("invalid_client", "authentication failed")
    if client.grant_type != GRANT_CLIENT_CREDENTIALS:
        return _oauth_error("unauthorized_client", "client is not authorized to use the client_credential grant type")
    issued = world.issue_token(client, frozenset(client.scopes))
    body = {"access_token": issued.value, "token_type": "bearer", "expires_in": client.token_life_s - 1}
    return web.json_response(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _oauth_error(error: str, description: str) -> web.Response:
    body = {"error": error, "description": description, "error_description": description}
    return web.json_response(body, status=400, headers={"Cache-Control": "no-store"})
