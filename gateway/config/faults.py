"""Turns validation errors of the model into faults by key, in the words of the file and without any value in them.

Leaves layering to `load` and cross-checks to `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

import pydantic
from pydantic_core import ErrorDetails

from gateway.config import shape

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be an array: [...]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "string_too_short": "must not be empty",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "finite_number": "must be a finite number",
}
_PATTERN_WORDS: Final = {
    "deployment_id": "must be a UUID: 8-4-4-4-12 hex digits",
    "old_script": "must be an address: http:// or https://, without blanks, quotes and brackets",
    "theme": "must be one value of CSS: at most 100 characters, without ; { } < > and backslash",
}
"""What a value must look like, by its key or that of its table; all other patterns are those of names."""
_NAME_WORDS: Final = "is not a name: lower case letters, digits, - and _, at most 63, the first a letter or digit"


def described(error: pydantic.ValidationError, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every error as (key, message); the branches of a union are one fault of one key."""
    found: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False, include_input=False):
        path, is_name = _path_in(data, detail["loc"])
        message = _name_words(detail, path) if is_name else _message(detail, path)
        messages = found.setdefault(shape.written(path), [])
        if message not in messages:
            messages.append(message)
    return [(key, " or ".join(messages)) for key, messages in found.items()]


def _path_in(data: Any, location: tuple[int | str, ...]) -> tuple[shape.Path, bool]:
    """Cut what pydantic adds to a location (union branches, `[key]`) and say whether a name was at fault."""
    path: list[int | str] = []
    node = data
    for part in location:
        if part == "[key]":
            return tuple(path), True
        if not isinstance(node, (dict, list, tuple)):
            break
        path.append(part)
        if isinstance(node, dict):
            node = node.get(str(part))
        else:
            node = node[part] if isinstance(part, int) and part < len(node) else None
    return tuple(path), False


def _message(detail: ErrorDetails, path: shape.Path) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key{_suggestion(path)}"
    if detail["type"] == "string_pattern_mismatch":
        return _pattern_words(path)
    words = _WORDS.get(detail["type"])
    if words is None:
        return detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    field = shape.field_at(path) if detail["type"] == "missing" else None
    said = words.format_map(detail.get("ctx", {}))
    return f"{said}: {field.description.rstrip('.')}" if field is not None and field.description else said


def _name_words(detail: ErrorDetails, path: shape.Path) -> str:
    """What is wrong with a name in a table: it is misspelt, or it is none of those that the table knows."""
    if detail["type"] != "literal_error":
        return _NAME_WORDS
    known = re.findall(r"'([^']+)'", detail.get("ctx", {}).get("expected", ""))
    close = get_close_matches(str(path[-1]), known, n=1)
    return f"unknown key; did you mean {close[0]}?" if close else f"unknown key; there are {', '.join(known)}"


def _pattern_words(path: shape.Path) -> str:
    return next((words for name, words in _PATTERN_WORDS.items() if name in path[-2:]), _NAME_WORDS)


def _suggestion(path: shape.Path) -> str:
    """Name the key that was probably meant: in this table, or the same key in another one."""
    name = str(path[-1])
    model = shape.model_at(path[:-1])
    elsewhere = [key.dotted for key in shape.every_key() if key.path[-1] == name]
    close = get_close_matches(name, model.model_fields if model is not None else (), n=1)
    if close and len(elsewhere) != 1:
        return f"; did you mean {close[0]}?"
    return f"; there is {elsewhere[0]}" if elsewhere else ""
