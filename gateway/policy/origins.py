"""Which web origins may talk: parse, compare, and say it in CORS headers.

Leaves finding the site to `sites` and writing the answer to the web room. The rule: an Origin header is compared as
the Fetch standard serialises it, byte for byte; nothing is folded, trimmed or decoded first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.hostnames import canonical_host, is_address, is_canonical_host
from gateway.policy.shared_suffixes import SHARED_SUFFIXES

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_ORIGIN_CHARS: Final = 300
PREFLIGHT_MAX_AGE_S: Final = 7200  # Chromium keeps no preflight for longer
ALLOWED_REQUEST_HEADERS: Final = ("authorization", "content-type", "x-request-id", "dpop")
EXPOSED_HEADERS: Final = (
    "x-request-id",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "inin-correlation-id",
    "www-authenticate",
)
_SERIALISED: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\]]*\]|[^:/?#@\[\]\\]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_PATTERN: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<wild>\*\.)?(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>.*))?"
)
_EXPOSED: Final = ", ".join(EXPOSED_HEADERS)
_ALLOWED: Final = ", ".join(ALLOWED_REQUEST_HEADERS)


@dataclass(frozen=True, slots=True)
class Origin:
    """A tuple origin; the port is always explicit."""

    scheme: str
    host: str
    port: int

    def serialise(self) -> str:
        """As the Fetch standard writes it: without the default port."""
        suffix = "" if DEFAULT_PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{self.host}{suffix}"

    def secure_twin(self) -> Origin:
        """The https origin that a plain http page most likely meant."""
        port = DEFAULT_PORTS["https"] if self.port == DEFAULT_PORTS["http"] else self.port
        return Origin("https", self.host, port)


@dataclass(frozen=True, slots=True)
class OriginPattern:
    """One configured entry. `subdomains`: one or more labels before the host; the host itself is then not meant."""

    origin: Origin
    subdomains: bool = False

    def serialise(self) -> str:
        """The canonical spelling of the entry."""
        text = self.origin.serialise()
        return text.replace("://", "://*.", 1) if self.subdomains else text


@dataclass(frozen=True, slots=True)
class OriginRules:
    """A site's list, compiled: exact origins in one set, `*.` entries in another that is asked once per parent name."""

    patterns: tuple[OriginPattern, ...] = ()
    allow_null: bool = False
    exact: frozenset[str] = field(init=False, repr=False, compare=False)
    wild: frozenset[Origin] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = frozenset(p.origin.serialise() for p in self.patterns if not p.subdomains)
        object.__setattr__(self, "exact", exact)
        object.__setattr__(self, "wild", frozenset(p.origin for p in self.patterns if p.subdomains))

    def lists(self, origin: Origin) -> bool:
        """Whether an entry of the list means this origin."""
        if origin.serialise() in self.exact:
            return True
        return any(Origin(origin.scheme, parent, origin.port) in self.wild for parent in _parents(origin.host))


def parse_origin(value: str) -> Origin:
    """The origin that an Origin header names. Raises Refusal: ORIGIN_NULL, or ORIGIN_MALFORMED saying what is wrong."""
    if value == "null":
        raise Refusal(errors.ORIGIN_NULL)
    match = _SERIALISED.fullmatch(value) if len(value) <= MAX_ORIGIN_CHARS else None
    if match is None or not is_canonical_host(match["host"]):
        raise Refusal(errors.ORIGIN_MALFORMED, _what_is_wrong(value))
    scheme = match["scheme"]
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > 65535 or (match["port"] and port == DEFAULT_PORTS[scheme]):
        raise Refusal(errors.ORIGIN_MALFORMED, "the port is out of range, or is the default port spelled out")
    return Origin(scheme, match["host"], port)


def _what_is_wrong(value: str) -> str:
    """One constant sentence; the value itself is not repeated, since it may be anything."""
    if is_canonical_host(value):
        return "a bare host name, as native apps send it; native clients need a backend route"
    if value != value.lower():
        return "scheme and host are lower case in a serialised origin"
    return "not scheme://host or scheme://host:port with an http or https scheme and an ASCII host"


def parse_pattern(text: str) -> OriginPattern:
    """One entry of sites.X.origins. Raises ValueError with a message that reads well after the key: a fault."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("is not scheme://host[:port]; write for example https://shop.example")
    scheme = match["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise ValueError(f"has the scheme {scheme}; only https and http make web origins")
    host, subdomains = _pattern_host(match["host"], wild=match["wild"] is not None)
    return OriginPattern(Origin(scheme, host, _pattern_port(match["port"], scheme)), subdomains)


def _pattern_host(text: str, *, wild: bool) -> tuple[str, bool]:
    for mark, message in (("@", "has user info"), ("/", "has a path"), ("?", "has a query"), ("#", "has a fragment")):
        if mark in text:
            raise ValueError(f"{message}; an origin is scheme, host and port only")
    if "*" in text:
        raise ValueError("has a `*` that is not the whole first label; write https://*.shop.example")
    host = canonical_host(text)
    if not wild:
        return host, False
    if is_address(host):
        raise ValueError("has a `*` before an IP address")
    if "." not in host or host in SHARED_SUFFIXES:
        raise ValueError(f"admits every name under {host}, where anybody can register; list the hosts you own")
    return host, True


def _pattern_port(text: str | None, scheme: str) -> int:
    if text is None:
        return DEFAULT_PORTS[scheme]
    if "/" in text:
        raise ValueError("has a path; an origin is scheme, host and port only")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65535:
        raise ValueError(f"has no valid port: {text!r}")
    return int(text)


def _parents(host: str) -> Iterator[str]:
    """shop.example and example for www.shop.example; never the name itself. Addresses have none."""
    if is_address(host):
        return
    while "." in host:
        host = host.partition(".")[2]
        yield host


def check_origin(header: str | None, rules: OriginRules) -> str:
    """The value to echo in Access-Control-Allow-Origin, which is the header itself. Raises Refusal: ORIGIN_*."""
    if header in rules.exact and header is not None:
        return header
    if header is None:
        raise Refusal(errors.ORIGIN_MISSING)
    if header == "null" and rules.allow_null:
        return header
    origin = parse_origin(header)
    if rules.lists(origin):
        return header
    if origin.scheme == "http" and rules.lists(origin.secure_twin()):
        raise Refusal(errors.ORIGIN_INSECURE, f"{origin.secure_twin().serialise()} is listed, {header} is not")
    raise Refusal(errors.ORIGIN_NOT_ALLOWED, f"the origin {header} is not listed")


def cors_headers(allowed_origin: str | None) -> dict[str, str]:
    """Headers of every answer, errors included. Vary stands there always: caches must not mix answers by origin."""
    if allowed_origin is None:
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": allowed_origin, "Access-Control-Expose-Headers": _EXPOSED}


def preflight_headers(allowed_origin: str, methods: str, *, allow_traceparent: bool = False) -> dict[str, str]:
    """Headers of the answer to a preflight from an allowed origin; `methods` as in an Allow header.

    Never credentials (no cookie is ever read) and never private-network access.
    """
    return {
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        "Access-Control-Allow-Origin": allowed_origin,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": f"{_ALLOWED}, traceparent" if allow_traceparent else _ALLOWED,
        "Access-Control-Max-Age": str(PREFLIGHT_MAX_AGE_S),
    }
