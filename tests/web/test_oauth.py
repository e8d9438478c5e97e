"""The OAuth and OpenID endpoints over HTTP: backends' handles, the page's code, redemption, userinfo, revocation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from gateway.web.oauth import SESSION_COOKIE
from tests.login_stack import PARTY_ID, PARTY_SECRET, REDIRECT, SharedClock, login_stack, visitor_token
from tests.stack import BACKEND_ID, BACKEND_KEY, PAGE, Stack, basic

FORM = {"grant_type": "client_credentials"}
PARTY = basic(PARTY_ID, PARTY_SECRET)


@pytest.fixture
async def login(tmp_path: Path) -> AsyncIterator[Stack]:
    async with login_stack(tmp_path, {"oidc.session_cookie": True}) as running:
        yield running


async def code_of(stack: Stack, **members: Any) -> dict[str, Any]:
    """What the page's code endpoint says to a visitor's token."""
    async with stack.call("POST", "/auth-code", json={"visitor_token": visitor_token(), **members}) as answer:
        found: dict[str, Any] = await answer.json()
        assert answer.status == 200, found
        return found


async def redeemed(stack: Stack, code: str, **more: str) -> tuple[int, dict[str, Any]]:
    """The token endpoint's answer to a code."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **more}
    async with stack.client.post(f"{stack.url}/oauth/token", data=form, headers=PARTY) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", ["/oauth/token", "/login/oauth/token"])
async def test_a_backend_gets_a_handle(stack: Stack, path: str) -> None:
    async with stack.client.post(stack.url + path, data=FORM, headers=basic(BACKEND_ID, BACKEND_KEY)) as answer:
        body = await answer.json()
    assert answer.status == 200
    assert body["access_token"].startswith("gwb_")
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "token.minted" in await stack.actions()


async def test_a_wrong_key_is_an_invalid_client_with_our_code(stack: Stack) -> None:
    async with stack.client.post(f"{stack.url}/oauth/token", data=FORM, headers=basic(BACKEND_ID, "no")) as answer:
        body = await answer.json()
    assert (answer.status, body["error"], body["code"]) == (401, "invalid_client", "backend.invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert (await stack.actions())[-1] in {"proxy.denied", "token.refused"}


async def test_a_page_does_not_get_tokens(stack: Stack) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with stack.client.options(f"{stack.url}/oauth/token", headers=headers) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_json_instead_of_a_form_is_refused(stack: Stack) -> None:
    async with stack.client.post(f"{stack.url}/oauth/token", json=FORM) as answer:
        assert answer.status in {400, 415}
        assert "error" in await answer.json()


async def test_discovery_names_this_gateway_and_its_keys(login: Stack) -> None:
    async with login.client.get(f"{login.url}/.well-known/openid-configuration") as answer:
        document = await answer.json()
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert document["issuer"] == login.url
    async with login.client.get(document["jwks_uri"]) as answer:
        assert [key["alg"] for key in (await answer.json())["keys"]] == ["RS256"]
    calls = [r for r in await login.records() if r.get("gateway.route") == "oidc"]
    assert [r["url.path"] for r in calls] == ["/.well-known/openid-configuration", "/oauth/jwks.json"]


async def test_a_gateway_without_public_url_is_no_openid_issuer(tmp_path: Path) -> None:
    flags = {"server.public_url": "", "oidc.clients": {}}
    async with (
        login_stack(tmp_path, flags) as stack,
        stack.client.get(f"{stack.url}/.well-known/openid-configuration") as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (404, "request.not_found")


async def test_a_code_is_fresh_per_call_and_redeemed_once(login: Stack) -> None:
    first, second = await code_of(login), await code_of(login)
    assert first["authCode"] != second["authCode"]
    assert (first["redirectUri"], set(first)) == (REDIRECT, {"authCode", "redirectUri"})
    status, tokens = await redeemed(login, first["authCode"])
    assert status == 200
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["email_verified"]) == (login.url, PARTY_ID, True)
    status, refused = await redeemed(login, first["authCode"])
    assert (status, refused["code"]) == (400, "oauth.code_replayed")
    last = [r for r in await login.records() if r["event.action"] in {"token.refused", "token.revoked"}]
    assert [(r["event.action"], r["gateway.token.client"]) for r in last] == [
        ("token.revoked", "genesys"),
        ("token.refused", "genesys"),
    ]


async def test_a_code_is_to_be_had_with_a_session_alone(login: Stack) -> None:
    session = await login.session(visitor_token())
    async with login.call("POST", "/auth-code", bearer=session["session_token"], json={}) as answer:
        given = await answer.json()
    status, tokens = await redeemed(login, given["authCode"])
    assert status == 200
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert claims["sub"] == session["guest"]["id"]


@pytest.mark.parametrize("with_session", [False, True])
async def test_nobody_unknown_gets_a_code(login: Stack, with_session: bool) -> None:
    bearer = (await login.session())["session_token"] if with_session else None
    async with login.call("POST", "/auth-code", bearer=bearer, json={}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "oauth.not_signed_in")
    refused = (await login.records())[-1]
    assert (refused["event.action"], refused["event.reason"]) == ("token.refused", "oauth.not_signed_in")


async def test_a_page_that_is_not_listed_gets_no_code(login: Stack) -> None:
    body = {"visitor_token": visitor_token()}
    async with login.call("POST", "/auth-code", origin="https://evil.example", json=body) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "origin.not_allowed")


