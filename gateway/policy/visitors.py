"""A visitor's token into a Visitor: one profile per kind of issuer, and no token is tried against another profile.

Leaves taking tokens apart to `jws`, fetching an OpenID issuer's keys and remembering used tokens to the caller. The
rule: the profile is chosen first, then everything it demands holds, or there is no visitor. `now` is an argument.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.jws import AlgorithmName, OpenedToken, VerificationKey, is_signed_by, open_token

IssuerKind = Literal["zendesk-messaging", "zendesk-chat", "sunshine-v1", "oidc"]

MAX_SUBJECT_CHARS: Final = 255
MAX_NAME_CHARS: Final = 128
MAX_EMAIL_CHARS: Final = 254
MAX_TIME: Final = 253_402_300_799  # the last second of the year 9999
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
PREVIOUS_LABEL: Final = "previous"
"""The label of the key that a rotation left behind."""
ASYMMETRIC: Final[tuple[AlgorithmName, ...]] = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Profile:
    """What a kind of issuer signs. `scope`: the exact claim, None where there must be none; unchecked for OpenID."""

    has_kid: bool
    scope: str | None
    subject_claim: str
    checks_scope: bool = True


PROFILES: Final[dict[IssuerKind, Profile]] = {
    # https://developer.zendesk.com/api-reference/widget-messaging/web/authentication
    "zendesk-messaging": Profile(has_kid=True, scope="user", subject_claim="external_id"),
    # https://support.zendesk.com/hc/en-us/articles/4408838925082
    "zendesk-chat": Profile(has_kid=False, scope=None, subject_claim="external_id"),
    "sunshine-v1": Profile(has_kid=True, scope="appUser", subject_claim="userId"),
    # https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
    "oidc": Profile(has_kid=True, scope=None, subject_claim="sub", checks_scope=False),
}


@dataclass(frozen=True, slots=True)
class IssuerRules:
    """One configured issuer. Raises ValueError when it lacks what its kind needs.

    `keys`: of the Zendesk kinds; an OpenID issuer's keys are handed to `verify_visitor` by the caller, who fetched
    them. `report_only`: breaches of the lifetime rules become findings instead of refusals, unless one_use is set.
    `name` is part of who a visitor is; the keys of a ring (several rules of one kind, each with its kid) share it, and
    `is_old` marks those that a newer one has replaced.
    """

    kind: IssuerKind
    name: str
    keys: tuple[VerificationKey, ...] = ()
    issuer: str | None = None
    audience: str | None = None
    algorithms: tuple[AlgorithmName, ...] = ("RS256",)
    max_lifetime_s: int = 3600
    require_exp: bool = True
    leeway_s: int = 60
    one_use: bool = False
    report_only: bool = False
    is_old: bool = False

    def __post_init__(self) -> None:
        if self.kind == "oidc":
            if not self.issuer or not self.audience:
                raise ValueError("an oidc issuer needs issuer and audience")
            if not self.algorithms or not set(self.algorithms) <= set(ASYMMETRIC):
                raise ValueError(f"an oidc issuer signs with {', '.join(ASYMMETRIC)}")
            return
        if not self.keys or any(key.algorithm != "HS256" for key in self.keys):
            raise ValueError(f"a {self.kind} issuer needs a shared secret")
        if any((key.kid is not None) is not PROFILES[self.kind].has_kid for key in self.keys):
            raise ValueError(f"a {self.kind} issuer {'needs a' if PROFILES[self.kind].has_kid else 'has no'} kid")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person whose proof held. `key`: the id or label of the key that signed.

    `email` is verified; `claimed_email` is not, and is never used to find anybody. `replay_key` tells this token from
    others where `one_use` is set, and must be remembered until `expires_at` plus the leeway. `findings`: the codes of
    rules that were broken but only reported. `by_old_key`: a key signed that a rotation has replaced.
    """

    issuer: str
    kind: IssuerKind
    key: str
    subject: str = field(repr=False)
    name: str | None = field(repr=False)
    email: str | None = field(repr=False)
    claimed_email: str | None = field(repr=False)
    expires_at: float
    replay_key: str = field(repr=False)
    one_use: bool = False
    findings: tuple[str, ...] = ()
    by_old_key: bool = False


