"""What must not stand in any log is taken out here: by field name, by form, and by value for secrets that are known.

Pure, but for the secrets it was told. The second line of defence:
the first is that nobody logs headers, bodies or tokens at all.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

REDACTED: Final = "[redacted]"
_MIN_SECRET_CHARS: Final = 8
_MAX_DEPTH: Final = 6

# A field whose name holds one of these words is never shown, whatever it holds.
_SECRET_WORDS: Final = (
    "authorization", "cookie", "password", "passwd", "secret", "token", "credential", "private_key", "jwt", "assertion",
    "api_key", "apikey", "client_key", "ticket", "auth_code", "authcode", "body", "query", "headers", "email",
)  # fmt: skip
# Names that hold one of those words and are harmless: names, counts and references.
_SHOWN: Final = re.compile(
    r"(_total|_count|_bytes|_s|_at|\.client|\.kind|\.name|\.expires|_type|_fp|\.ref\.[a-z]+|changed_keys)$"
)


def _address(match: re.Match[str]) -> str:
    text = match[0]
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return text
    network = ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False)
    return str(network.network_address)


Replacement = str | Callable[[re.Match[str]], str]

# In order. Each form is found wherever it stands in a text.
_FORMS: Final[tuple[tuple[re.Pattern[str], Replacement], ...]] = (
    (re.compile(r"\bey[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,4}"), "[jwt]"),
    (re.compile(r"\bgw[a-z]_[A-Za-z0-9_-]{8,}"), "[handle]"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 [redacted]"),
    (re.compile(r"(?i)\b(authorization|cookie|set-cookie)\s*[:=]\s*[^\r\n]+"), r"\1: [redacted]"),
    (re.compile(r"(?i)\b(access_token|refresh_token|id_token|client_secret|token|password|secret|code|ticket)(=|%3D|\"?\s*:\s*\")"
                r"[^\s&\"']+"), r"\1\2[redacted]"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@\"']+@", re.IGNORECASE), r"\1[redacted]@"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?\"'#]*)[?#][^\s\"')>]*", re.IGNORECASE), r"\1?[redacted]"),
    (re.compile(r"(?<=\s)(/[^\s?\"']*)\?[^\s\"']+"), r"\1?[redacted]"),
    (re.compile(r"[A-Za-z0-9._%+-]+(@|%40)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"), "[email]"),
    (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"), _address),
    (re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:.])"), _address),
)  # fmt: skip


class Redactor:
    """Takes secrets out of texts and of fields."""

    def __init__(self) -> None:
        """Know no secret yet; forms and names are known anyway."""
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        """Show how many secrets are known, none of them."""
        return f"Redactor({len(self._known)} secrets)"

    def learn(self, secret: str) -> None:
        """Never show this value again, nor its base64, URL-encoded or hexadecimal form;
        values under 8 characters are too short.
        """
        if len(secret) < _MIN_SECRET_CHARS:
            return
        raw = secret.encode()
        self._known |= {secret, quote(secret, safe=""), raw.hex(), *_base64_pieces(raw)}
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return the text without what must not be shown."""
        if self._pattern is not None:
            text = self._pattern.sub(REDACTED, text)
        return scrub(text)

    def fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return the fields without what must not be shown."""
        return {name: REDACTED if is_secret_name(name) else self._value(value, 0) for name, value in fields.items()}

    def _value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth >= _MAX_DEPTH:
            return REDACTED
        if isinstance(value, Mapping):
            return {
                str(name): REDACTED if is_secret_name(str(name)) else self._value(item, depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item, depth + 1) for item in value]
        if isinstance(value, BaseException):
            return type(value).__name__
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        return self.text(str(value))


def is_secret_name(name: str) -> bool:
    """Does a field of this name hold what must not be shown?"""
    lowered = name.lower().replace("-", "_")
    return any(word in lowered for word in _SECRET_WORDS) and not _SHOWN.search(lowered)


def scrub(text: str) -> str:
    """Return the text without tokens, credentials, query strings, e-mail and full network addresses, by their form."""
    for pattern, replacement in _FORMS:
        text = pattern.sub(replacement, text)
    return text


def _base64_pieces(raw: bytes) -> set[str]:
    """The parts of the base64 forms that do not depend on what stands before and after, at all three offsets."""
    pieces: set[str] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            text = encode(bytes(offset) + raw).decode("ascii").rstrip("=")
            piece = text[(offset * 8 + 5) // 6 : len(text) - (1 if (offset + len(raw)) % 3 else 0)]
            if len(piece) >= _MIN_SECRET_CHARS:
                pieces.add(piece)
    return pieces
