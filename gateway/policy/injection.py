"""What of a call goes on to Genesys: which headers pass, what the gateway sets, and which guest context it adds.

Leaves the way back to answer_head.py, and fetching the bearer and framing the body to the upstream room (it writes
Host and Content-Length). The rule: nothing of the caller's passes unless it is listed here, and what the gateway sets
always replaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway import errors
from gateway.errors import Refusal

PASSED_REQUEST_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-language",
        "content-language",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "purecloud-sdk",
    }
)
"""Request headers that pass. All else stops here: credentials, cookies, forwarding and identity headers of any
spelling, hop-by-hop headers, Host and framing, Origin, User-Agent, Accept-Encoding, Expect, Range, method overrides."""
MAX_HEADER_CHARS: Final = 4096
CONDITIONAL_HEADERS: Final = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
OUR_LINES: Final = b"accept-encoding: identity\r\nuser-agent: web-messaging-gateway\r\n"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS: Final = frozenset({"guest_id", "verified", "site", "external_id", "origin"})
MAX_ATTRIBUTES_BYTES: Final = 2048

MAX_KNOWN_NAMES: Final = 1_024
MAX_KNOWN_CHARS: Final = 64
# Spellings of header names seen so far, and what they come to: a table that only saves lowering the same few names.
_keys: dict[str, str] = {}


@dataclass(frozen=True, slots=True, repr=False)
class PassedHeaders:
    """What of a caller's headers goes on to Genesys, judged once and written as lines, each ended by CRLF.

    It hangs on the caller's header block alone: equal blocks may share it.
    """

    lines: bytes
    lines_without_type: bytes
    """The same for a route that sends its own body, and so its own Content-Type."""
    varying: tuple[str, str]
    """Accept and Accept-Language, empty where absent: what answers to one target differ by."""
    is_conditional: bool
    """Does it hold a precondition? Such a call is never answered from what is kept."""


def passed_headers(inbound: Iterable[tuple[str, str]]) -> PassedHeaders:
    """What passes of the headers that came. What the connection nominates does not, except Content-Type.

    Raises Refusal(HEADER_INVALID) for a listed header that stands twice, or holds anything but printable ASCII.
    """
    passed: dict[str, str] = {}
    nominated: frozenset[str] = frozenset()
    for name, value in inbound:
        key = _keys.get(name)
        if key is None:
            key = _learn(name)
        if not key:
            continue
        if key == "connection":
            nominated |= _names_in(value)
            continue
        if key in passed or len(value) > MAX_HEADER_CHARS or not _is_printable(value):
            raise Refusal(errors.HEADER_INVALID, f"{key} is repeated, too long, or not printable ASCII")
        passed[key] = value
    for name in nominated.intersection(passed):
        if name != "content-type":
            del passed[name]
    content_type = passed.pop("content-type", None)
    without_type = "".join([f"{name}: {value}\r\n" for name, value in passed.items()]).encode("ascii")
    type_line = b"" if content_type is None else f"content-type: {content_type}\r\n".encode("ascii")
    return PassedHeaders(
        lines=without_type + type_line,
        lines_without_type=without_type,
        varying=(passed.get("accept", ""), passed.get("accept-language", "")),
        is_conditional=not CONDITIONAL_HEADERS.isdisjoint(passed),
    )


def request_lines(
    passed: PassedHeaders,
    *,
    authorization: bytes,
    request_id: str,
    origin: str | None = None,
    content_type: str | None = None,
    traceparent: str | None = None,
) -> bytes:
    """The header lines of a call to Genesys, without Host and framing: what passes of the caller's, and ours.

    `authorization`: its line, or nothing. `content_type` replaces the caller's where the route sends its own body.
    Answers are asked for unencoded, so that they can be searched for our own credentials before they pass. Raises
    ValueError for a value of ours that is not printable ASCII.
    """
    passing = passed.lines
    if content_type is not None:
        passing = passed.lines_without_type + own_line("content-type", content_type)
    lines = b"".join([passing, OUR_LINES, authorization, own_line("x-request-id", request_id)])
    if origin:
        lines += own_line("origin", origin)
    if traceparent:
        lines += own_line("traceparent", traceparent)
    return lines


def own_line(name: str, value: str) -> bytes:
    """A header line that the gateway sets. Raises ValueError, without the value, unless it is printable ASCII."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError(f"{name}: not printable ASCII")
    return f"{name}: {value}\r\n".encode("ascii")


def _learn(name: str) -> str:
    """The lower-case name of a header that somebody asks about, else nothing; kept, within a bound."""
    key = name.lower()
    if key != "connection" and key not in PASSED_REQUEST_HEADERS:
        key = ""
    if len(_keys) < MAX_KNOWN_NAMES and len(name) <= MAX_KNOWN_CHARS:
        _keys[name] = key
    return key


def _is_printable(value: str) -> bool:
    """Whether a header value is printable ASCII; a tab may stand in it."""
    return value.isascii() and (value.isprintable() or value.replace("\t", " ").isprintable())


def _names_in(connection: str) -> frozenset[str]:
    """The header names that a Connection header nominates for removal."""
    return frozenset(name.strip().lower() for name in connection.split(","))


@dataclass(frozen=True, slots=True)
class ContextRules:
    """The guest context of a site: attribute templates that the gateway alone sets, and further keys kept from pages.

    Raises ValueError for an unknown placeholder, an empty key, or more bytes than Genesys takes.
    """

    attributes: tuple[tuple[str, str], ...] = ()
    reserved: tuple[str, ...] = ()
    refused_keys: frozenset[str] = field(init=False, repr=False, compare=False)
    """What a page may not set, case folded."""

    def __post_init__(self) -> None:
        for key, template in self.attributes:
            if not key:
                raise ValueError("an attribute has an empty name")
            for name in _PLACEHOLDER.findall(template):
                if name not in PLACEHOLDERS:
                    raise ValueError(
                        f"{key}: unknown placeholder {{{name}}}; known are {', '.join(sorted(PLACEHOLDERS))}"
                    )
        if attributes_bytes(dict(self.attributes)) > MAX_ATTRIBUTES_BYTES:
            raise ValueError(f"the attributes hold more than {MAX_ATTRIBUTES_BYTES} bytes")
        keys = (*(key for key, _ in self.attributes), *self.reserved)
        object.__setattr__(self, "refused_keys", frozenset(key.casefold() for key in keys))


@dataclass(frozen=True, slots=True)
class GuestContext:
    """What the placeholders stand for."""

    guest_id: str
    verified: bool
    site: str
    external_id: str | None = field(repr=False)
    origin: str | None


def context_attributes(rules: ContextRules, guest: GuestContext) -> dict[str, str]:
    """The attributes that the gateway sets on each message; a value put in is never searched for placeholders."""
    values: Mapping[str, str] = {
        "guest_id": guest.guest_id,
        "verified": "true" if guest.verified else "false",
        "site": guest.site,
        "external_id": guest.external_id or "",
        "origin": guest.origin or "",
    }
    return {key: _PLACEHOLDER.sub(lambda found: values[found[1]], template) for key, template in rules.attributes}


def attributes_bytes(attributes: Mapping[str, str]) -> int:
    """Size as Genesys counts it: keys and values in UTF-8."""
    return sum(len(key.encode("utf-8")) + len(value.encode("utf-8")) for key, value in attributes.items())