def select_issuer(token: OpenedToken, issuers: Sequence[IssuerRules], name: str | None = None) -> IssuerRules:
    """The one issuer whose profile applies, chosen by name, alg, kid and (unverified) iss; nothing is tried.

    Raises Refusal: VISITOR_UNKNOWN_ISSUER, VISITOR_ALG, VISITOR_UNKNOWN_KID.
    """
    named = [rules for rules in issuers if name is None or rules.name == name]
    if not named:
        raise Refusal(errors.VISITOR_UNKNOWN_ISSUER)
    if token.algorithm == "HS256":
        return _select_shared(token, [rules for rules in named if rules.kind != "oidc"])
    openid = [rules for rules in named if rules.kind == "oidc"]
    if not openid or token.algorithm not in ASYMMETRIC:
        raise Refusal(errors.VISITOR_ALG)
    issuer = token.claims.get("iss")
    exact = [rules for rules in openid if rules.issuer == issuer]
    if len(exact) == 1:
        return exact[0]
    if len(openid) == 1:
        return openid[0]
    raise Refusal(errors.VISITOR_UNKNOWN_ISSUER, "several issuers fit; name one of them")


def _select_shared(token: OpenedToken, candidates: Sequence[IssuerRules]) -> IssuerRules:
    """By key id where the token names one, else the issuer whose profile has none."""
    if not candidates:
        raise Refusal(errors.VISITOR_ALG, "HS256 belongs to Zendesk issuers only, and none is configured here")
    if "kid" in token.header:
        fitting = [r for r in candidates if token.kid is not None and any(key.kid == token.kid for key in r.keys)]
    else:
        fitting = [r for r in candidates if not PROFILES[r.kind].has_kid]
    if len(fitting) > 1:
        raise Refusal(errors.VISITOR_UNKNOWN_ISSUER, "several issuers fit; name one of them")
    if not fitting:
        raise Refusal(errors.VISITOR_UNKNOWN_KID)
    return fitting[0]


def verify_visitor(
    token: str,
    issuers: Sequence[IssuerRules],
    now: float,
    issuer_name: str | None = None,
    openid_keys: Sequence[VerificationKey] = (),
) -> Visitor:
    """The visitor that a token proves. `openid_keys`: the keys of the issuer that `select_issuer` named, if OpenID.

    Raises Refusal(VISITOR_*), the first rule broken: form, issuer, algorithm, key, signature, issuer and audience
    claims, scope, times, subject. Nothing but the form is looked at before the signature holds.
    """
    opened = open_token(token)
    rules = select_issuer(opened, issuers, issuer_name)
    key = _signing_key(opened, rules, openid_keys)
    claims = opened.claims
    if rules.kind == "oidc":
        _check_openid(claims, rules)
    profile = PROFILES[rules.kind]
    if profile.checks_scope and ("scope" in claims) is not (profile.scope is not None):
        raise Refusal(errors.VISITOR_SCOPE)
    if profile.checks_scope and claims.get("scope") != profile.scope:
        raise Refusal(errors.VISITOR_SCOPE)
    expires_at, findings = _check_times(claims, rules, now)
    email = _email(claims.get("email"))
    verified = claims.get("email_verified") is True
    return Visitor(
        issuer=rules.name,
        kind=rules.kind,
        key=key.kid or key.label,
        subject=_subject(claims.get(profile.subject_claim), profile.subject_claim),
        name=_display_name(claims.get("name")),
        email=email if verified else None,
        claimed_email=None if verified else email,
        expires_at=expires_at,
        replay_key=opened.replay_key(),
        one_use=rules.one_use,
        findings=findings,
        by_old_key=rules.is_old or key.label == PREVIOUS_LABEL,
    )


def _signing_key(token: OpenedToken, rules: IssuerRules, openid_keys: Sequence[VerificationKey]) -> VerificationKey:
    """The key that the token is signed with. Raises Refusal when it names none of the issuer's, or is not signed so."""
    keys = _openid_candidates(token, rules, openid_keys) if rules.kind == "oidc" else rules.keys
    fitting = [key for key in keys if key.kid == token.kid] if token.kid is not None else list(keys)
    # Each key is asked, whichever fits, so that the time tells nothing about which of two secrets is in use.
    signed = [key for key in fitting if is_signed_by(token, key)]
    if not fitting:
        raise Refusal(errors.VISITOR_UNKNOWN_KID)
    if not signed:
        raise Refusal(errors.VISITOR_SIGNATURE)
    return signed[0]


