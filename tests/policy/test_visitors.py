"""Tests of visitors' proofs: each profile as a table of what is admitted and what is refused, and why."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_decode

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.jws import VerificationKey, open_token, public_key, shared_secret
from gateway.policy.visitors import IssuerRules, Visitor, select_issuer, verify_visitor

NOW = 1_790_000_000
KID = "app_5f2b7c1e9a4d3f6b8c0e1a2d"
OLD_KID = "app_000000000000000000000001"
API_KID = "app_000000000000000000000002"
SECRET = "messaging-secret-of-seventy-characters-0000000000000000000000000000000"
OLD_SECRET = "messaging-secret-of-seventy-characters-1111111111111111111111111111111"
CHAT_SECRET = "classic-chat-secret-of-forty-characters-00000000000000000000"
CHAT_OLD_SECRET = "classic-chat-secret-of-forty-characters-11111111111111111111"
API_SECRET = "sunshine-v1-secret-of-forty-characters-00"

MESSAGING = IssuerRules("zendesk-messaging", "zendesk", (shared_secret(SECRET, kid=KID),))
MESSAGING_OLD = IssuerRules("zendesk-messaging", "zendesk", (shared_secret(OLD_SECRET, kid=OLD_KID),))
CHAT = IssuerRules(
    "zendesk-chat",
    "chat",
    (shared_secret(CHAT_SECRET), shared_secret(CHAT_OLD_SECRET, label="previous")),
    require_exp=False,
    max_lifetime_s=420,
)
SUNSHINE = IssuerRules("sunshine-v1", "sunshine", (shared_secret(API_SECRET, kid=API_KID),))
OPENID = IssuerRules("oidc", "idp", issuer="https://idp.example", audience="gateway", algorithms=("RS256", "ES256"))
OPENID_TWO = replace(OPENID, name="idp2", issuer="https://idp2.example")
ALL = (MESSAGING, MESSAGING_OLD, CHAT, SUNSHINE, OPENID)

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_PUBLIC = public_key({**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "rsa-1"})
EC_PUBLIC = public_key({**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "ec-1"})
KEYS = (RSA_PUBLIC, EC_PUBLIC)

GONE = object()
"""Marks a claim or header to leave out."""


def present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not GONE}


def messaging(secret: str = SECRET, kid: Any = KID, alg: str = "HS256", **claims: Any) -> str:
    body = present({"scope": "user", "external_id": "ada", "exp": NOW + 600, **claims})
    return jwt.encode(body, secret, alg, present({"kid": kid}))


def chat(secret: str = CHAT_SECRET, **claims: Any) -> str:
    body = present({"external_id": "ada", "name": "Ada", "email": "a@x.example", "iat": NOW - 10, **claims})
    return jwt.encode(body, secret, "HS256")


def openid(key: Any = RSA_KEY, alg: str = "RS256", kid: Any = "rsa-1", **claims: Any) -> str:
    body = {"iss": "https://idp.example", "aud": "gateway", "sub": "ada", "exp": NOW + 600, "iat": NOW, **claims}
    return PyJWS().encode(json.dumps(present(body)).encode(), key, alg, present({"kid": kid}))


def signed_as(header: dict[str, Any], claims: bytes, secret: str) -> str:
    """Any claims under any header, signed by HMAC; PyJWT itself refuses to write some of them."""

    def part(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    signing_input = f"{part(json.dumps(header).encode())}.{part(claims)}"
    return f"{signing_input}.{part(hmac.digest(secret.encode(), signing_input.encode(), hashlib.sha256))}"


def headed(**header: Any) -> str:
    """A good messaging token under a header of this kind, rightly signed."""
    claims = {"scope": "user", "external_id": "ada", "exp": NOW + 600}
    return signed_as(present({"alg": "HS256", "kid": KID, **header}), json.dumps(claims).encode(), SECRET)


def written(claims: bytes) -> str:
    """Claims exactly as they are written here, rightly signed."""
    return signed_as({"alg": "HS256", "kid": KID}, claims, SECRET)


def confused() -> str:
    """An HMAC under the text of the issuer's public key."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": "https://idp.example", "aud": "gateway", "sub": "ada", "exp": NOW + 600}
    return signed_as({"alg": "HS256", "kid": "rsa-1"}, json.dumps(claims).encode(), pem.decode())


