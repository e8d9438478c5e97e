"""Writes plain data as YAML that people can read: block style, strings quoted as JSON where YAML would guess.

Leaves reading to whoever uses the files. The rule: what is written reads back as the same data.
"""

from __future__ import annotations

import json
import re

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_GUESSED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def yaml_text(value: object, indent: int = 0) -> str:
    """The YAML of a mapping or a list, with a line end."""
    pad = " " * indent
    lines: list[str] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            lines.append(f"{pad}{_scalar(name)}:{_after(inner, indent + 2)}")
    elif isinstance(value, list | tuple):
        for inner in value:
            text = yaml_text(inner, indent + 2) if isinstance(inner, dict | list | tuple) and inner else ""
            lines.append(f"{pad}- {text.lstrip()}".rstrip("\n") if text else f"{pad}- {_scalar(inner)}")
    else:
        raise TypeError("only mappings and lists are documents")
    return "\n".join(lines) + "\n"


def _after(value: object, indent: int) -> str:
    if isinstance(value, dict | list | tuple) and value:
        return "\n" + yaml_text(value, indent).rstrip("\n")
    return f" {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _GUESSED else json.dumps(value)
    return json.dumps(value)