def _openid_candidates(
    token: OpenedToken, rules: IssuerRules, keys: Sequence[VerificationKey]
) -> Sequence[VerificationKey]:
    """An OpenID issuer's keys for the token's alg. Without a kid there must be one such key only."""
    if token.algorithm not in rules.algorithms:
        raise Refusal(errors.VISITOR_ALG)
    if not keys:
        raise Refusal(errors.VISITOR_KEYS_UNAVAILABLE)
    fitting = [key for key in keys if key.algorithm == token.algorithm]
    if "kid" not in token.header and len(fitting) != 1:
        raise Refusal(errors.VISITOR_UNKNOWN_KID, "the token has no kid, and the issuer more than one key")
    if "kid" in token.header and token.kid is None:
        raise Refusal(errors.VISITOR_UNKNOWN_KID)
    return fitting


def _check_openid(claims: Mapping[str, object], rules: IssuerRules) -> None:
    """`iss` and `aud` compared exactly; a token for several audiences must have been issued to ours (`azp`)."""
    if claims.get("iss") != rules.issuer:
        raise Refusal(errors.VISITOR_ISSUER)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if rules.audience not in audiences:
        raise Refusal(errors.VISITOR_AUDIENCE)
    if ("azp" in claims or len(audiences) > 1) and claims.get("azp") != rules.audience:
        raise Refusal(errors.VISITOR_AUDIENCE, "the token was issued to another party (azp)")


def _check_times(claims: Mapping[str, object], rules: IssuerRules, now: float) -> tuple[float, tuple[str, ...]]:
    """When the proof ends, and the lifetime rules that were broken but only reported."""
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    not_before = _time(claims, "nbf")
    latest_start = max(issued_at or 0.0, not_before or 0.0)
    if latest_start > now + rules.leeway_s:
        raise Refusal(errors.VISITOR_NOT_YET)
    if expires_at is not None and now >= expires_at + rules.leeway_s:
        raise Refusal(errors.VISITOR_EXPIRED)
    ends_at, fault = _lifetime(expires_at, issued_at, rules, now)
    if fault is None:
        return ends_at, ()
    reason, detail = fault
    # A token of one use can only be remembered as long as it may come again, so its end has to be known.
    if not rules.report_only or rules.one_use:
        raise Refusal(reason, detail)
    return ends_at, (reason.code,)


def _lifetime(
    expires_at: float | None, issued_at: float | None, rules: IssuerRules, now: float
) -> tuple[float, tuple[Reason, str] | None]:
    """The end of a token that has not expired, and the rule that it breaks, if any; then the longest end allowed."""
    longest = now + rules.max_lifetime_s
    if expires_at is not None:
        if expires_at > longest + rules.leeway_s:
            return longest, (errors.VISITOR_LIFETIME, f"more than {rules.max_lifetime_s} seconds to its exp")
        return expires_at, None
    if rules.require_exp:
        return longest, (errors.VISITOR_LIFETIME, "the token has no exp")
    if issued_at is None:
        return longest, (errors.VISITOR_LIFETIME, "the token has neither exp nor iat")
    if now >= issued_at + rules.max_lifetime_s + rules.leeway_s:
        return longest, (
            errors.VISITOR_EXPIRED,
            f"without exp a token holds {rules.max_lifetime_s} seconds from its iat",
        )
    return issued_at + rules.max_lifetime_s, None


def _time(claims: Mapping[str, object], name: str) -> float | None:
    """A NumericDate claim, None when absent. Raises Refusal(VISITOR_MALFORMED) for what is no plausible time."""
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refusal(errors.VISITOR_MALFORMED, f"{name} is not a number")
    if not 0 <= value <= MAX_TIME:
        raise Refusal(errors.VISITOR_MALFORMED, f"{name} is not a time in seconds since 1970")
    return float(value)


def _subject(value: object, claim: str) -> str:
    """The identifier exactly as it stands: not trimmed, folded or normalised, since that would make two people one."""
    if not isinstance(value, str):
        raise Refusal(errors.VISITOR_SUBJECT, f"{claim} is missing or not a string")
    if not 1 <= len(value) <= MAX_SUBJECT_CHARS or not value.strip() or _has_controls(value):
        raise Refusal(errors.VISITOR_SUBJECT, f"{claim} is empty, too long, or holds control characters")
    return value


def _display_name(value: object) -> str | None:
    """A name to show; left out rather than refused when it is none."""
    if not isinstance(value, str) or not value.strip() or _has_controls(value):
        return None
    return value[:MAX_NAME_CHARS]


def _email(value: object) -> str | None:
    """An address with exactly one `@`; oauth2-proxy CVE-2026-40574 shows what two of them can do."""
    if not isinstance(value, str) or len(value) > MAX_EMAIL_CHARS or value.count("@") != 1 or _has_controls(value):
        return None
    local, _, domain = value.partition("@")
    return value if local and domain and " " not in value else None


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(char) in _CONTROL_CATEGORIES for char in text)
