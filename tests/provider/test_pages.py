"""The page's code endpoint: what `AuthProvider.getAuthCode` resolves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jwt
import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.provider.pages import PageAsk, read_page_ask
from tests.provider.parts import ANNA, ISSUER, NOW, REDIRECT, Bench, refused

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_a_signed_in_visitor_gets_a_fresh_code_at_each_call(bench: Bench) -> None:
    first, second = await bench.page_code(), await bench.page_code()
    assert set(first) == {"authCode", "redirectUri"}
    assert first["redirectUri"] == REDIRECT
    assert first["authCode"] != second["authCode"]
    assert (await bench.redeem(first["authCode"]))["id_token"]
    assert (await bench.redeem(second["authCode"]))["id_token"]


async def test_the_page_may_choose_among_the_clients_redirect_uris(bench: Bench) -> None:
    given = await bench.page_code(redirect_uri="https://shop.example/two")
    assert given["redirectUri"] == "https://shop.example/two"
    assert await refused(bench.page_code(redirect_uri="https://shop.example/three")) is errors.REDIRECT_UNKNOWN


async def test_a_nonce_comes_back_exactly_when_it_was_sent(bench: Bench) -> None:
    assert (await bench.page_code(nonce="n-1"))["nonce"] == "n-1"


async def test_the_verifier_never_comes_from_here(bench: Bench) -> None:
    given = await bench.page_code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert "codeVerifier" not in given


async def test_iss_comes_exactly_when_discovery_announces_it(bench: Bench) -> None:
    assert "iss" not in await bench.page_code()
    announcing = Bench(bench.store, bench.clock, bench.ring, response_iss=True)
    assert (await announcing.page_code())["iss"] == ISSUER
    document: Any = announcing.provider.discovery().body
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_nobody_else_gets_a_code(bench: Bench) -> None:
    bench.people.alive.clear()
    assert await refused(bench.page_code()) is errors.NOT_SIGNED_IN


async def test_a_site_without_client_is_told_so(bench: Bench) -> None:
    bench.provider.parties.replace([])
    assert await refused(bench.page_code()) is errors.NO_RELYING_PARTY


async def test_a_client_without_redirect_uris_gets_no_codes(bench: Bench) -> None:
    party = bench.provider.parties.find("genesys-client")
    assert party is not None
    bench.provider.parties.replace([replace(party, redirect_uris=())])
    assert await refused(bench.page_code()) is errors.REDIRECT_UNKNOWN


@pytest.mark.parametrize("nonce", ["n-1", None])
async def test_the_implicit_variant_gives_an_id_token_that_always_has_a_nonce(bench: Bench, nonce: str | None) -> None:
    given = await bench.page_code(response_type="id_token", **({"nonce": nonce} if nonce else {}))
    assert set(given) == {"idToken", "nonce"}
    key_set = jwt.PyJWKSet.from_dict(bench.ring.jwks(NOW))
    claims = jwt.decode(
        given["idToken"], key_set.keys[0], algorithms=["RS256"], audience="genesys-client", issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert claims["nonce"] == given["nonce"] == (nonce or given["nonce"])
    assert len(given["nonce"]) >= 3
    assert (claims["sub"], claims["exp"]) == (ANNA.sub, int(NOW) + 900)
    assert "at_hash" not in claims
    assert bench.counted == ["id_token_minted"]
    assert bench.trail.records[0].fields["gateway.token.kind"] == "id_token"


async def test_two_implicit_tokens_have_two_nonces(bench: Bench) -> None:
    first, second = await bench.page_code(response_type="id_token"), await bench.page_code(response_type="id_token")
    assert first["nonce"] != second["nonce"]


async def test_a_code_that_cannot_be_recorded_is_not_given(bench: Bench) -> None:
    bench.trail.failure = Refusal(errors.AUDIT_UNAVAILABLE)
    assert await refused(bench.page_code()) is errors.AUDIT_UNAVAILABLE


def test_what_a_page_may_say_is_read_and_the_rest_left_alone() -> None:
    assert read_page_ask({"visitor_token": "x", "nonce": None}) == PageAsk()
    asked = read_page_ask(
        {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "redirect_uri": "u", "nonce": "n"}
    )
    assert asked == PageAsk("code", "u", "n", CHALLENGE)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"nonce": 5}, errors.JSON_MALFORMED),
        ({"redirect_uri": ["u"]}, errors.JSON_MALFORMED),
        ({"response_type": "token"}, errors.OAUTH_REQUEST),
        ({"code_challenge": CHALLENGE}, errors.OAUTH_REQUEST),
        ({"nonce": "x" * 256}, errors.OAUTH_REQUEST),
        (
            {"response_type": "id_token", "code_challenge": CHALLENGE, "code_challenge_method": "S256"},
            errors.OAUTH_REQUEST,
        ),
    ],
)
def test_what_a_page_may_not_say_is_refused(members: dict[str, object], reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        read_page_ask(members)
    assert caught.value.reason is reason
