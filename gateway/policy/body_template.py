"""The body that a route sends in place of the caller's: JSON whose texts may hold placeholders, compiled once.

Leaves which names a route has to `routes`. The rule: what is put in stays text, escaped as JSON asks, and is never
searched for placeholders; it can neither end its string nor begin a member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

GUEST_NAMES: Final = frozenset({"guest_id", "external_id", "verified"})
"""Placeholders that only a guest fills."""
OWN_NAMES: Final = GUEST_NAMES | {"site"}
"""Placeholders that stand for who is calling; all others are path parameters."""
_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class BodyFault(ValueError):
    """A body that is no template."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A place in a text, and the name of what is put there."""

    name: str


Part = bytes | Placeholder


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """JSON in pieces: what stands there as it is, and what is put in."""

    parts: tuple[Part, ...]
    names: frozenset[str] = field(init=False, compare=False)
    """Of all placeholders."""

    def __post_init__(self) -> None:
        names = frozenset(part.name for part in self.parts if isinstance(part, Placeholder))
        object.__setattr__(self, "names", names)

    def __str__(self) -> str:
        """As it is written, without the doubling of braces."""
        return "".join(p.decode("utf-8") if isinstance(p, bytes) else f"{{{p.name}}}" for p in self.parts)

    def fill(self, values: Mapping[str, str]) -> bytes:
        """The body with these values put in; each of `names` has one."""
        return b"".join([p if isinstance(p, bytes) else _escaped(values[p.name]) for p in self.parts])


def parse_body(body: Mapping[str, object]) -> BodyTemplate:
    """Compile a configured body. Raises BodyFault saying what is wrong with its braces."""
    parts: list[Part] = []
    for part in _parts_of(body):
        if parts and isinstance(part, bytes) and isinstance(last := parts[-1], bytes):
            parts[-1] = last + part
        else:
            parts.append(part)
    return BodyTemplate(tuple(parts))


def _parts_of(value: object) -> Iterator[Part]:
    if isinstance(value, Mapping):
        yield b"{"
        for number, (key, member) in enumerate(value.items()):
            if _BRACES.search(key):
                raise BodyFault(f"the member {key} has a brace in its name; placeholders stand in texts only")
            yield (b"," if number else b"") + orjson.dumps(key) + b":"
            yield from _parts_of(member)
        yield b"}"
    elif isinstance(value, list | tuple):
        yield b"["
        for number, member in enumerate(value):
            yield b"," if number else b""
            yield from _parts_of(member)
        yield b"]"
    elif isinstance(value, str):
        yield b'"'
        yield from _parts_of_text(value)
        yield b'"'
    else:
        yield orjson.dumps(value)


def _parts_of_text(text: str) -> Iterator[Part]:
    """The pieces of one string: `{name}` is a placeholder, `{{` and `}}` are braces."""
    at = 0
    for found in _BRACES.finditer(text):
        yield _literal(text[at : found.start()])
        at = found.end()
        if (name := found[1]) is not None:
            yield Placeholder(name)
        elif len(found[0]) == 2:
            yield found[0][:1].encode("ascii")
        else:
            raise BodyFault(f"{text!r} has a brace that stands alone; a brace is written {{{{ or }}}}")
    yield _literal(text[at:])


def _literal(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


def _escaped(value: str) -> bytes:
    """What stands between the quotes of a JSON string, in ASCII: a value may hold what UTF-8 cannot."""
    return json.dumps(value)[1:-1].encode("ascii")
