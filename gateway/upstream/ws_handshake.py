"""The WebSocket opening handshake, both ends of it, as values: RFC 6455 section 4. No I/O.

The server half judges a request's headers and makes the 101; the client half makes the request to Genesys and judges
its answer. Rule kept: version 13 only, no sub-protocol but the ticket, no extension, and nothing of a caller's
headers goes upstream.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from gateway import errors
from gateway.errors import Refusal

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SUBPROTOCOL: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
KEY_BYTES: Final = 16


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that proves a server read this Sec-WebSocket-Key."""
    # SHA-1 is prescribed by RFC 6455 section 4.2.2 and guards nothing here
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def check_upgrade(method: str, version: tuple[int, int], headers: Sequence[tuple[str, str]]) -> str:
    """Return the Sec-WebSocket-Key of a proper upgrade request.

    Raises Refusal: SOCKET_UPGRADE when this is no version 13 handshake, REQUEST_MALFORMED when one is spoilt or
    carries a body.
    """
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    if method != "GET" or version < (1, 1) or not _has_token(named, "upgrade", "websocket"):
        raise Refusal(errors.SOCKET_UPGRADE, "a GET with Upgrade: websocket is needed")
    if not _has_token(named, "connection", "upgrade"):
        raise Refusal(errors.SOCKET_UPGRADE, "Connection does not name upgrade")
    if named.get("sec-websocket-version") != ["13"]:
        raise Refusal(errors.SOCKET_UPGRADE, "Sec-WebSocket-Version is not 13")
    if "transfer-encoding" in named or named.get("content-length", ["0"]) != ["0"]:
        raise Refusal(errors.REQUEST_MALFORMED, "an upgrade request carries no body")
    keys = named.get("sec-websocket-key", [])
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refusal(errors.REQUEST_MALFORMED, "Sec-WebSocket-Key is not 16 bytes in base64, once")
    return keys[0]


def switching_answer(key: str, subprotocol: str | None, extra: Mapping[str, str]) -> bytes:
    """The 101 answer. `subprotocol` is one that the client offered, or None. Raises ValueError on a spoilt one."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {accept_of(key)}")
    if subprotocol is not None:
        if not _SUBPROTOCOL.fullmatch(subprotocol):
            raise ValueError("not a sub-protocol token")
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    for name, value in extra.items():
        if any(character in value or character in name for character in "\r\n\0"):
            raise ValueError("header with a line break")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def opening_request(host: str, target: str, key: str, origin: str) -> bytes:
    """The request that opens a socket at Genesys; all its parts come from configuration and policy."""
    for part in (host, target, key, origin):
        if not part.isascii() or not part.isprintable() or " " in part:
            raise ValueError("a part of the opening request is not one printable word")
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nOrigin: {origin}\r\n\r\n"
    ).encode("ascii")


def check_opened(status: int, headers: Sequence[tuple[str, str]], key: str) -> None:
    """Judge the answer to an opening request. Raises the Refusal that fits its status or its fault."""
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    if status != 101:
        raise _refused(status, named.get("retry-after", [""])[0])
    if not _has_token(named, "upgrade", "websocket") or not _has_token(named, "connection", "upgrade"):
        raise Refusal(errors.UPSTREAM_BAD_ANSWER, "the 101 does not upgrade to websocket")
    if named.get("sec-websocket-accept") != [accept_of(key)]:
        raise Refusal(errors.UPSTREAM_BAD_ANSWER, "Sec-WebSocket-Accept does not answer our key")
    if "sec-websocket-extensions" in named or "sec-websocket-protocol" in named:
        raise Refusal(errors.UPSTREAM_BAD_ANSWER, "an extension or sub-protocol was answered that we did not offer")


def _refused(status: int, retry_after: str) -> Refusal:
    """The refusal for an answer other than 101."""
    if status == 403:
        return Refusal(errors.UPSTREAM_REFUSED_SOCKET)
    if status in (429, 503):
        seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 5 else 5
        return Refusal(errors.UPSTREAM_BUSY, f"Genesys answered {status} to the socket", retry_after_s=seconds)
    if status == 504:
        return Refusal(errors.UPSTREAM_TIMEOUT, "Genesys answered 504 to the socket")
    return Refusal(errors.UPSTREAM_BAD_ANSWER, f"Genesys answered {status} to the socket")


def _has_token(named: Mapping[str, list[str]], header: str, token: str) -> bool:
    words = (word.strip().lower() for value in named.get(header, ()) for word in value.split(","))
    return token in words


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
