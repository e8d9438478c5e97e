"""Meaning of HTTP/1.1 heads, both ways, without any socket: how a request head is written, how an answer is framed.

Leaves parsing to llhttp (connection.py). The rule: whatever two readers could understand differently is refused,
in what we send and in what we accept (RFC 9112 sections 6 and 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple

Header = tuple[bytes, bytes]

MAX_BODY_BYTES: Final = 2**53
MAX_KNOWN_NAMES: Final = 1_024
MAX_KNOWN_BYTES: Final = 64
_TELLING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_TARGET: Final = re.compile(rb"/[!-~]*")
_STARTS: Final = {
    method: f"{method} ".encode("ascii") for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_OURS: Final = frozenset(
    {
        b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"proxy-connection",
        b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"upgrade", b"expect", b"http2-settings",
    }
)  # fmt: skip
"""Fields that the leg itself decides."""
_PLAIN: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
_untelling_names: set[bytes] = set()  # spellings, met in answers, of fields that say nothing of framing
_known_names: set[bytes] = set()  # names found good before: checking is a tenth of the cost of a head
BODILESS_STATUS: Final = frozenset({204, 304})


class AmbiguousAnswer(Exception):
    """An answer head that must not be trusted; the message says why."""


class Framing(Enum):
    """How the end of an answer's body is known."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until_close"


_LENGTH: Final = Framing.LENGTH  # an enum's member costs a look-up of its own kind


class BodyPlan(NamedTuple):
    """What the head says about the body: framing, length where declared, and whether the connection may live on."""

    framing: Framing
    length: int | None
    keep_alive: bool


def write_head(method: str, target: bytes, host: bytes, lines: bytes, framing: bytes) -> bytes:
    """Return the request head as bytes: `lines` are those of `lines_of` or of the policy, `framing` the leg's own.

    Raises ValueError for anything that could start a second request.
    """
    start = _STARTS.get(method)
    if start is None:
        raise ValueError("method is not one that may be sent")
    if _TARGET.fullmatch(target) is None:
        raise ValueError("target is not in origin form")
    return b"".join([start, target, b" HTTP/1.1\r\nHost: ", host, b"\r\n", lines, framing, b"\r\n"])


def lines_of(headers: Sequence[Header]) -> bytes:
    """Header fields as lines, each ended by CRLF.

    Raises ValueError for anything that could start a second line, or a second opinion on framing.
    """
    for name, _ in headers:
        if name not in _known_names:
            _learn(name)
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.translate(None, _PLAIN) != b"\r\n" * len(headers):
        raise ValueError("a header value holds a control character")  # beyond the ends of our own lines
    return lines


def _learn(name: bytes) -> None:
    """Admit a field name. Raises ValueError."""
    if _TOKEN.fullmatch(name) is None or name.lower() in _OURS:
        raise ValueError("a header name is malformed, or one that the leg decides")
    if len(_known_names) < MAX_KNOWN_NAMES:
        _known_names.add(name)


def plan_body(method: str, status: int, version: str, headers: Iterable[Header]) -> BodyPlan:
    """Decide how the body of a final answer is framed; raises AmbiguousAnswer where that is open to opinion."""
    if not 200 <= status <= 599:
        raise AmbiguousAnswer("status outside 200 to 599")
    if version not in {"1.1", "1.0"}:
        raise AmbiguousAnswer("version is neither 1.1 nor 1.0")
    length: int | None = None
    chunked = False
    keep_alive = version == "1.1"
    for name, value in headers:
        if name in _untelling_names:
            continue
        key = name.lower()
        if key not in _TELLING:
            if len(_untelling_names) < MAX_KNOWN_NAMES and len(name) <= MAX_KNOWN_BYTES:
                _untelling_names.add(name)
        elif key == b"content-length":
            length = _length(value, length)
        elif key == b"transfer-encoding":
            if chunked or value.strip(b" \t").lower() != b"chunked":
                raise AmbiguousAnswer("transfer coding other than one `chunked`")
            chunked = True
        elif value != b"keep-alive":
            keep_alive = keep_alive and b"close" not in {token.strip(b" \t") for token in value.lower().split(b",")}
    if chunked and (length is not None or version == "1.0"):
        raise AmbiguousAnswer("transfer coding beside Content-Length or in HTTP/1.0")
    if method == "HEAD" or status in BODILESS_STATUS:
        return BodyPlan(Framing.NONE, 0, keep_alive)
    if chunked:
        return BodyPlan(Framing.CHUNKED, None, keep_alive)
    if length is not None:
        return BodyPlan(_LENGTH, length, keep_alive)
    return BodyPlan(Framing.UNTIL_CLOSE, None, keep_alive=False)


def _length(value: bytes, known: int | None) -> int:
    """The number of a Content-Length field; twice or not plain digits is ambiguous."""
    digits = value.strip(b" \t")
    if known is not None or not digits.isdigit() or len(digits) > 16 or int(digits) > MAX_BODY_BYTES:
        raise AmbiguousAnswer("Content-Length is repeated or not a plain number")
    return int(digits)