def verify(
    token: str,
    issuers: Sequence[IssuerRules] = ALL,
    name: str | None = None,
    now: float = NOW,
    keys: Sequence[VerificationKey] = KEYS,
) -> Visitor:
    return verify_visitor(token, issuers, now, name, keys)


def refusal_of(token: str, issuers: Sequence[IssuerRules] = ALL, **how: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        verify(token, issuers, **how)
    return caught.value


# --- admitted


@pytest.mark.parametrize(
    ("token", "issuer", "key"),
    [
        (messaging(), "zendesk", KID),
        (messaging(OLD_SECRET, OLD_KID), "zendesk", OLD_KID),
        (messaging(iat=NOW - 5, jti="ada", nbf=NOW), "zendesk", KID),
        (chat(), "chat", "current"),
        (chat(CHAT_OLD_SECRET), "chat", "previous"),
        (chat(exp=NOW + 300, iat=GONE), "chat", "current"),
        (messaging(API_SECRET, API_KID, scope="appUser", userId="ada", external_id=GONE), "sunshine", API_KID),
        (openid(), "idp", "rsa-1"),
        (openid(EC_KEY, "ES256", "ec-1"), "idp", "ec-1"),
        (openid(kid=GONE), "idp", "rsa-1"),
        (openid(aud=["gateway"]), "idp", "rsa-1"),
        (openid(aud=["gateway", "other"], azp="gateway"), "idp", "rsa-1"),
    ],
)
def test_a_good_proof_is_admitted(token: str, issuer: str, key: str) -> None:
    visitor = verify(token)
    assert (visitor.issuer, visitor.key, visitor.subject, visitor.findings) == (issuer, key, "ada", ())


def test_a_visitor_has_what_the_claims_say() -> None:
    visitor = verify(messaging(name="Ada L.", email="ada@shop.example", email_verified=True))
    assert (visitor.kind, visitor.name, visitor.email, visitor.claimed_email) == (
        "zendesk-messaging",
        "Ada L.",
        "ada@shop.example",
        None,
    )
    assert visitor.expires_at == NOW + 600
    assert len(visitor.replay_key) == 64


@pytest.mark.parametrize("verified", [GONE, False, None, "true", 1])
def test_an_email_counts_only_when_it_is_said_to_be_verified(verified: object) -> None:
    visitor = verify(messaging(email="ada@shop.example", email_verified=verified))
    assert (visitor.email, visitor.claimed_email) == (None, "ada@shop.example")


@pytest.mark.parametrize(
    "email", ["a@evil@shop.example", "a@", "@b", "ab", 7, None, "a b@c.example", "a@b\n", "a" * 260 + "@x", ""]
)
def test_an_email_that_is_none_is_left_out(email: object) -> None:
    visitor = verify(messaging(email=email, email_verified=True))
    assert (visitor.email, visitor.claimed_email) == (None, None)


@pytest.mark.parametrize(
    ("name", "shown"), [("x" * 200, "x" * 128), (" ", None), (7, None), ("a\nb", None), ("é", "é")]
)
def test_a_name_is_shown_or_left_out(name: object, shown: str | None) -> None:
    assert verify(messaging(name=name)).name == shown


@pytest.mark.parametrize("subject", ["a", "x" * 255, "É@:/ 😀", " padded ", "0", "ADA"])
def test_a_subject_is_kept_exactly(subject: str) -> None:
    assert verify(messaging(external_id=subject)).subject == subject


# --- refused


BAD_PROOFS: tuple[tuple[str, Reason], ...] = (
    ("x", errors.VISITOR_MALFORMED),
    ("x" * 9000, errors.VISITOR_TOO_LARGE),
    # key ids
    (messaging(kid="app_ffffffffffffffffffffffff"), errors.VISITOR_UNKNOWN_KID),
    (messaging(kid=KID.upper()), errors.VISITOR_UNKNOWN_KID),
    (messaging(kid=""), errors.VISITOR_UNKNOWN_KID),
    # signatures: the key that the token names, never another of the ring
    (messaging(OLD_SECRET, KID), errors.VISITOR_SIGNATURE),
    (messaging(CHAT_SECRET), errors.VISITOR_SIGNATURE),
    (messaging(SECRET + " "), errors.VISITOR_SIGNATURE),
    (messaging()[:-4] + "AAAA", errors.VISITOR_SIGNATURE),
    # algorithms
    (messaging(alg="HS384"), errors.VISITOR_ALG),
    (messaging(alg="HS512"), errors.VISITOR_ALG),
    (jwt.encode({"scope": "user"}, "", "none", {"kid": KID}), errors.VISITOR_ALG),
    (openid(EC_KEY, "ES256", "rsa-1"), errors.VISITOR_UNKNOWN_KID),
    # scopes
    (messaging(scope=GONE), errors.VISITOR_SCOPE),
    (messaging(scope="app"), errors.VISITOR_SCOPE),
    (messaging(scope="appUser"), errors.VISITOR_SCOPE),
    (messaging(scope="User"), errors.VISITOR_SCOPE),
    (messaging(scope="user app"), errors.VISITOR_SCOPE),
    (messaging(scope=["user"]), errors.VISITOR_SCOPE),
    (messaging(scope=None), errors.VISITOR_SCOPE),
    (messaging(API_SECRET, API_KID), errors.VISITOR_SCOPE),
    (messaging(API_SECRET, API_KID, scope="app"), errors.VISITOR_SCOPE),
    (chat(scope="user"), errors.VISITOR_SCOPE),
    (chat(scope=None), errors.VISITOR_SCOPE),
    # times
    (messaging(exp=NOW - 60), errors.VISITOR_EXPIRED),
    (messaging(exp=NOW - 3600), errors.VISITOR_EXPIRED),
    (messaging(exp=0), errors.VISITOR_EXPIRED),
    (messaging(exp=NOW + 3661), errors.VISITOR_LIFETIME),
    (messaging(exp=NOW + 31_536_000), errors.VISITOR_LIFETIME),
    (messaging(exp=GONE), errors.VISITOR_LIFETIME),
    (messaging(exp=GONE, iat=NOW), errors.VISITOR_LIFETIME),
    (messaging(nbf=NOW + 61), errors.VISITOR_NOT_YET),
    (messaging(iat=NOW + 61), errors.VISITOR_NOT_YET),
    (chat(iat=NOW - 480), errors.VISITOR_EXPIRED),
    (chat(iat=GONE), errors.VISITOR_LIFETIME),
    (chat(exp=NOW + 481), errors.VISITOR_LIFETIME),
    # claims of the wrong type
    (messaging(exp=None), errors.VISITOR_MALFORMED),
    (messaging(exp=True), errors.VISITOR_MALFORMED),
    (messaging(iat=str(NOW)), errors.VISITOR_MALFORMED),
    (messaging(exp=-1), errors.VISITOR_MALFORMED),
    (messaging(exp=NOW * 1000), errors.VISITOR_MALFORMED),
    (messaging(nbf=[1]), errors.VISITOR_MALFORMED),
    # subjects
    (messaging(external_id=GONE), errors.VISITOR_SUBJECT),
    (messaging(external_id=GONE, sub="ada"), errors.VISITOR_SUBJECT),
    (messaging(external_id=""), errors.VISITOR_SUBJECT),
    (messaging(external_id="   "), errors.VISITOR_SUBJECT),
    (messaging(external_id=42), errors.VISITOR_SUBJECT),
    (messaging(external_id=None), errors.VISITOR_SUBJECT),
    (messaging(external_id=["ada"]), errors.VISITOR_SUBJECT),
    (messaging(external_id="x" * 256), errors.VISITOR_SUBJECT),
    (messaging(external_id="a\x00b"), errors.VISITOR_SUBJECT),
    (messaging(external_id="a\nb"), errors.VISITOR_SUBJECT),
    (messaging(external_id="a\x85b"), errors.VISITOR_SUBJECT),
    (messaging(external_id="a\u2028b"), errors.VISITOR_SUBJECT),
    (messaging(API_SECRET, API_KID, scope="appUser"), errors.VISITOR_SUBJECT),
    # OpenID
    (openid(kid="rsa-2"), errors.VISITOR_UNKNOWN_KID),
    (openid(EC_KEY, "ES256", "ec-2"), errors.VISITOR_UNKNOWN_KID),
    (openid(rsa.generate_private_key(public_exponent=65537, key_size=2048)), errors.VISITOR_SIGNATURE),
    (openid(iss="https://idp.example/"), errors.VISITOR_ISSUER),
    (openid(iss="https://idp.exampl"), errors.VISITOR_ISSUER),
    (openid(iss=GONE), errors.VISITOR_ISSUER),
    (openid(iss=["https://idp.example"]), errors.VISITOR_ISSUER),
    (openid(aud="other"), errors.VISITOR_AUDIENCE),
    (openid(aud=GONE), errors.VISITOR_AUDIENCE),
    (openid(aud=[]), errors.VISITOR_AUDIENCE),
    (openid(aud="gateway2"), errors.VISITOR_AUDIENCE),
    (openid(aud={"gateway": 1}), errors.VISITOR_AUDIENCE),
    (openid(aud=["gateway", "other"]), errors.VISITOR_AUDIENCE),
    (openid(azp="other"), errors.VISITOR_AUDIENCE),
    (openid(sub=GONE), errors.VISITOR_SUBJECT),
    (openid(exp=NOW - 100), errors.VISITOR_EXPIRED),
    (openid(exp=GONE), errors.VISITOR_LIFETIME),
    (openid(nbf=NOW + 61), errors.VISITOR_NOT_YET),
    (openid(exp=NOW * 1000), errors.VISITOR_MALFORMED),
    (openid(sub="ada\x1b[2J"), errors.VISITOR_SUBJECT),
    # what a header tries to bring along, or to demand
    (headed(jwk={"kty": "oct", "k": "AAAA"}), errors.VISITOR_MALFORMED),
    (headed(jku="https://evil.example/jwks.json"), errors.VISITOR_MALFORMED),
    (headed(x5u="https://evil.example/cert.pem"), errors.VISITOR_MALFORMED),
    (headed(x5c=["MIIB"]), errors.VISITOR_MALFORMED),
    (headed(crit=["exp"]), errors.VISITOR_MALFORMED),
    (headed(kid=[KID]), errors.VISITOR_UNKNOWN_KID),
    (headed(kid={"kid": KID}), errors.VISITOR_UNKNOWN_KID),
    (headed(alg="none"), errors.VISITOR_ALG),
    (headed(alg="hs256"), errors.VISITOR_ALG),
    (headed(alg=["HS256"]), errors.VISITOR_ALG),
    (headed(alg=GONE), errors.VISITOR_ALG),
    # a published key as the secret of an HMAC, and the other way round
    (confused(), errors.VISITOR_UNKNOWN_KID),
    # JSON that two readers may read differently
    (written(b'{"scope":"user","external_id":"ada","external_id":"bob","exp":1790000600}'), errors.VISITOR_MALFORMED),
    (written(b'{"scope":"user","external_id":"ada","exp":NaN}'), errors.VISITOR_MALFORMED),
    (written(b'["scope","user"]'), errors.VISITOR_MALFORMED),
    (written(b'{"scope":"user","x":' + b"[" * 40 + b"]" * 40 + b"}"), errors.VISITOR_MALFORMED),
)


@pytest.mark.parametrize(("token", "reason"), BAD_PROOFS)
def test_a_bad_proof_is_refused_by_what_is_wrong(token: str, reason: Reason) -> None:
    assert refusal_of(token).reason is reason


def test_the_table_is_as_long_as_the_bar_asks_for_and_no_case_stands_twice() -> None:
    assert len({token for token, _ in BAD_PROOFS}) == len(BAD_PROOFS) >= 80


def test_a_kid_that_is_no_string_names_no_key() -> None:
    header = {"alg": "HS256", "kid": 7}
    token = PyJWS().encode(b'{"scope":"user"}', SECRET, "HS256", {"typ": "JWT"})
    assert refusal_of(resigned(token, header, SECRET)).reason is errors.VISITOR_UNKNOWN_KID
    assert refusal_of(resigned(token, header, SECRET), (CHAT,)).reason is errors.VISITOR_UNKNOWN_KID


def resigned(token: str, header: dict[str, Any], secret: str) -> str:
    """The claims of a token under another header."""
    return signed_as(header, base64url_decode(token.split(".")[1]), secret)


def test_an_openid_kid_that_is_no_string_names_no_key() -> None:
    odd = resigned(openid(), {"alg": "RS256", "kid": 7}, SECRET)
    assert refusal_of(odd).reason is errors.VISITOR_UNKNOWN_KID


# --- which issuer


@pytest.mark.parametrize(
    ("token", "issuers", "name", "reason"),
    [
        (messaging(), (), None, errors.VISITOR_UNKNOWN_ISSUER),
        (messaging(), ALL, "nobody", errors.VISITOR_UNKNOWN_ISSUER),
        (messaging(), ALL, "chat", errors.VISITOR_UNKNOWN_KID),
        (messaging(CHAT_SECRET), ALL, "chat", errors.VISITOR_UNKNOWN_KID),
        (messaging(), ALL, "idp", errors.VISITOR_ALG),
        (messaging(), (OPENID,), None, errors.VISITOR_ALG),
        (openid(), ALL, "zendesk", errors.VISITOR_ALG),
        (openid(), (MESSAGING,), None, errors.VISITOR_ALG),
        (messaging(kid=GONE), (MESSAGING,), None, errors.VISITOR_UNKNOWN_KID),
        (chat(SECRET), (MESSAGING,), None, errors.VISITOR_UNKNOWN_KID),
        (chat(), (CHAT, replace(CHAT, name="chat2")), None, errors.VISITOR_UNKNOWN_ISSUER),
        (openid(iss="https://idp3.example"), (OPENID, OPENID_TWO), None, errors.VISITOR_UNKNOWN_ISSUER),
        (openid(alg="RS256"), (replace(OPENID, algorithms=("ES256",)),), None, errors.VISITOR_ALG),
    ],
)
def test_no_other_issuer_is_tried(token: str, issuers: Sequence[IssuerRules], name: str | None, reason: Reason) -> None:
    assert refusal_of(token, issuers, name=name).reason is reason


def test_a_messaging_token_without_kid_is_not_taken_for_a_chat_token() -> None:
    same_secret = replace(CHAT, keys=(shared_secret(SECRET),))
    assert refusal_of(messaging(kid=GONE), (MESSAGING, same_secret)).reason is errors.VISITOR_SCOPE


def test_an_api_token_of_the_same_key_is_no_visitor() -> None:
    server_token = jwt.encode({"scope": "app"}, SECRET, "HS256", {"kid": KID})
    assert refusal_of(server_token).reason is errors.VISITOR_SCOPE


@pytest.mark.parametrize(
    ("token", "name", "chosen"),
    [
        (messaging(), None, MESSAGING),
        (messaging(OLD_SECRET, OLD_KID), "zendesk", MESSAGING_OLD),
        (chat(), None, CHAT),
        (openid(), None, OPENID),
        (openid(iss="https://idp2.example"), None, OPENID_TWO),
        (openid(), "idp2", OPENID_TWO),
    ],
)
def test_the_issuer_is_known_before_its_keys_are_fetched(token: str, name: str | None, chosen: IssuerRules) -> None:
    assert select_issuer(open_token(token), (*ALL, OPENID_TWO), name) is chosen


def test_an_issuer_without_keys_at_hand_is_a_fault_of_ours() -> None:
    refusal = refusal_of(openid(), keys=())
    assert refusal.reason is errors.VISITOR_KEYS_UNAVAILABLE
    assert refusal.status == 503


def test_without_kid_two_keys_of_one_algorithm_are_one_too_many() -> None:
    assert refusal_of(openid(kid=GONE), keys=(RSA_PUBLIC, RSA_PUBLIC)).reason is errors.VISITOR_UNKNOWN_KID


# --- times


@pytest.mark.parametrize(
    ("claims", "expires_at"),
    [
        ({"exp": NOW - 59}, NOW - 59),
        ({"exp": NOW + 3660}, NOW + 3660),
        ({"exp": NOW + 0.5}, NOW + 0.5),
        ({"nbf": NOW + 60, "iat": NOW + 60}, NOW + 600),
    ],
)
def test_the_leeway_forgives_clocks(claims: dict[str, Any], expires_at: float) -> None:
    assert verify(messaging(**claims)).expires_at == expires_at


def test_without_exp_the_age_decides() -> None:
    assert verify(chat(iat=NOW - 479)).expires_at == NOW - 59
    lenient = replace(MESSAGING, require_exp=False)
    assert verify(messaging(exp=GONE, iat=NOW), (lenient,)).expires_at == NOW + 3600
    assert refusal_of(messaging(exp=GONE), (lenient,)).reason is errors.VISITOR_LIFETIME


@pytest.mark.parametrize(
    ("token", "rules", "finding"),
    [
        (messaging(exp=NOW + 31_536_000), MESSAGING, "visitor.lifetime_too_long"),
        (messaging(exp=GONE), MESSAGING, "visitor.lifetime_too_long"),
        (chat(iat=GONE), CHAT, "visitor.lifetime_too_long"),
        (chat(iat=NOW - 99_999), CHAT, "visitor.expired"),
    ],
)
def test_report_only_admits_and_says_so(token: str, rules: IssuerRules, finding: str) -> None:
    visitor = verify(token, (replace(rules, report_only=True),))
    assert visitor.findings == (finding,)
    assert visitor.expires_at == NOW + rules.max_lifetime_s


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (messaging(exp=NOW - 61), errors.VISITOR_EXPIRED),
        (messaging(nbf=NOW + 61), errors.VISITOR_NOT_YET),
        (messaging(scope="app"), errors.VISITOR_SCOPE),
        (messaging(OLD_SECRET), errors.VISITOR_SIGNATURE),
    ],
)
def test_report_only_forgives_nothing_else(token: str, reason: Reason) -> None:
    assert refusal_of(token, (replace(MESSAGING, report_only=True),)).reason is reason


