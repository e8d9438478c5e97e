"""The request target in its one canonical spelling: parsed once, decided on, and forwarded as it came.

Leaves routes to `routes` and sites to `sites`. The rule: what does not re-serialise to the same bytes is refused,
because another parser might read it otherwise (Envoy CVE-2021-29492, oauth2-proxy CVE-2026-41059).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from gateway import errors
from gateway.errors import Refusal

MAX_TARGET_BYTES: Final = 4096
_SEGMENT_SAFE: Final = "-._~!$&'()*+,=:@"  # RFC 3986 pchar without `;`, which some servers cut off with what follows
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,=:@]+)+")
_ENCODED_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-F]{2})+)+")
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9\-._~!$'()*+,:@/?=&]|%[0-9A-Fa-f]{2})*")
_PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9_.~-]+")
_REFUSED_WHEN_ENCODED: Final = frozenset(b"/\\;#?%\x7f") | frozenset(range(0x20))
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed request target. `path` and `query` are the bytes that came, `segments` the path's, as spelled.

    `parameters` are the query's pairs in order, values decoded once as application/x-www-form-urlencoded; a name
    that stands twice stands here twice, and the route decides.
    """

    path: str
    segments: tuple[str, ...]
    query: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        """The value of a query parameter, or None. Raises Refusal(ROUTE_QUERY) when it stands more than once."""
        values = [value for key, value in self.parameters if key == name]
        if len(values) > 1:
            raise Refusal(errors.ROUTE_QUERY, f"{name} stands more than once")
        return values[0] if values else None


def parse_target(raw: str) -> Target:
    """The target of a request line, in origin form. Raises Refusal(PATH_INVALID) saying which rule it breaks."""
    if len(raw) > MAX_TARGET_BYTES:
        raise _invalid(f"is longer than {MAX_TARGET_BYTES} bytes")
    path, mark, query = raw.partition("?")
    segments = _segments(path)
    if not mark:
        return Target(path, segments)
    return Target(path, segments, query, _parameters(query))


def _segments(path: str) -> tuple[str, ...]:
    if path == "/":
        return ()
    if _PLAIN_PATH.fullmatch(path) is None:
        _check_encoded(path)
    segments = tuple(path[1:].split("/"))
    if "." in segments or ".." in segments:
        raise _invalid("holds a dot segment")
    return segments


def _check_encoded(path: str) -> None:
    """Admit a path with percent-encoding only where it is needed, in upper case, of valid UTF-8."""
    if not path.startswith("/"):
        raise _invalid("is not in origin form")
    if _ENCODED_PATH.fullmatch(path) is None:
        raise _invalid("holds an empty segment, or a character that is not allowed in a path")
    decoded = unquote_to_bytes(path)
    if quote(decoded, safe=f"/{_SEGMENT_SAFE}") != path or decoded.count(b"/") != path.count("/"):
        raise _invalid("percent-encodes what needs none")
    if not _REFUSED_WHEN_ENCODED.isdisjoint(decoded.replace(b"/", b"")):
        raise _invalid("percent-encodes a delimiter or a control character")
    _decode_utf8(decoded)


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    if not query:
        return ()
    if _QUERY.fullmatch(query) is None:
        raise _invalid("holds a character that is not allowed in a query, or broken percent-encoding")
    return tuple(_parameter(pair) for pair in query.split("&"))


def _parameter(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    if _PARAMETER_NAME.fullmatch(name) is None:
        raise _invalid("has a query parameter without a plain name")
    if "%" not in value:
        return name, value.replace("+", " ")
    return name, _decode_utf8(unquote_to_bytes(value.replace("+", " ")))


def _decode_utf8(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _invalid("percent-encodes bytes that are not UTF-8") from exc
    if _CONTROL.search(text):
        raise _invalid("percent-encodes a control character")
    return text


def _invalid(detail: str) -> Refusal:
    return Refusal(errors.PATH_INVALID, f"the target {detail}")
