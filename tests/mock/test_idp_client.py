"""The calls to the provider: their bounds and what they refuse."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.mock.default_world import default_world
from gateway.mock.idp_client import IdpCalls, IdpRefused

ServerMaker = Callable[..., Awaitable[TestServer]]


async def discover(aiohttp_server: ServerMaker, answer: Callable[[], web.Response]) -> None:
    async def handler(request: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", handler)
    server = await aiohttp_server(app)
    world = default_world()
    world.oidc.discovery_uri = str(server.make_url("/.well-known/openid-configuration"))
    async with IdpCalls(world, []) as idp:
        await idp.discovery()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: web.Response(text="<html>"), "not a JSON object"),
        (lambda: web.json_response([]), "not a JSON object"),
        (lambda: web.json_response({}), "no issuer"),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302"),
        (lambda: web.Response(body=b" " * 1_000_001), "no answer"),
    ],
    ids=["html", "list", "empty", "redirect", "huge"],
)
async def test_odd_answers_are_refused(
    aiohttp_server: ServerMaker, answer: Callable[[], web.Response], reason: str
) -> None:
    with pytest.raises(IdpRefused, match=reason):
        await discover(aiohttp_server, answer)


async def test_small_and_broken_keys_are_not_used() -> None:
    from gateway.mock.idp_client import _rsa_keys

    assert _rsa_keys({"keys": [{"kty": "EC", "kid": "e"}, "x", {"kty": "RSA"}]}) == {}
    with pytest.raises(IdpRefused, match="unreadable"):
        _rsa_keys({"keys": [{"kty": "RSA", "kid": "k", "n": "%%%", "e": "AQAB"}]})
