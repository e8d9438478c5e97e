"""What Genesys does at the token endpoint: redeem, refresh, repeat by mistake, revoke."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.openid import at_hash
from tests.provider.parts import ANNA, ISSUER, NOW, OTHER_BASIC, Bench, refused

# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PKCE = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"}


def claims_of(bench: Bench, token: str) -> dict[str, Any]:
    key_set = jwt.PyJWKSet.from_dict(bench.ring.jwks(bench.clock.now))
    key = key_set[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience="genesys-client", issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    return claims


async def test_a_code_becomes_tokens(bench: Bench) -> None:
    answer = await bench.signed_in()
    assert set(answer) == {"access_token", "token_type", "expires_in", "id_token", "refresh_token", "scope"}
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
    claims = claims_of(bench, answer["id_token"])
    assert (claims["sub"], claims["aud"], claims["auth_time"]) == (ANNA.sub, "genesys-client", int(NOW) - 60)
    assert claims["at_hash"] == at_hash(answer["access_token"])
    assert "nonce" not in claims
    assert "email" not in claims


async def test_verified_name_and_email_reach_the_id_token(bench: Bench) -> None:
    bench.people.rename(ANNA.session_id, "Anna", "anna@shop.example")
    claims = claims_of(bench, (await bench.signed_in())["id_token"])
    assert (claims["name"], claims["email"], claims["email_verified"]) == ("Anna", "anna@shop.example", True)


async def test_the_nonce_of_the_page_is_in_the_id_token(bench: Bench) -> None:
    given = await bench.page_code(nonce="n-1")
    answer = await bench.redeem(given["authCode"])
    assert claims_of(bench, answer["id_token"])["nonce"] == given["nonce"] == "n-1"


async def test_pkce_is_checked(bench: Bench) -> None:
    code = (await bench.page_code(**PKCE))["authCode"]
    assert await refused(bench.redeem(code, code_verifier="x" * 43)) is errors.PKCE_FAILED
    code = (await bench.page_code(**PKCE))["authCode"]
    assert (await bench.redeem(code, code_verifier=VERIFIER))["id_token"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uri": "https://shop.example/two"}, errors.REDIRECT_MISMATCH),
        ({"redirect_uri": ""}, errors.REDIRECT_MISMATCH),
        ({"code_verifier": VERIFIER}, errors.PKCE_FAILED),
        ({"party": OTHER_BASIC}, errors.GRANT_INVALID),
        ({"code": ""}, errors.OAUTH_REQUEST),
        ({"code": "gwc_cut"}, errors.GRANT_INVALID),
    ],
)
async def test_a_wrong_redemption_gives_nothing(bench: Bench, changes: dict[str, str], reason: Reason) -> None:
    code = (await bench.page_code())["authCode"]
    recorded = len(bench.trail.records)
    assert await refused(bench.redeem(**({"code": code} | changes))) is reason
    assert len(bench.trail.records) == recorded


async def test_a_client_that_does_not_prove_itself_does_not_spend_the_code(bench: Bench) -> None:
    code = (await bench.page_code())["authCode"]
    assert await refused(bench.redeem(code, party="Basic Z2VuZXN5cy1jbGllbnQ6eA==")) is errors.CLIENT_INVALID
    assert await refused(bench.redeem(code, party=None)) is errors.CLIENT_INVALID
    assert await bench.redeem(code)


async def test_a_wrong_redemption_spends_the_code(bench: Bench) -> None:
    code = (await bench.page_code())["authCode"]
    await refused(bench.redeem(code, redirect_uri="https://shop.example/two"))
    assert await refused(bench.redeem(code)) is errors.CODE_REPLAYED


async def test_a_code_of_an_ended_session_gives_nothing(bench: Bench) -> None:
    code = (await bench.page_code())["authCode"]
    bench.people.alive.clear()
    assert await refused(bench.redeem(code)) is errors.GRANT_SESSION_OVER


async def test_a_second_redemption_ends_what_the_first_gave(bench: Bench) -> None:
    """RFC 6749 section 4.1.2."""
    code = (await bench.page_code())["authCode"]
    first = await bench.redeem(code)
    assert await bench.userinfo(first["access_token"]) == {"sub": ANNA.sub}
    assert await refused(bench.redeem(code)) is errors.CODE_REPLAYED
    assert await refused(bench.userinfo(first["access_token"])) is errors.ACCESS_TOKEN_INVALID
    assert await refused(bench.refresh(first["refresh_token"])) is errors.GRANT_INVALID
    assert bench.trail.actions()[-1] == "token.revoked"
    assert bench.trail.records[-1].fields["event.reason"] == "replayed"
    assert bench.counted[-1] == "replay_revoked"


async def test_of_two_redeemers_on_two_nodes_exactly_one_wins(bench: Bench) -> None:
    code = (await bench.page_code())["authCode"]
    nodes = [bench.node(), bench.node()]
    outcomes = await asyncio.gather(*(bench.redeem(code, node=node) for node in nodes), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CodeReplayed", "dict"]


async def test_a_refresh_gives_new_tokens_of_the_same_visitor(bench: Bench) -> None:
    first = await bench.redeem((await bench.page_code(nonce="n-1"))["authCode"])
    bench.clock.now += 800
    second = await bench.refresh(first["refresh_token"])
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    before, after = claims_of(bench, first["id_token"]), claims_of(bench, second["id_token"])
    assert (before["sub"], before["auth_time"]) == (after["sub"], after["auth_time"])
    assert after["iat"] == before["iat"] + 800
    assert "nonce" not in after


async def test_a_refresh_says_what_the_visitors_proof_says_now(bench: Bench) -> None:
    first = await bench.signed_in()
    bench.people.rename(ANNA.session_id, "Anna Neu", None)
    assert claims_of(bench, (await bench.refresh(first["refresh_token"]))["id_token"])["name"] == "Anna Neu"


async def test_a_refresh_asks_whether_the_session_is_still_alive(bench: Bench) -> None:
    first = await bench.signed_in()
    bench.people.alive.clear()
    assert await refused(bench.refresh(first["refresh_token"])) is errors.GRANT_SESSION_OVER


async def test_a_repeated_refresh_whose_answer_was_lost_works(bench: Bench) -> None:
    first = await bench.signed_in()
    lost = await bench.refresh(first["refresh_token"])
    bench.clock.now += 59
    again = await bench.refresh(first["refresh_token"])
    assert await bench.refresh(again["refresh_token"])
    assert await bench.refresh(lost["refresh_token"])


async def test_a_refresh_token_that_comes_back_later_ends_the_grant(bench: Bench) -> None:
    first = await bench.signed_in()
    second = await bench.refresh(first["refresh_token"])
    bench.clock.now += 61
    assert await refused(bench.refresh(first["refresh_token"])) is errors.REFRESH_REPLAYED
    assert await refused(bench.refresh(second["refresh_token"])) is errors.GRANT_INVALID
    assert await refused(bench.userinfo(second["access_token"])) is errors.ACCESS_TOKEN_INVALID
    assert bench.trail.records[-1].fields["gateway.token.kind"] == "refresh"


async def test_refreshing_does_not_lengthen_the_grant(bench: Bench) -> None:
    token = (await bench.signed_in())["refresh_token"]
    for _ in range(3):
        bench.clock.now += 14_000
        token = (await bench.refresh(token))["refresh_token"]
    bench.clock.now = NOW + 43_200
    assert await refused(bench.refresh(token)) is errors.GRANT_INVALID


async def test_another_client_cannot_refresh(bench: Bench) -> None:
    token = (await bench.signed_in())["refresh_token"]
    assert await refused(bench.refresh(token, party=OTHER_BASIC)) is errors.GRANT_INVALID
    assert await bench.refresh(token)


async def test_a_refresh_may_narrow_its_access_token_only(bench: Bench) -> None:
    bench.people.rename(ANNA.session_id, "Anna", None)
    narrow = await bench.refresh((await bench.signed_in())["refresh_token"], scope="openid")
    assert narrow["scope"] == "openid"
    assert await bench.userinfo(narrow["access_token"]) == {"sub": ANNA.sub}
    assert "name" not in claims_of(bench, narrow["id_token"])
    assert (await bench.refresh(narrow["refresh_token"]))["scope"] == "openid profile email offline_access"


async def test_every_token_is_recorded_before_it_is_given_and_can_be_found_again(bench: Bench) -> None:
    answer = await bench.signed_in()
    fields = [record.fields for record in bench.trail.records]
    assert [field["gateway.token.kind"] for field in fields] == ["code", "access", "id_token", "refresh"]
    for field, name in zip(fields[1:], ("access_token", "id_token", "refresh_token"), strict=True):
        assert field["gateway.ref.token"] == bench.trail.ref("token", answer[name])
        assert field["gateway.token.client"] == "genesys"
        assert field["user.id"] == bench.trail.pseudonym("shop", ANNA.sub, NOW)
        assert field["gateway.site"] == "shop"
    assert bench.counted == ["code_minted", "code_redeemed"]
    shown = repr(bench.trail.records)
    assert not any(str(answer[name]) in shown for name in ("access_token", "id_token", "refresh_token"))
    assert ANNA.sub not in shown
    assert ANNA.session_id not in shown


async def test_what_cannot_be_recorded_is_not_given(bench: Bench) -> None:
    code = (await bench.page_code())["authCode"]
    bench.trail.failure = Refusal(errors.AUDIT_UNAVAILABLE)
    assert await refused(bench.redeem(code)) is errors.AUDIT_UNAVAILABLE


async def test_revoking_is_recorded_and_silent_about_the_unknown(bench: Bench) -> None:
    answer = await bench.signed_in()
    await bench.revoke("unknown")
    await bench.revoke(answer["access_token"], OTHER_BASIC)
    assert "token.revoked" not in bench.trail.actions()
    await bench.revoke(answer["refresh_token"])
    assert await refused(bench.userinfo(answer["access_token"])) is errors.ACCESS_TOKEN_INVALID
    assert bench.trail.records[-1].fields["event.reason"] == "asked"
    assert bench.counted[-1] == "revoked"
