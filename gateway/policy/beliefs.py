"""What people believe about Genesys and is not so: which belief a path, scope, host, header or form field shows.

The parsed data file is handed in (read by `gateway.config.genesys`). Leaves refusing, mending and counting to others.
The rule: a belief is named only by a pattern of the file; what Genesys really has is never called an invention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Kind = Literal["route", "socket", "token_endpoint", "operation", "host", "scope", "header", "field"]

PATH_KINDS: Final = frozenset({"route", "socket", "token_endpoint", "operation"})
MAX_TEXT_CHARS: Final = 200
"""Longer words than any pattern could mean are not looked at."""
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADER_TAILS: Final = ("", " ", ": ")
"""What a header's name, or its name and scheme, lacks when somebody leaves the rest away."""
_ONE: Final = "{}"
_REST: Final = "**"


@dataclass(frozen=True, slots=True)
class Belief:
    """One belief. `does`: explain, serve, strip or map. `permissions`: what a role needs for what does the work."""

    id: str
    kind: Kind
    pattern: str
    truth: str
    instead: str
    does: str
    permissions: tuple[str, ...] = ()

    @property
    def is_real(self) -> bool:
        """Does Genesys have it, for something else than people think?"""
        return self.kind == "operation"

    @property
    def told(self) -> str:
        """What is true and what to use, as sentences."""
        missing = [permission for permission in self.permissions if permission not in self.instead]
        needs = f" The client's role needs {', '.join(missing)}." if missing else ""
        use = f" Use {self.instead}." if self.instead != "nothing" else ""
        return f"{self.truth}{use}{needs}"


class Beliefs:
    """The beliefs of the data file by what shows them. Raises ValueError when two have one id."""

    def __init__(self, rows: Iterable[Belief]) -> None:
        self.rows: Final = tuple(rows)
        self.by_id: Final = {row.id: row for row in self.rows}
        if len(self.by_id) != len(self.rows):
            raise ValueError("two beliefs have one id")
        self._paths: Final = [(row, *_path_of(row.pattern)) for row in self.rows if row.kind in PATH_KINDS]
        texts = [row for row in self.rows if row.kind not in PATH_KINDS]
        # the longest pattern is the most exact one
        self._texts: Final = [(row, _text_of(row)) for row in sorted(texts, key=lambda row: -len(row.pattern))]
        self.header_names: Final = tuple(
            row.pattern.removesuffix(": *")
            for row in self.rows
            if row.kind == "header" and row.pattern.endswith(": *") and "*" not in row.pattern[:-1]
        )
        """Names of headers that show a belief whatever their value is."""

    def of_path(self, method: str, segments: tuple[str, ...]) -> Belief | None:
        """The belief that a request's method and path show; segments may be values or `{}`."""
        for row, wanted, parts in self._paths:
            if wanted in ("*", method) and _fits(parts, segments):
                return row
        return None

    def of_template(self, method: str, template: str) -> Belief | None:
        """The belief that a route template shows, whatever its parameters are called."""
        shape = re.sub(r"\{[^{}/]*\}", _ONE, template)
        return self.of_path(method.upper(), tuple(shape.strip("/").split("/")))

    def of_scope(self, scope: str) -> Belief | None:
        """The belief behind a scope; None for a real one and for one that nobody else invented yet."""
        return self._of_text("scope", scope)

    def of_host(self, host: str) -> Belief | None:
        """The belief behind a host name."""
        return self._of_text("host", host.lower())

    def of_header(self, name: str, value: str) -> Belief | None:
        """The belief behind a request header."""
        return self._of_text("header", f"{name}: {value}")

    def of_field(self, name: str) -> Belief | None:
        """The belief behind a field of a token request."""
        return self._of_text("field", name)

    def of_text(self, text: str) -> Belief | None:
        """The belief behind any word: `METHOD /path`, a path, an address, a host, a scope, a field or a header."""
        place = read_place(text)
        if place is None:
            headers = (self._of_text("header", text + tail) for tail in _HEADER_TAILS)
            asked = (self.of_scope(text), self.of_host(text), self.of_field(text), *headers)
        else:
            asked = (self.of_host(place.host), *(self.of_template(method, place.path) for method in place.methods))
        return next((row for row in asked if row is not None), None)

    def _of_text(self, kind: Kind, text: str) -> Belief | None:
        if len(text) > MAX_TEXT_CHARS:
            return None
        return next((row for row, shape in self._texts if row.kind == kind and shape.fullmatch(text)), None)


@dataclass(frozen=True, slots=True)
class Place:
    """An address as people write it: the methods that it may be meant for, the host (empty without one), the path."""

    methods: tuple[str, ...]
    host: str
    path: str


def read_place(text: str) -> Place | None:
    """Read `[METHOD ]/path` or `[METHOD ]scheme://host[:port]/path`, without its query; None for any other word."""
    first, space, rest = text.partition(" ")
    methods, address = ((first.upper(),), rest) if space else (_METHODS, text)
    if address.startswith("/"):
        return Place(methods, "", address.partition("?")[0])
    _, scheme_end, rest = address.partition("://")
    if not scheme_end:
        return None
    host, _, path = rest.partition("/")
    return Place(methods, host.partition(":")[0], "/" + path.partition("?")[0])


def scope_advice(beliefs: Beliefs, real: frozenset[str], scope: str) -> str:
    """What to tell somebody who asks for this scope with client credentials: it is real and ignored, or invented."""
    belief = beliefs.of_scope(scope)
    if belief is not None:
        return f"{scope}: {belief.told}"
    if scope in real:
        return f"{scope}: ignored by Genesys for client credentials; the role of the client decides"
    parts = len(scope.split(":"))
    shape = "looks like a permission, which belongs into the role of the client" if parts == 3 else "is no scope"
    return f"{scope[:64]}: {shape}; the role of the client decides"


def parse_beliefs(data: Mapping[str, Any]) -> Beliefs:
    """Build the beliefs from the parsed data file. Raises KeyError or ValueError when it is not of that shape."""
    return Beliefs(
        Belief(
            id=row["id"],
            kind=row["kind"],
            pattern=row["pattern"],
            truth=row["truth"],
            instead=row["instead"],
            does=row["does"],
            permissions=tuple(row.get("permissions", ())),
        )
        for row in data["beliefs"]
    )


def _path_of(pattern: str) -> tuple[str, tuple[str, ...]]:
    method, space, path = pattern.partition(" ")
    if not space or not path.startswith("/"):
        raise ValueError(f"{pattern}: not METHOD /path")
    return method, tuple(path[1:].split("/"))


def _fits(parts: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if parts[-1] == _REST:
        return len(segments) >= len(parts) and _fits(parts[:-1], segments[: len(parts) - 1])
    return len(parts) == len(segments) and all(p in (_ONE, s) for p, s in zip(parts, segments, strict=True))


def _text_of(row: Belief) -> re.Pattern[str]:
    """`*` is any text; names of headers and hosts are compared without case."""
    flags = re.IGNORECASE if row.kind in ("header", "host") else 0
    return re.compile(".*".join(map(re.escape, row.pattern.split("*"))), flags)