def test_the_wall_clock_is_never_read() -> None:
    long_ago = messaging(exp=1_000_000_600)
    assert verify(long_ago, now=1_000_000_000).subject == "ada"
    far_away = messaging(exp=4_000_000_600)
    assert verify(far_away, now=4_000_000_000).subject == "ada"


def test_a_token_of_one_use_needs_an_end_even_where_lifetimes_are_only_reported() -> None:
    both = replace(MESSAGING, report_only=True, one_use=True)
    assert refusal_of(messaging(exp=NOW + 31_536_000), (both,)).reason is errors.VISITOR_LIFETIME
    assert refusal_of(messaging(exp=GONE), (both,)).reason is errors.VISITOR_LIFETIME


@pytest.mark.parametrize("exp", [NOW + 60, NOW + 3600, NOW + 3660])
def test_a_token_is_not_admitted_after_the_time_for_which_it_is_remembered(exp: int) -> None:
    remembered_until = verify(messaging(exp=exp)).expires_at + MESSAGING.leeway_s
    assert refusal_of(messaging(exp=exp), now=remembered_until).reason is errors.VISITOR_EXPIRED


def test_one_use_is_carried_to_the_caller() -> None:
    assert verify(messaging(), (replace(MESSAGING, one_use=True),)).one_use
    assert verify(messaging()).replay_key != verify(messaging(jti="2")).replay_key


