"""Handles: the opaque words that a browser or backend may hold, which work nowhere but here.

Leaves what a handle stands for to the store, which keeps only the digest. The rule: 256 random bits, a prefix that
names the kind, and no kind is ever taken for another.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Reason, Refusal

ENTROPY_BYTES: Final = 32


class HandleKind(Enum):
    """What a handle is for; the value is its prefix."""

    SESSION = "gws_"
    TICKET = "gwt_"
    HISTORY = "gwh_"
    BACKEND = "gwb_"
    CODE = "gwc_"
    ACCESS = "gwa_"
    REFRESH = "gwr_"


_KINDS: Final = {kind.value: kind for kind in HandleKind}
# 43 characters carry 258 bits: the last one has two zero bits, so each handle has one spelling only.
_HANDLE: Final = re.compile(r"gw[sthbcar]_[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_SPOILT: Final[dict[HandleKind, Reason]] = {
    HandleKind.TICKET: errors.TICKET_INVALID,
    HandleKind.BACKEND: errors.BACKEND_INVALID,
}
"""The reason for a word that has our prefix but is no handle; SESSION_INVALID for kinds not named."""
_BEARER: Final = re.compile(r"(?:bearer|dpop) ([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)


def mint(kind: HandleKind, entropy: bytes) -> str:
    """A new handle from 32 random bytes that the caller drew. Raises ValueError on any other length."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a handle takes {ENTROPY_BYTES} bytes of entropy, not {len(entropy)}")
    return kind.value + urlsafe_b64encode(entropy).rstrip(b"=").decode("ascii")


def digest(handle: str) -> str:
    """The key under which the store knows a handle: SHA-256 in hexadecimal. Needs no salt: 256 bits are not guessed."""
    return hashlib.sha256(handle.encode("utf-8", "surrogatepass")).hexdigest()


def kind_of(text: str) -> HandleKind | None:
    """The kind of a well-formed handle; None for anything else."""
    return _KINDS[text[:4]] if _HANDLE.fullmatch(text) else None


def expect(text: str, kind: HandleKind) -> str:
    """The digest of a handle of this kind.

    Raises Refusal: HANDLE_WRONG_KIND for another kind; PLATFORM_TOKEN for a word that is none of ours;
    SESSION_INVALID (TICKET_INVALID, BACKEND_INVALID) for a spoilt one.
    """
    found = kind_of(text)
    if found is kind:
        return digest(text)
    if found is not None:
        raise Refusal(errors.HANDLE_WRONG_KIND, f"a handle with the prefix {kind.value} is needed, not {found.value}")
    if text[:4] in _KINDS:
        raise Refusal(_SPOILT.get(kind, errors.SESSION_INVALID), "the handle is cut or altered")
    raise Refusal(errors.PLATFORM_TOKEN)


def bearer_of(authorization: str | None) -> str | None:
    """The credential of an `Authorization: Bearer` (or DPoP, RFC 9449) header, or None without a header.

    The scheme is compared without case (the mobile SDK writes `bearer`). Raises Refusal(HEADER_INVALID) for any
    other scheme or form.
    """
    if authorization is None:
        return None
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise Refusal(errors.HEADER_INVALID, "Authorization is not `Bearer` followed by one credential")
    return match[1]
