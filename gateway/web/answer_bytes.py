"""Answers as bytes: status line, header lines, framing and date, put together from parts that were made before.

Leaves writing them to `whole.py` and the lines of an answer to whoever makes it. The rule: nothing but the lines given
gets onto the wire, beside framing, Connection and Date.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from gateway.policy.origins import cors_headers

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
BODILESS: Final = frozenset({204, 304})
ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"


def answer_bytes(
    status: int, lines: bytes, body: bytes, method: str, *, keep_alive: bool, is_old: bool = False
) -> bytes:
    """The whole answer. `lines`: header lines, each ended by CRLF. `is_old`: to a request of HTTP/1.0."""
    framing = b""
    if status in BODILESS:
        body = b""
    elif method != "HEAD":
        framing = b"Content-Length: %d\r\n" % len(body)
    elif body:  # what GET would have brought; without it we do not know
        framing, body = b"Content-Length: %d\r\n" % len(body), b""
    if not is_old:
        start = b"HTTP/1.1"
        connection = b"" if keep_alive else b"Connection: close\r\n"
    else:
        start = b"HTTP/1.0"
        connection = b"Connection: keep-alive\r\n" if keep_alive else b""
    date = _date(int(time.time()))
    return b"".join([start, _status_line(status), lines, framing, connection, date, body])


@lru_cache(maxsize=1024)
def _status_line(status: int) -> bytes:
    return f" {status} {_REASONS.get(status, '')}\r\n".encode("ascii")


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode("ascii")


@lru_cache(maxsize=1024)
def cors_lines(allowed_origin: str | None) -> bytes:
    """The CORS headers of an answer as lines."""
    return "".join(f"{name}: {value}\r\n" for name, value in cors_headers(allowed_origin).items()).encode("latin-1")