async def test_the_id_token_of_the_implicit_variant_carries_its_nonce(login: Stack) -> None:
    given = await code_of(login, response_type="id_token", nonce="n-1")
    claims = jwt.decode(given["idToken"], options={"verify_signature": False})
    assert (given["nonce"], claims["nonce"]) == ("n-1", "n-1")


async def test_userinfo_and_revocation_end_to_end(login: Stack) -> None:
    _, tokens = await redeemed(login, (await code_of(login))["authCode"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with login.client.get(f"{login.url}/oauth/userinfo", headers=bearer) as answer:
        assert (await answer.json())["email"] == "ada@shop.example"
    form = {"token": tokens["refresh_token"]}
    async with login.client.post(f"{login.url}/oauth/revoke", data=form, headers=PARTY) as answer:
        assert answer.status == 200
    async with login.client.get(f"{login.url}/oauth/userinfo", headers=bearer) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "oauth.invalid_token")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_the_authorization_endpoint_knows_the_visitor_by_the_cookie_only(login: Stack) -> None:
    async with login.call("POST", "/session", json={"visitor_token": visitor_token()}) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=gws_")
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    query = {
        "response_type": "code", "client_id": PARTY_ID, "redirect_uri": REDIRECT, "scope": "openid email", "state": "s",
        "prompt": "none",
    }  # fmt: skip
    sent: dict[str, list[str]] = {}
    for headers, member in (({"Cookie": cookie.partition(";")[0]}, "code"), ({}, "error")):
        url = f"{login.url}/oauth/authorize"
        async with login.client.get(url, params=query, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 302
            sent = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert member in sent
        assert sent["state"] == ["s"]
    assert sent["error"] == ["login_required"]
    async with login.call("DELETE", "/session", bearer=(await login.session())["session_token"]) as answer:
        assert "Max-Age=0" in answer.headers["Set-Cookie"]


async def test_a_spoilt_cookie_is_no_visitor_and_no_fault(login: Stack) -> None:
    query = {"response_type": "code", "client_id": PARTY_ID, "redirect_uri": REDIRECT, "scope": "openid"}
    for word in ("x", "gws_short", "gwt_" + "A" * 43, "gws_" + "A" * 43):
        headers = {"Cookie": f"{SESSION_COOKIE}={word}"}
        url = f"{login.url}/oauth/authorize"
        async with login.client.get(url, params=query, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 302
            assert "login_required" in answer.headers["Location"]


async def test_the_cookie_opens_nothing_but_the_authorization_endpoint(login: Stack) -> None:
    async with login.call("POST", "/session", json={"visitor_token": visitor_token()}) as answer:
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    for path in ("/ticket", "/auth-code"):
        async with login.call("POST", path, headers=cookie, json={}) as answer:
            assert answer.status in {401, 403}


async def test_a_reload_changes_the_relying_parties_and_keeps_what_was_given(login: Stack) -> None:
    from tests.stack import compiled, mock_flags

    _, tokens = await redeemed(login, (await code_of(login))["authCode"])
    own = {"server.public_url": login.url, "oidc.clients.genesys.secret": "another-secret-of-the-relying-party"}
    login.gateway.apply(compiled({**mock_flags(login.mock), **own}))
    status, refused = await redeemed(login, (await code_of(login))["authCode"])
    assert (status, refused["code"]) == (401, "oauth.invalid_client")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with login.client.get(f"{login.url}/oauth/userinfo", headers=bearer) as answer:
        assert answer.status == 200


async def test_a_code_that_is_kept_too_long_says_so(tmp_path: Path) -> None:
    clock = SharedClock()
    async with login_stack(tmp_path, clock=clock) as stack:
        async with stack.call("POST", "/auth-code", json={"visitor_token": visitor_token(clock)}) as answer:
            code = (await answer.json())["authCode"]
        clock.advance(61)
        assert (await redeemed(stack, code))[1]["code"] == "oauth.code_expired"


async def test_a_new_signing_key_is_published_a_day_before_it_signs(login: Stack) -> None:
    ring, now = login.gateway.ring, login.gateway.surroundings.clock()
    waiting = ring.rotate(now, 86_400)
    async with login.client.get(f"{login.url}/oauth/jwks.json") as answer:
        kids = [key["kid"] for key in (await answer.json())["keys"]]
    assert waiting.kid in kids
    _, tokens = await redeemed(login, (await code_of(login))["authCode"])
    signed_by = jwt.get_unverified_header(tokens["id_token"])["kid"]
    assert signed_by in kids
    assert signed_by != waiting.kid
