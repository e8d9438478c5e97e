"""The provider's paths: discovery, key set, authorize, userinfo, revocation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.oauth_forms import FORM_TYPE, JWT_BEARER_ASSERTION
from gateway.provider.people import SignedIn
from tests.provider.parts import ANNA, ISSUER, NOW, REDIRECT, Bench, refused

REQUEST = {
    "client_id": "genesys-client", "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid email",
    "state": "s-1", "nonce": "n-1",
}  # fmt: skip


async def authorize(bench: Bench, person: SignedIn | None = ANNA, **changes: str) -> dict[str, str]:
    """The members that the redirect carries."""
    answer = await bench.provider.authorize(urlencode(REQUEST | changes), person, "deployment", bench.asked())
    assert answer.status == 302
    assert answer.body is None
    location = answer.headers["Location"]
    assert location.startswith(REDIRECT + "?")
    assert answer.headers["Cache-Control"] == "no-store"
    return dict(parse_qsl(urlsplit(location).query))


def test_discovery_and_key_set_may_be_cached(bench: Bench) -> None:
    discovery, keys = bench.provider.discovery(), bench.provider.jwks(bench.asked())
    assert discovery.body is not None
    assert discovery.body["issuer"] == ISSUER
    assert discovery.headers["Cache-Control"] == "public, max-age=3600"
    assert keys.headers["Cache-Control"] == "public, max-age=300"
    assert keys.body == bench.ring.jwks(NOW)


async def test_an_ordinary_authorization_request_ends_with_a_code(bench: Bench) -> None:
    given = await authorize(bench)
    assert given["state"] == "s-1"
    answer = await bench.redeem(given["code"])
    assert "refresh_token" not in answer
    assert answer["scope"] == "openid email"
    claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
    assert claims["nonce"] == "n-1"
    assert bench.counted == ["code_minted", "code_redeemed"]
    assert bench.trail.records[0].fields["gateway.token.kind"] == "code"


async def test_offline_access_gives_a_refresh_token(bench: Bench) -> None:
    given = await authorize(bench, scope="openid offline_access")
    assert "refresh_token" in await bench.redeem(given["code"])


async def test_nobody_signed_in_is_sent_back(bench: Bench) -> None:
    for prompt in ("", "none"):
        given = await authorize(bench, None, prompt=prompt)
        assert (given["error"], given["state"]) == ("login_required", "s-1")
        assert "code" not in given


async def test_a_sign_in_longer_ago_than_max_age_is_sent_back(bench: Bench) -> None:
    assert (await authorize(bench, max_age="59"))["error"] == "login_required"
    assert "code" in await authorize(bench, max_age="60")


async def test_a_hint_must_name_the_visitor_who_is_signed_in(bench: Bench) -> None:
    hint = (await bench.signed_in())["id_token"]
    bench.clock.now += 10_000
    assert "code" in await authorize(bench, id_token_hint=hint)
    other = replace(ANNA, sub="somebody-else")
    assert (await authorize(bench, other, id_token_hint=hint))["error"] == "login_required"
    assert (await authorize(bench, id_token_hint="a.b.c"))["error"] == "login_required"


async def test_a_visitor_of_a_site_that_the_client_does_not_serve_is_sent_back(bench: Bench) -> None:
    party = bench.provider.parties.find("genesys-client")
    assert party is not None
    bench.provider.parties.replace([replace(party, sites=frozenset({"blog"}))])
    assert (await authorize(bench))["error"] == "login_required"


async def test_a_fault_is_sent_back_and_an_unsafe_redirect_is_not(bench: Bench) -> None:
    assert (await authorize(bench, response_type="token"))["error"] == "unsupported_response_type"
    evil = urlencode(REQUEST | {"redirect_uri": "https://evil.example/"})
    call = bench.provider.authorize(evil, ANNA, "deployment", bench.asked())
    assert await refused(call) is errors.REDIRECT_UNKNOWN
    unknown = urlencode(REQUEST | {"client_id": "nobody"})
    call = bench.provider.authorize(unknown, ANNA, "deployment", bench.asked())
    assert await refused(call) is errors.CLIENT_INVALID


async def test_iss_stands_in_redirects_when_announced(bench: Bench) -> None:
    announcing = Bench(bench.store, bench.clock, bench.ring, response_iss=True)
    assert (await authorize(announcing))["iss"] == ISSUER
    assert (await authorize(announcing, None))["iss"] == ISSUER


async def test_userinfo_says_what_the_scopes_cover(bench: Bench) -> None:
    bench.people.rename(ANNA.session_id, "Anna", "anna@shop.example")
    token = (await bench.redeem((await authorize(bench))["code"]))["access_token"]
    assert await bench.userinfo(token) == {"sub": ANNA.sub, "email": "anna@shop.example", "email_verified": True}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, errors.ACCESS_TOKEN_INVALID),
        ("Bearer gwa_cut", errors.ACCESS_TOKEN_INVALID),
        ("Bearer genesys-token", errors.ACCESS_TOKEN_INVALID),
        ("Basic YTpi", errors.HEADER_INVALID),
    ],
)
async def test_userinfo_needs_an_access_token(bench: Bench, header: str | None, reason: Reason) -> None:
    assert await refused(bench.provider.userinfo(header, bench.asked())) is reason


async def test_a_refresh_token_is_no_access_token(bench: Bench) -> None:
    token = (await bench.signed_in())["refresh_token"]
    assert await refused(bench.userinfo(token)) is errors.ACCESS_TOKEN_INVALID


BACKEND = "Basic c2VydmljZW5vdy1pZDpzZXJ2aWNlbm93LWtleQ=="


async def test_a_backend_gets_and_revokes_its_handle(bench: Bench) -> None:
    handle = (await bench.token({"grant_type": "client_credentials"}, party=BACKEND))["access_token"]
    assert (await bench.provider.backends.identify(handle, NOW)).name == "servicenow"
    await bench.revoke("gwb_unknown", BACKEND)
    await bench.revoke(handle, BACKEND)
    assert await refused(bench.provider.backends.identify(handle, NOW)) is errors.BACKEND_INVALID
    assert bench.trail.actions() == ["token.minted", "token.revoked"]
    assert bench.trail.records[1].fields["gateway.token.kind"] == "handle"


@pytest.mark.parametrize(
    ("body", "authorization", "reason"),
    [
        ({"token": "x"}, None, errors.CLIENT_INVALID),
        ({"token": "x"}, "Basic bm9ib2R5Ong=", errors.CLIENT_INVALID),
        ({"token": "x"}, "Basic c2VydmljZW5vdy1pZDp4", errors.BACKEND_INVALID),
        ({}, BACKEND, errors.OAUTH_REQUEST),
    ],
)
async def test_only_clients_revoke(
    bench: Bench, body: dict[str, str], authorization: str | None, reason: Reason
) -> None:
    call = bench.provider.revoke(FORM_TYPE, urlencode(body).encode(), authorization, bench.asked())
    assert await refused(call) is reason


async def test_a_backend_may_revoke_with_an_assertion(bench: Bench) -> None:
    form = {"token": "x", "client_assertion": "a.b.c", "client_assertion_type": JWT_BEARER_ASSERTION}
    call = bench.provider.revoke(FORM_TYPE, urlencode(form).encode(), None, bench.asked())
    with pytest.raises(Refusal, match="malformed"):
        await call


async def test_relying_parties_and_backends_have_their_own_grants(bench: Bench) -> None:
    assert await refused(bench.token({"grant_type": "client_credentials"})) is errors.BACKEND_INVALID
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": REDIRECT}
    assert await refused(bench.token(form, party=BACKEND)) is errors.CLIENT_INVALID


async def test_the_caller_is_named_for_the_record_of_a_refusal(bench: Bench) -> None:
    asked: Any = bench.asked()
    body = urlencode({"grant_type": "authorization_code", "code": "x", "redirect_uri": REDIRECT,
                      "client_id": "genesys-client", "client_secret": "genesys secret+%/~"})  # fmt: skip
    with pytest.raises(Refusal):
        await bench.provider.token(FORM_TYPE, body.encode(), None, asked)
    assert asked.client == "genesys"
