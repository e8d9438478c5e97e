"""Takes whatever has the shape of a credential out of an answer's body, before anybody outside sees it.

Leaves headers to `policy.injection` and the call's own credential, which ends the answer, to `upstream`. The rule: the
length never changes, so that framing stays true; what is taken out is replaced byte by byte.
"""

from __future__ import annotations

import re
from typing import Final

_MASK: Final = b"*"
_SHAPES: Final = re.compile(
    rb"eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT: two JSON objects in base64url
    rb"|[Bb]earer [A-Za-z0-9._~+/*=-]{16,}"
    rb"|gw[sthbcar]_[A-Za-z0-9_-]{43}"
    rb'|(?P<name>"(?:access_?[tT]oken|refresh_?[tT]oken|id_?[tT]oken|jwt|client_?[sS]ecret)"\s*:\s*")'
    rb'(?P<value>(?:[^"\\]|\\.)*)"'
)
_UPPER_J, _UNDERSCORE, _J, _K, _SPACE = b"J_jk "
_BREAKS: Final = (b",", b"{", b"}", b"[", b"]", b"\n")
"""No shape spans one of these."""


def masked(body: bytes) -> bytes:
    """The body with every token-shaped part starred out; the same object when there is none."""
    # Without one of these no shape can be there. Looking for them is many times cheaper than looking for shapes, and
    # for a single byte, a rare one of the hint, ten times cheaper still.
    if (
        (_UPPER_J in body and b"eyJ" in body)
        or (_UNDERSCORE in body and b"gw" in body)
        or (_K in body and b'oken"' in body)
        or (_J in body and b'jwt"' in body)
        or (_SPACE in body and b"earer " in body)  # there is none in JSON but in its texts
        or b'ecret"' in body
    ):
        return _SHAPES.sub(_star, body)
    return body


def last_break(body: bytes) -> int:
    """How much of a body no shape can reach across: up to and with its last break; 0 when there is none."""
    return 1 + max(body.rfind(mark) for mark in _BREAKS)


def _star(found: re.Match[bytes]) -> bytes:
    if found["name"] is None:
        return _MASK * len(found[0])
    return found["name"] + _MASK * len(found["value"]) + b'"'
