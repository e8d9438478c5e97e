"""A visitor's identifier at the site into the id that Genesys knows: keyed by default, or as the site's owner declares.

Leaves keys and names to the caller. The rule: nothing is trimmed, folded or normalised, so two visitors are never made
one, and what a declared form cannot carry is refused, never bent into shape.
"""

from __future__ import annotations

import re
import uuid
from base64 import b32encode
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import guest_id, issuer_subject

SubjectKind = Literal["hmac", "uuid5", "passthrough"]
SubjectForm = Literal["uuid", "base32"]

# OpenID Connect Core section 2: sub has at most 255 ASCII characters. Blanks and controls would not survive a URL.
_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class SubjectRules:
    """How a site makes ids. Raises ValueError for a kind without what it needs.

    `namespace`: of uuid5, a secret, because whoever has it can compute the id of any guessed identifier. `brand`:
    part of every id, where the same identifier means different people in different brands.
    """

    kind: SubjectKind = "hmac"
    form: SubjectForm = "uuid"
    namespace: uuid.UUID | None = field(default=None, repr=False)
    brand: str | None = None
    allow_at: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "uuid5") is not (self.namespace is not None):
            raise ValueError("a namespace belongs to uuid5, and uuid5 needs one")
        if self.form != "uuid" and self.kind != "hmac":
            raise ValueError(f"{self.form} is a form of hmac ids only")


@dataclass(frozen=True, slots=True)
class IdKey:
    """The key of ids and its version, and whom they are for: part of every keyed id."""

    key: bytes = field(repr=False)
    version: int
    org: str
    site: str


def visitor_id(rules: SubjectRules, key: IdKey, issuer: str, subject: str) -> str:
    """The id of a visitor whom `issuer` calls `subject`.

    Raises Refusal(VISITOR_SUBJECT) for an identifier that the site's rules do not pass on.
    """
    if rules.kind == "hmac":
        branded = issuer_subject(issuer, subject) if rules.brand is None else _branded(rules.brand, issuer, subject)
        return _written(rules.form, guest_id(key.key, key.version, key.org, key.site, branded))
    if rules.kind == "uuid5" and rules.namespace is not None:
        return str(uuid.uuid5(rules.namespace, subject if rules.brand is None else f"{rules.brand}:{subject}"))
    return _passed_on(rules, subject)


def anonymous_id(rules: SubjectRules, key: IdKey, known_by: str, sort: str = "anonymous") -> str:
    """The id of a guest of whom nothing is known: keyed whatever the site's rules are, for there is no identifier.

    `known_by`: what tells it from other guests of its sort: its session's id, or its socket's own token.
    """
    made = guest_id(key.key, key.version, key.org, key.site, issuer_subject(sort, known_by))
    return _written(rules.form, made)


def person_key(rules: SubjectRules, issuer: str, subject: str) -> str:
    """What tells this visitor from every other at the site, for keys and tokens that depend on who it is."""
    return issuer_subject(issuer, subject) if rules.brand is None else _branded(rules.brand, issuer, subject)


def _branded(brand: str, issuer: str, subject: str) -> str:
    """Unambiguous, because every part but the last carries its length."""
    return issuer_subject("brand", issuer_subject(brand, issuer_subject(issuer, subject)))


def _written(form: SubjectForm, text: str) -> str:
    if form == "uuid":
        return text
    return b32encode(uuid.UUID(text).bytes).rstrip(b"=").decode("ascii").lower()


def _passed_on(rules: SubjectRules, subject: str) -> str:
    if _PLAIN.fullmatch(subject) is None:
        raise Refusal(errors.VISITOR_SUBJECT, "the site passes identifiers on, and this one is not printable ASCII")
    if "@" in subject and not rules.allow_at:
        raise Refusal(errors.VISITOR_SUBJECT, "the site passes identifiers on, and admits none with @")
    made = subject if rules.brand is None else f"{rules.brand}:{subject}"
    if len(made) > 255:
        raise Refusal(errors.VISITOR_SUBJECT, "with its brand the identifier has more than 255 characters")
    return made