# --- rules


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "zendesk-messaging"}, "needs a shared secret"),
        ({"kind": "zendesk-messaging", "keys": (RSA_PUBLIC,)}, "needs a shared secret"),
        ({"kind": "zendesk-messaging", "keys": (shared_secret(SECRET),)}, "needs a kid"),
        ({"kind": "sunshine-v1", "keys": (shared_secret(SECRET),)}, "needs a kid"),
        ({"kind": "zendesk-chat", "keys": (shared_secret(SECRET, kid=KID),)}, "has no kid"),
        ({"kind": "oidc", "audience": "a"}, "needs issuer and audience"),
        ({"kind": "oidc", "issuer": "https://a"}, "needs issuer and audience"),
        ({"kind": "oidc", "issuer": "https://a", "audience": "a", "algorithms": ()}, "signs with"),
        ({"kind": "oidc", "issuer": "https://a", "audience": "a", "algorithms": ("HS256",)}, "signs with"),
    ],
)
def test_an_issuer_that_is_not_complete_is_a_fault(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IssuerRules(name="x", **settings)


def test_personal_data_stays_out_of_the_repr() -> None:
    shown = repr(verify(messaging(external_id="ada-42", name="Ada", email="ada@shop.example")))
    for hidden in ("ada-42", "Ada", "ada@shop.example"):
        assert hidden not in shown


@given(st.binary(max_size=40), st.integers(0, 200))
def test_no_altered_token_is_admitted(noise: bytes, at: int) -> None:
    good = messaging()
    altered = good[:at] + noise.hex() + good[at + len(noise) :]
    if altered == good:
        return
    assert refusal_of(altered).code.startswith("visitor.")


@given(st.text(max_size=200))
def test_no_text_whatever_is_admitted(text: str) -> None:
    assert refusal_of(text).code.startswith("visitor.")
