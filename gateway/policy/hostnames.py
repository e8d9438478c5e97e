"""Host names as the gateway compares them: lower case, A-labels, canonical addresses; one spelling per host.

Leaves schemes and ports to `origins` and `sites`. The rule: a name from the network is compared as it came and refused
when it is not canonical; only a name from the configuration is converted.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import idna

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
MAX_NAME_CHARS: Final = 253


def is_canonical_host(text: str) -> bool:
    """Whether the text is the one canonical spelling of a host: A-labels, dotted quad, or bracketed IPv6 address."""
    if text.startswith("["):
        return _is_canonical_ipv6(text)
    if len(text) > MAX_NAME_CHARS or _NAME.fullmatch(text) is None:
        return False
    # A name whose last label is a number is an IPv4 address to a browser, in whatever spelling.
    # https://url.spec.whatwg.org/#ends-in-a-number-checker
    if _NUMERIC.fullmatch(text.rpartition(".")[2]):
        return _is_ipv4(text)
    return True


def is_address(host: str) -> bool:
    """Whether a canonical host is an IP address rather than a name."""
    return host.startswith("[") or _is_ipv4(host)


def canonical_host(text: str) -> str:
    """The canonical spelling of a configured host; U-labels become A-labels. Raises ValueError naming what is wrong."""
    if text.startswith("["):
        return _canonical_ipv6(text)
    if not text:
        raise ValueError("has no host")
    if text.endswith("."):
        raise ValueError("ends with a dot; browsers would send another origin")
    host = text.lower() if text.isascii() else _to_ascii(text)
    if not is_canonical_host(host):
        raise ValueError(f"has no valid host name: {text!r}")
    return host


def _to_ascii(text: str) -> str:
    """U-labels to A-labels as browsers do it. https://url.spec.whatwg.org/#concept-domain-to-ascii"""
    try:
        return idna.encode(text, uts46=True, transitional=False).decode("ascii")
    except idna.IDNAError as exc:
        raise ValueError(f"has a host name that is not valid IDNA: {exc}") from exc


def _is_ipv4(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ipaddress.AddressValueError:
        return False


def _is_canonical_ipv6(text: str) -> bool:
    try:
        return _canonical_ipv6(text) == text
    except ValueError:
        return False


def _canonical_ipv6(text: str) -> str:
    """`[::1]` as browsers write it; an embedded IPv4 address is written in hexadecimal, and zones do not exist."""
    if not text.endswith("]") or "%" in text:
        raise ValueError(f"has no valid IPv6 address: {text!r}")
    try:
        address = ipaddress.IPv6Address(text[1:-1])
    except ipaddress.AddressValueError as exc:
        raise ValueError(f"has no valid IPv6 address: {text!r}") from exc
    if address.ipv4_mapped is not None:
        high, low = divmod(int(address.ipv4_mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address.compressed}]"
