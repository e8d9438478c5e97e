"""Where a request that came in one piece begins and ends, and a strict reading of its head.

Pure, and narrower than HTTP: what is unusual in any way is not read here but left to aiohttp's parser, which judges it.
The rule: whatever is read here, aiohttp's parser would have read in the same way (RFC 9112; tests compare the two).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

MAX_HEAD_BYTES: Final = 8_190
MAX_HEADERS: Final = 99
"""One less than aiohttp's parser takes."""
MAX_LENGTH_DIGITS: Final = 6
HEAD_END: Final = b"\r\n\r\n"
_LENGTH_NAMES: Final = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")  # as browsers and balancers spell it
_REQUEST_LINE: Final = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[\x21\x22\x24-\x7e]*) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)")
_NO_LENGTH: Final = re.compile(rb"([Cc]ontent-[Ll]ength): ")
_ODD: Final = frozenset(
    {
        "transfer-encoding", "te", "trailer", "upgrade", "expect", "proxy-connection", "content-encoding",
        "content-length", "http2-settings", "sec-websocket-key1",
    }
)  # fmt: skip
"""Fields that mean something for the framing or the connection: a request with one of them is aiohttp's."""


@dataclass(frozen=True, slots=True, repr=False)  # it holds what the caller sent
class ReadHead:
    """A head that nothing is unusual about. The fields do not hold Content-Length."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    def headers(self) -> CIMultiDictProxy[str]:
        """The fields as aiohttp gives them."""
        return CIMultiDictProxy(CIMultiDict(self.fields))


def cut(data: bytes) -> tuple[bytes, int, bytes] | None:
    """Head and body of the one request that these bytes are, no more and no less; None when it cannot be said here.

    The head comes without the digits of Content-Length, so that it is the same for bodies of any length, and between
    head and body stands where in the head they belong, 0 where there are none.
    """
    end = data.find(HEAD_END) + 4
    if not 4 <= end <= MAX_HEAD_BYTES:
        return None
    for name in _LENGTH_NAMES:
        at = data.find(name, 0, end)
        if at >= 0:
            break
    else:
        return (data, 0, b"") if len(data) == end else None
    at += len(name)
    stop = data.find(b"\r\n", at)
    body = _body(data, at, stop, end)
    return None if body is None else (data[:at] + data[stop:end], at, body)


def cut_again(data: bytes, before: bytes, behind: bytes) -> bytes | None:
    """The body, when `cut` would give the head `before + behind`; None: it would not, or this is no request at all.

    `before` and `behind`: what stands before and after the digits of Content-Length.
    """
    if not before:
        return b"" if data == behind else None
    at = len(before)
    stop = data.find(b"\r\n", at)
    if not (data.startswith(before) and data.startswith(behind, stop)):
        return None
    return _body(data, at, stop, stop + len(behind))


def _body(data: bytes, at: int, stop: int, end: int) -> bytes | None:
    """What follows the head's `end`, when it is as long as the digits from `at` to `stop` say."""
    digits = data[at:stop]
    if not digits.isdigit() or len(digits) > MAX_LENGTH_DIGITS or (digits[0] == 0x30 and len(digits) > 1):
        return None
    return data[end:] if len(data) == end + int(digits) else None


def read_head(head: bytes) -> ReadHead | None:
    """Read a head as `cut` gives it; None when anything about it is unusual."""
    line, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
    start = _REQUEST_LINE.fullmatch(line)
    if start is None or len(lines) > MAX_HEADERS:
        return None
    fields: dict[str, tuple[str, str]] = {}
    has_length = False
    for text in lines:
        field = _FIELD.fullmatch(text)
        if field is None:
            if has_length or _NO_LENGTH.fullmatch(text) is None:
                return None
            has_length = True
            continue
        name, value = field[1].decode("ascii"), field[2].decode("ascii")
        key = name.lower()
        if key in fields or key in _ODD or (key == "connection" and value.lower() != "keep-alive"):
            return None
        fields[key] = (name, value)
    if "host" not in fields:
        return None
    return ReadHead(start[1].decode("ascii"), start[2].decode("ascii"), tuple(fields.values()))


def whole_length(data: bytes) -> int | None:
    """How many bytes the request has that begins here, when its head is whole; None when it cannot be said.

    Tells only where a request ends that aiohttp's parser takes: it judges no field.
    """
    end = data.find(HEAD_END)
    if end < 0 or data.count(b"\n", 0, end) != data.count(b"\r\n", 0, end):
        return None
    lower = data[:end].lower()
    if b"\r\ntransfer-encoding" in lower or b"\r\nupgrade" in lower or lower.startswith(b"connect "):
        return None
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return end + 4
    if lower.find(b"\r\ncontent-length", at + 2) >= 0:
        return None
    stop = lower.find(b"\r\n", at + 2)
    digits = lower[at + 17 : end if stop < 0 else stop].strip(b" \t")
    return end + 4 + int(digits) if digits.isdigit() and len(digits) <= MAX_LENGTH_DIGITS + 3 else None
