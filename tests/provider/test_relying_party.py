"""A stock relying party end to end: the mock platform really fetches discovery, tokens and keys from our provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.errors import Refusal
from gateway.mock import guest_jwt
from gateway.mock.clock import frozen_clock
from gateway.mock.default_world import default_world
from gateway.mock.model import DEFAULT_DEPLOYMENT, OidcIntegration
from gateway.mock.server import MockSettings, RunningMock, running_mock
from gateway.policy.openid import s256
from gateway.provider.answers import OAuthAnswer
from gateway.store.base import Store
from gateway.web.problems import oauth_error_answer
from tests.provider.parts import ANNA, NOW, REDIRECT, SECRET, Bench, Clock, ring_in

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class Site:
    """Our provider behind a server, the mock platform beside it, and a page that speaks with both."""

    def __init__(self, bench: Bench, mock: RunningMock, http: aiohttp.ClientSession) -> None:
        self.bench = bench
        self.mock = mock
        self._http = http

    async def exchange(self, given: dict[str, Any], **more: object) -> tuple[int, dict[str, Any]]:
        """What the Messenger does with what getAuthCode resolved."""
        names = {"authCode": "code", "idToken": "idToken", "redirectUri": "redirectUri", "nonce": "nonce", "iss": "iss"}
        oauth = {names[name]: value for name, value in given.items()} | more
        return await self._post("oauthcodegrantjwtexchange", {"deploymentId": DEFAULT_DEPLOYMENT, "oauth": oauth})

    async def refresh(self, token: str) -> int:
        """What the Messenger does before its JWT ends."""
        status, _ = await self._post("refresh", {"refreshToken": token})
        return status

    def pass_time(self, seconds: float) -> None:
        """Both clocks are the same one."""
        self.mock.world.clock.advance(seconds)
        self.bench.clock.now = self.mock.world.now()

    async def _post(self, call: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        url = f"{self.mock.endpoints.api}/api/v2/webdeployments/token/{call}"
        async with self._http.post(url, json=body) as answer:
            return answer.status, await answer.json()


def app_of(bench: Bench) -> web.Application:
    """The least HTTP around the provider."""

    def http(answer: OAuthAnswer) -> web.Response:
        return web.json_response(dict(answer.body or {}), status=answer.status, headers=answer.headers)

    async def discovery(request: web.Request) -> web.Response:
        return http(bench.provider.discovery())

    async def keys(request: web.Request) -> web.Response:
        return http(bench.provider.jwks(bench.asked()))

    async def token(request: web.Request) -> web.Response:
        headers, body = request.headers, await request.read()
        try:
            return http(
                await bench.provider.token(
                    headers.get("Content-Type"), body, headers.get("Authorization"), bench.asked()
                )
            )
        except Refusal as refusal:
            return oauth_error_answer(refusal, request_id="request-1", headers={})

    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", discovery)
    app.router.add_get("/oauth/jwks.json", keys)
    app.router.add_post("/oauth/token", token)
    return app


@pytest.fixture(params=["basic", "post"])
async def site(request: pytest.FixtureRequest, store: Store, clock: Clock, tmp_path: Path) -> AsyncIterator[Site]:
    """Everything started, with either way in which Genesys may authenticate."""
    bench = Bench(store, clock, ring_in(tmp_path / "keys"))
    server = TestServer(app_of(bench))
    await server.start_server()
    bench.issuer = str(server.make_url("")).rstrip("/")
    bench.provider = bench.node()
    world = default_world()
    world.clock = frozen_clock(NOW)
    oidc = OidcIntegration(
        f"{bench.issuer}/.well-known/openid-configuration", "genesys-client", SECRET, client_auth=request.param
    )
    async with (
        running_mock(MockSettings.free_ports(oidc=oidc), world) as mock,
        aiohttp.ClientSession(headers={"Origin": "http://localhost:8088"}) as http,
    ):
        yield Site(bench, mock, http)
    await server.close()


async def test_a_visitor_is_signed_in_at_the_platform(site: Site) -> None:
    status, body = await site.exchange(await site.bench.page_code())
    assert status == 200
    claims = site.mock.world.read_guest_jwt(guest_jwt.AUTHENTICATED, body["jwt"])
    assert (claims["sub"], claims["exp"]) == (ANNA.sub, NOW + 900)
    assert body["refreshToken"]


async def test_with_pkce_and_nonce(site: Site) -> None:
    given = await site.bench.page_code(nonce="n-1", code_challenge=s256(VERIFIER), code_challenge_method="S256")
    assert (await site.exchange(given, codeVerifier="x" * 43))[0] == 401
    given = await site.bench.page_code(nonce="n-1", code_challenge=s256(VERIFIER), code_challenge_method="S256")
    assert (await site.exchange(given, codeVerifier=VERIFIER, maxAge=300))[0] == 200


async def test_the_implicit_variant(site: Site) -> None:
    given = await site.bench.page_code(response_type="id_token")
    status, body = await site.exchange(given)
    assert (status, set(body)) == (200, {"jwt"})


async def test_the_known_failures_of_the_exchange_fail(site: Site) -> None:
    page = site.bench.page_code
    assert (await site.exchange(await page(), redirectUri=REDIRECT + "/"))[0] == 401
    assert (await site.exchange(await page(), nonce="made-up"))[0] == 401
    code = await page()
    assert (await site.exchange(code))[0] == 200
    assert (await site.exchange(code))[0] == 401
    late = await page()
    site.pass_time(60)
    assert (await site.exchange(late))[0] == 401


async def test_a_renewal_asks_us_whether_the_visitor_is_still_there(site: Site) -> None:
    _, body = await site.exchange(await site.bench.page_code())
    site.pass_time(850)
    assert await site.refresh(body["refreshToken"]) == 200
    site.pass_time(850)
    assert await site.refresh(body["refreshToken"]) == 200
    site.bench.people.alive.clear()
    site.pass_time(850)
    assert await site.refresh(body["refreshToken"]) == 401


async def test_a_key_rotation_is_never_noticed(site: Site) -> None:
    ring, now = site.bench.ring, site.bench.clock.now
    assert (await site.exchange(await site.bench.page_code()))[0] == 200
    new = ring.rotate(now, 86_400).kid
    site.pass_time(86_399)
    site.bench.people.alive[ANNA.session_id] = replace(ANNA, ends_at=now + 200_000)
    assert (await site.exchange(await site.bench.page_code()))[0] == 200
    site.pass_time(1)
    assert (await site.exchange(await site.bench.page_code()))[0] == 200
    assert ring.overview(site.bench.clock.now)[-1][0].kid == new


async def test_a_rotation_in_haste_is_found_again_by_the_key_set(site: Site) -> None:
    assert (await site.exchange(await site.bench.page_code()))[0] == 200
    site.bench.ring.rotate_now(site.bench.clock.now)
    site.pass_time(site.mock.world.oidc.jwks_min_refetch_s)
    assert (await site.exchange(await site.bench.page_code()))[0] == 200


async def test_iss_comes_along_when_announced(site: Site) -> None:
    site.bench.response_iss = True
    site.bench.provider = site.bench.node()
    given = await site.bench.page_code()
    assert given["iss"] == site.bench.issuer
    assert (await site.exchange(given))[0] == 200
    without = await site.bench.page_code()
    del without["iss"]
    assert (await site.exchange(without))[0] == 401
