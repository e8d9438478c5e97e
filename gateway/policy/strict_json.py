"""JSON that means one thing only: UTF-8, no key twice, no bare NaN, bounded depth.

Leaves what the object must hold to its readers. The rule: what two parsers could read differently is refused, because
another one reads it behind us.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, NoReturn

import orjson

MAX_DEPTH: Final = 24
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("names a key twice")
    return members


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("holds a number beyond what JSON parsers agree on")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant, strict=True
)


def parse_object(text: str, *, max_depth: int = MAX_DEPTH) -> dict[str, object]:
    """The one JSON object that the text holds. Raises ValueError that says what is wrong and repeats nothing of it."""
    if text.count("{") + text.count("[") > max_depth and _depth(text) > max_depth:
        raise ValueError("is nested too deeply")
    canonical = _canonical(text.encode("utf-8", "surrogatepass"))  # half a pair is not UTF-8, so not canonical
    return _decoded(text) if canonical is None else canonical


def parse_object_bytes(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, object]:
    """As `parse_object`, of bytes that must be UTF-8 (RFC 8259 8.1); UTF-16 and a byte order mark are refused."""
    if data.count(b"{") + data.count(b"[") <= max_depth:
        canonical = _canonical(data)
        if canonical is not None:
            return canonical
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as exc:
        raise ValueError("is not UTF-8") from exc
    return parse_object(text, max_depth=max_depth)


def _canonical(data: bytes) -> dict[str, object] | None:
    """The object of a text that is already in compact form, four times as fast; None for any other text.

    A text that serialises back to the very same bytes names no key twice and holds nothing that parsers read
    differently: what a lenient parser had dropped or changed would be missing. Browsers' frames are of this form.
    """
    try:
        value = orjson.loads(data)
        return value if type(value) is dict and orjson.dumps(value) == data else None
    except (ValueError, TypeError):
        return None


def _decoded(text: str) -> dict[str, object]:
    """The object of any text, by a parser that looks at each member. Raises ValueError."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as exc:
        raise ValueError("is not JSON") from exc
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    if _SURROGATE.search(text) is not None:
        _check_surrogates(value)
    return value


def serialise(value: object) -> str:
    """Compact JSON. Raises ValueError for what parsers read differently: huge integers, lone surrogates."""
    return serialise_bytes(value).decode("utf-8")


def serialise_bytes(value: object) -> bytes:
    """As `serialise`, in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError as exc:
        raise ValueError("holds a number beyond 64 bits, or half a surrogate pair") from exc


def _depth(text: str) -> int:
    """The deepest nesting, counted outside strings without recursion."""
    deepest = depth = 0
    for mark in _STRINGS.sub("", text):
        if mark in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "}]":
            depth -= 1
    return deepest


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ValueError("holds half a surrogate pair") from exc
