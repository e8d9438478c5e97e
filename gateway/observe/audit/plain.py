"""Foreign text as it may stand in records, and fields as members of a JSON object: always one valid, printable line.

Pure. Leaves which fields there are to fields.py, and which of them a record holds to records.py.
"""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from gateway.observe.audit.fields import FIELDS, SEAL
from gateway.observe.redaction import scrub

Value = str | int | float | bool | list[str]
Fields = Mapping[str, Value]

MAX_MEMBERS_BYTES: Final = 32 * 1024
_MAX_PLAIN_CHARS: Final = 256
_OURS: Final = re.compile(
    r"[a-z]{1,20}(?:[-_.][a-z]{1,20}){0,4}|[0-9A-Za-z-]{1,64}|h:[0-9a-f]{32}|"
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
)  # words, ids, references and times: `scrub` finds nothing in them

# RFC 6454, 6.1: scheme, host and port, and nothing else. The host is where a page came from, never who asks for it.
_ADDRESS_ORIGIN: Final = re.compile(
    r"[a-z][a-z0-9+.-]{0,31}://(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?"
)


def clean(text: str, max_chars: int = 255) -> str:
    """Return foreign text as one printable line without secrets:
    control, bidi and broken characters escaped, then cut.
    """
    if _OURS.fullmatch(text):
        return text[:max_chars]
    text = scrub(text[: 2 * max_chars])[:max_chars]
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return shown[:max_chars]


def clean_field(name: str, text: str) -> str:
    """Return foreign text as it may stand in this field: `clean`, cut as the field says.

    An origin keeps a host that is an address: cut like a client's, it would name another origin.
    """
    if name == "gateway.origin" and _ADDRESS_ORIGIN.fullmatch(text):
        return text
    return clean(text, FIELDS[name].max_chars if name in FIELDS else 255)


def is_plain(text: str) -> bool:
    """May the text stand between quotation marks in JSON as it is? Said of short printable ASCII only."""
    return (
        len(text) <= _MAX_PLAIN_CHARS and text.isascii() and text.isprintable() and '"' not in text and "\\" not in text
    )


def members_of(fields: Fields) -> str:
    """Return the fields as JSON without the braces. Whatever they hold, one line of printable text comes out."""
    try:
        written = orjson.dumps(dict(fields))
    except (orjson.JSONEncodeError, TypeError):
        written = orjson.dumps(_cleaned(fields))
    # The slow way round is for texts that are not plain ASCII, had to be escaped, or are too long.
    if not written.isascii() or b"\\" in written or b"\x7f" in written or len(written) > MAX_MEMBERS_BYTES:
        written = orjson.dumps(_cleaned(fields))
    return written[1:-1].decode()


def _cleaned(fields: Fields) -> dict[str, Value]:
    tidy: dict[str, Value] = {}
    for name, value in fields.items():
        limit = FIELDS[name].max_chars if name in FIELDS else 255
        if name in SEAL:
            # The log's own words: notes hold newlines and a dash, and were checked where they came in.
            tidy[name] = value
        elif isinstance(value, str):
            tidy[name] = clean_field(name, value)
        elif isinstance(value, list):
            tidy[name] = [clean(item, limit) for item in value[:64]]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            tidy[name] = -1
        else:
            tidy[name] = value
    return tidy
