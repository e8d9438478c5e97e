"""W3C trace context, and the signature of debug requests, as values. Pure.

Rule kept: what others sent is a hint; malformed is ignored, never refused (https://www.w3.org/TR/trace-context/).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

DEBUG_HEADER: Final = "X-Gateway-Debug"
DEBUG_WINDOW_S: Final = 300.0
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_DEBUG: Final = re.compile(r"t=(\d{1,12}),s=([0-9a-f]{64})")
_PURPOSE: Final = b"gateway debug request/1\n"


@dataclass(frozen=True, slots=True)
class SentContext:
    """The trace that a caller says it is part of."""

    trace_id: str
    span_id: str


def parse_traceparent(header: str | None) -> SentContext | None:
    """The context of a traceparent header; None when there is none or it is malformed. Its sampled flag is not asked.

    A version above 00 may have more at its end; ff is no version.
    """
    match = None if header is None else _TRACEPARENT.fullmatch(header)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5] is not None):
        return None
    if set(match[2]) == {"0"} or set(match[3]) == {"0"}:
        return None
    return SentContext(match[2], match[3])


def traceparent(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """Our own header, version 00."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


def debug_header(key: bytes, method: str, path: str, at: int) -> str:
    """The header of a signed debug request: good for this method and path, for five minutes around `at`."""
    return f"t={at},s={_signature(key, method, path, at)}"


def is_debug_request(header: str | None, key: bytes, method: str, path: str, now: float) -> bool:
    """Is it signed with the key, for this very request, and not long ago?"""
    match = None if header is None else _DEBUG.fullmatch(header)
    if match is None or abs(now - int(match[1])) > DEBUG_WINDOW_S:
        return False
    return hmac.compare_digest(match[2], _signature(key, method, path, int(match[1])))


def _signature(key: bytes, method: str, path: str, at: int) -> str:
    signed = _PURPOSE + f"{at}\n{method}\n{path}".encode("utf-8", "surrogateescape")
    return hmac.digest(key, signed, hashlib.sha256).hex()
