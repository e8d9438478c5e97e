"""What of the head of Genesys' answer the caller sees: listed fields only, none that looks like a credential.

Leaves whether the answer is usable, and its body, to the upstream room. The rule: what is not listed here does not
pass, nor what holds a credential, whatever name it bears.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

PASSED_ANSWER_HEADERS: Final = frozenset(
    {
        b"cache-control",
        b"content-disposition",
        b"content-language",
        b"content-type",
        b"deprecation",
        b"etag",
        b"expires",
        b"inin-correlation-id",
        b"inin-ratelimit-allowed",
        b"inin-ratelimit-count",
        b"inin-ratelimit-reset",
        b"last-modified",
        b"retry-after",
        b"sunset",
        b"warning",
    }
)
"""Answer headers that pass. All else stops here: cookies, server names, upstream's CORS and transport policy, Location
(which may hold a presigned address), hop-by-hop headers and framing."""
READ_ONLY: Final = frozenset({b"connection", b"content-encoding"})
"""Fields that are looked at, and do not pass."""
MAX_VALUE_BYTES: Final = 4096
MAX_KNOWN_NAMES: Final = 1_024
MAX_KNOWN_BYTES: Final = 64
PRINTABLE: Final = bytes([0x09, *range(0x20, 0x7F)])
# Spelled out rather than with IGNORECASE, which makes the search five times as slow.
_TOKEN_SHAPED: Final = re.compile(
    rb"[Bb][Ee][Aa][Rr][Ee][Rr][ \t]+\S|[Bb][Aa][Ss][Ii][Cc][ \t]+\S"
    rb"|eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.|gw[sthbcar]_[A-Za-z0-9_-]{43}"
)
_UPPER_J: Final = ord("J")
_UNDERSCORE: Final = ord("_")
# Spellings of names seen so far, and what they come to: a table that only saves lowering the same few names.
_keys: dict[bytes, bytes] = {}


def answer_fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields that somebody asks about, by lower-case name, the first of each; Connection in one piece."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        key = _keys.get(name)
        if key is None:
            key = _learn(name)
        if not key:
            continue
        if key not in fields:
            fields[key] = value
        elif key == b"connection":
            fields[key] += b"," + value
    return fields


def answer_lines(fields: Mapping[bytes, bytes], secret: bytes) -> bytes:
    """What passes of `answer_fields`, as lines with names in lower case, each ended by CRLF.

    A value that looks like a token, or holds `secret` (the credential of this very call, or nothing), does not pass,
    nor what the upstream's Connection field nominates.
    """
    connection = fields.get(b"connection", b"keep-alive")
    stopped = READ_ONLY if connection == b"keep-alive" else READ_ONLY | _names_in(connection)
    passed = []
    for name, value in fields.items():
        if name not in stopped:
            passed.append(b"%b: %b\r\n" % (name, value))
    lines = b"".join(passed)
    # All of them are looked at together; only when something is wrong with them, one by one.
    if len(lines) <= MAX_VALUE_BYTES and _may_pass(lines, len(passed), secret):
        return lines
    return b"".join([line for line in passed if _is_short(line) and _may_pass(line, 1, secret)])


def has_field(lines: bytes, name: bytes) -> bool:
    """Whether one of these lines has this name."""
    start = name + b": "
    return lines.startswith(start) or b"\r\n" + start in lines


def _names_in(connection: bytes) -> frozenset[bytes]:
    """The field names that a Connection field nominates for removal."""
    return frozenset(name.strip(b" \t").lower() for name in connection.split(b","))


def _is_short(line: bytes) -> bool:
    return len(line.partition(b": ")[2]) <= MAX_VALUE_BYTES + len(b"\r\n")


def _learn(name: bytes) -> bytes:
    """The lower-case name of a field that somebody asks about, else nothing; kept, within a bound."""
    key = name.lower()
    if key not in PASSED_ANSWER_HEADERS and key not in READ_ONLY:
        key = b""
    if len(_keys) < MAX_KNOWN_NAMES and len(name) <= MAX_KNOWN_BYTES:
        _keys[name] = key
    return key


def _may_pass(lines: bytes, count: int, secret: bytes) -> bool:
    """Whether that many lines are no more than that, of printable ASCII, and without a credential."""
    if lines.translate(None, PRINTABLE) != b"\r\n" * count or (secret and secret in lines):
        return False
    if _UPPER_J not in lines and _UNDERSCORE not in lines:  # eyJ, gws_: without them only words can make a token
        lowered = lines.lower()
        if b"bearer" not in lowered and b"basic" not in lowered:
            return True  # a fraction of what looking for the shapes costs
    return _TOKEN_SHAPED.search(lines) is None
