"""What codes and tokens are bound to, the claims of an id_token, PKCE, and the rules of refreshing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.openid import (
    SCOPES,
    Binding,
    CodeBinding,
    RefreshUse,
    TokenRecord,
    at_hash,
    check_redemption,
    check_refresh,
    checked_challenge,
    checked_nonce,
    discovery,
    id_token_claims,
    narrowed,
    person_claims,
    s256,
)

NOW = 1_763_600_000.0
# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
REDIRECT = "https://shop.example/cb"
BINDING = Binding("grant", "genesys", "session", "shop", "deployment", "8f14e45f", int(NOW) - 60, SCOPES)
CODE = CodeBinding(BINDING, REDIRECT, None, None)
WITH_PKCE = replace(CODE, challenge=CHALLENGE)


def redeem(code: CodeBinding, **changes: str | None) -> Reason | None:
    given: dict[str, str | None] = {"client_id": "genesys", "redirect_uri": REDIRECT, "verifier": None} | changes
    try:
        check_redemption(code, str(given["client_id"]), given["redirect_uri"], given["verifier"])
    except Refusal as refusal:
        return refusal.reason
    return None


def test_pkce_of_rfc_7636_appendix_b() -> None:
    assert s256(VERIFIER) == CHALLENGE


def test_at_hash_of_openid_connect_core_appendix_a() -> None:
    """Appendices A.3 and A.4: this access token gives this at_hash."""
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"


def test_discovery_holds_what_the_standard_requires() -> None:
    document = discovery("https://chat.shop.example", response_iss=False)
    required = {
        "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "response_types_supported",
        "subject_types_supported", "id_token_signing_alg_values_supported",
    }  # fmt: skip
    assert required <= document.keys()
    assert document["issuer"] == "https://chat.shop.example"
    assert document["jwks_uri"] == "https://chat.shop.example/oauth/jwks.json"
    assert document["id_token_signing_alg_values_supported"] == ["RS256"]
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic", "client_secret_post"]


@pytest.mark.parametrize("response_iss", [True, False])
def test_iss_in_responses_is_announced_only_when_it_comes(response_iss: bool) -> None:
    document = discovery("https://x.example", response_iss=response_iss)
    assert document["authorization_response_iss_parameter_supported"] is response_iss


@pytest.mark.parametrize(
    ("code", "changes", "reason"),
    [
        (CODE, {}, None),
        (CODE, {"client_id": "other"}, errors.GRANT_INVALID),
        (CODE, {"redirect_uri": None}, errors.REDIRECT_MISMATCH),
        (CODE, {"redirect_uri": REDIRECT + "/"}, errors.REDIRECT_MISMATCH),
        (CODE, {"redirect_uri": REDIRECT + "?x"}, errors.REDIRECT_MISMATCH),
        (CODE, {"redirect_uri": REDIRECT.upper()}, errors.REDIRECT_MISMATCH),
        (CODE, {"verifier": VERIFIER}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": VERIFIER}, None),
        (WITH_PKCE, {}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": VERIFIER[:-1] + "K"}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": VERIFIER[:-1]}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": CHALLENGE}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": "ü" * 43}, errors.PKCE_FAILED),
        (WITH_PKCE, {"verifier": "a" * 129}, errors.PKCE_FAILED),
    ],
)
def test_a_code_is_good_only_for_what_it_was_made_for(
    code: CodeBinding, changes: dict[str, str | None], reason: Reason | None
) -> None:
    assert redeem(code, **changes) is reason


@pytest.mark.parametrize(
    ("used_at", "now", "client", "outcome"),
    [
        (None, NOW, "genesys", RefreshUse.FIRST),
        (None, NOW + 3599, "genesys", RefreshUse.FIRST),
        (None, NOW + 3600, "genesys", errors.GRANT_INVALID),
        (None, NOW, "other", errors.GRANT_INVALID),
        (NOW, NOW, "genesys", RefreshUse.AGAIN),
        (NOW, NOW + 60, "genesys", RefreshUse.AGAIN),
        (NOW, NOW + 60.1, "genesys", errors.REFRESH_REPLAYED),
        (NOW, NOW + 61, "other", errors.GRANT_INVALID),
    ],
)
def test_a_refresh_token_works_once_and_for_a_short_grace(
    used_at: float | None, now: float, client: str, outcome: RefreshUse | Reason
) -> None:
    record = TokenRecord(BINDING, NOW + 3600, used_at)
    if isinstance(outcome, RefreshUse):
        assert check_refresh(record, client, now, 60) is outcome
    else:
        with pytest.raises(Refusal) as caught:
            check_refresh(record, client, now, 60)
        assert caught.value.reason is outcome


@pytest.mark.parametrize(
    ("asked", "scopes"),
    [(None, SCOPES), ("openid", ("openid",)), ("email openid", ("openid", "email"))],
)
def test_a_refresh_may_narrow_the_scopes(asked: str | None, scopes: tuple[str, ...]) -> None:
    assert narrowed(SCOPES, asked) == scopes


@pytest.mark.parametrize("asked", ["", "email", "openid admin", "openid  email"])
def test_a_refresh_may_not_widen_the_scopes(asked: str) -> None:
    with pytest.raises(Refusal) as caught:
        narrowed(SCOPES, asked)
    assert caught.value.reason is errors.SCOPE_INVALID


def claims(binding: Binding = BINDING, **changes: str) -> dict[str, object]:
    return id_token_claims(
        binding,
        issuer="https://x.example",
        now=NOW + 0.7,
        life_s=900,
        nonce=changes.get("nonce"),
        access_token=changes.get("access_token"),
        name=changes.get("name"),
        email=changes.get("email"),
    )


def test_an_id_token_names_one_audience_as_a_string_and_whole_seconds() -> None:
    assert claims() == {
        "iss": "https://x.example",
        "sub": "8f14e45f",
        "aud": "genesys",
        "iat": int(NOW),
        "exp": int(NOW) + 900,
        "auth_time": int(NOW) - 60,
    }


def test_nonce_stands_there_exactly_when_it_was_asked() -> None:
    assert "nonce" not in claims()
    assert claims(nonce="n-1")["nonce"] == "n-1"


def test_at_hash_belongs_to_the_access_token_beside_it() -> None:
    assert claims(access_token="gwa_x")["at_hash"] == at_hash("gwa_x")


def test_email_is_given_only_verified_and_only_by_scope() -> None:
    full = claims(name="Anna", email="anna@shop.example")
    assert (full["name"], full["email"], full["email_verified"]) == ("Anna", "anna@shop.example", True)
    assert person_claims(("openid",), "Anna", "anna@shop.example") == {}
    assert person_claims(SCOPES, None, None) == {}


@pytest.mark.parametrize("sub", ["", "ü", "x" * 256])
def test_a_subject_is_1_to_255_ascii_characters(sub: str) -> None:
    with pytest.raises(ValueError, match="255"):
        claims(replace(BINDING, sub=sub))


@pytest.mark.parametrize(
    ("challenge", "method"),
    [
        (CHALLENGE, None),
        (CHALLENGE, "plain"),
        (VERIFIER, "s256"),
        (None, "S256"),
        ("short", "S256"),
        (CHALLENGE + "=", "S256"),
    ],
)
def test_a_challenge_is_s256_or_nothing(challenge: str | None, method: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        checked_challenge(challenge, method)
    assert caught.value.reason is errors.OAUTH_REQUEST


def test_a_good_challenge_or_none_is_kept() -> None:
    assert checked_challenge(CHALLENGE, "S256") == CHALLENGE
    assert checked_challenge(None, None) is None


@pytest.mark.parametrize("nonce", ["", "x" * 256, "ü", "a\n"])
def test_a_nonce_is_short_printable_ascii(nonce: str) -> None:
    with pytest.raises(Refusal):
        checked_nonce(nonce)


@given(st.text(alphabet="ABCxyz019-._~", min_size=43, max_size=128))
def test_every_well_formed_verifier_opens_its_own_challenge(verifier: str) -> None:
    assert redeem(replace(CODE, challenge=s256(verifier)), verifier=verifier) is None
    assert checked_challenge(s256(verifier), "S256") == s256(verifier)
    assert checked_nonce(verifier) == verifier
