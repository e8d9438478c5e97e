"""An OpenID issuer's published documents, read with suspicion: its discovery document and its key set.

Leaves fetching and remembering to `upstream/jwks.py`. The rule: a document is its own issuer's or it is nothing, and a
key that cannot be used is passed over, never made to fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.policy.jws import VerificationKey, public_key
from gateway.policy.strict_json import parse_object_bytes

MAX_DOCUMENT_BYTES: Final = 262_144
MAX_KEYS: Final = 64
WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Address:
    """An absolute URL in the two parts that a request needs."""

    base: str
    target: str


def discovery_address(issuer: str, *, http_too: bool = False) -> Address:
    """Where an issuer's discovery document stands (OpenID Discovery 1.0 section 4). Raises ValueError."""
    return _address(issuer.rstrip("/") + WELL_KNOWN, http_too=http_too)


def jwks_address(document: bytes, issuer: str, *, http_too: bool = False) -> Address:
    """Where the issuer's keys stand, by its discovery document. Raises ValueError saying what is wrong with it.

    `http_too`: plain http is admitted, in development only.
    """
    members = parse_object_bytes(document)
    if members.get("issuer") != issuer:
        # OpenID Discovery 1.0 section 4.3: or one issuer could speak for another
        raise ValueError("names another issuer")
    uri = members.get("jwks_uri")
    if not isinstance(uri, str):
        raise ValueError("has no jwks_uri")
    return _address(uri, http_too=http_too)


def read_key_set(document: bytes) -> tuple[VerificationKey, ...]:
    """The keys of a set that are for signatures and strong enough. Raises ValueError for no set, or none such."""
    members = parse_object_bytes(document)
    rows = members.get("keys")
    if not isinstance(rows, list) or len(rows) > MAX_KEYS:
        raise ValueError(f"has no list of at most {MAX_KEYS} keys")
    found: list[VerificationKey] = []
    for row in rows:
        try:
            found.append(public_key(row if isinstance(row, dict) else {}))
        except ValueError:
            continue  # a key for another purpose or algorithm is no fault of the set (RFC 7517 section 5)
    if not found:
        raise ValueError("holds no key that could be used")
    return tuple(found)


def _address(url: str, *, http_too: bool) -> Address:
    parts = urlsplit(url)
    if parts.scheme not in ({"https", "http"} if http_too else {"https"}) or not parts.hostname:
        raise ValueError("is not an https URL")
    if parts.username is not None or parts.password is not None or parts.fragment or not url.isascii():
        raise ValueError("holds user, fragment or characters that do not belong there")
    if any(not "\x21" <= char <= "\x7e" for char in url):
        raise ValueError("holds blanks or control characters")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(f"{parts.scheme}://{parts.netloc}", target)
