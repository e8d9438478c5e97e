"""Which calls may be made: templates with typed segments, compiled into a tree that is walked once per request.

Leaves who may call to `decision` and whether Genesys knows the operation to the configuration. The rule: a route is
an exact template, never a prefix or expression; HEAD is not implied by GET; a table with two answers is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.body_template import GUEST_NAMES, OWN_NAMES, BodyFault, BodyTemplate
from gateway.policy.paths import Target

ParameterType = Literal["uuid", "id", "int", "slug"]
CallerKind = Literal["guest", "backend"]
RouteAuth = Literal["oauth", "webmessaging-jwt", "none"]
Segment = str | tuple[str, ParameterType]
"""A literal, or a parameter's name and type."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
PARAMETER_TYPES: Final[dict[ParameterType, re.Pattern[str]]] = {
    "uuid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "id": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"),
    "int": re.compile(r"0|[1-9][0-9]{0,17}"),
    "slug": re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*"),
}
MAX_PARAMETER_CHARS: Final = 128
_LITERAL: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_PARAMETER: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,63})\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A method and path with typed parameters."""

    method: str
    segments: tuple[Segment, ...]
    path: str = field(init=False, compare=False)
    """As it is written: `/api/v2/things/{thingId}`."""
    parameters: tuple[str, ...] = field(init=False, compare=False)
    """Names of the parameters, in order."""

    def __post_init__(self) -> None:
        path = "".join(f"/{s}" if isinstance(s, str) else f"/{{{s[0]}}}" for s in self.segments)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "parameters", tuple(s[0] for s in self.segments if isinstance(s, tuple)))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def fill(self, values: Mapping[str, str]) -> str:
        """The path with its parameters set; the values are those that `RouteTable.match` gave."""
        if not self.parameters:
            return self.path
        return self.path.format_map(values)  # neither literals nor names of parameters can hold a brace


@dataclass(frozen=True, slots=True)
class Route:
    """One call that may be made. `body_template`: what is sent upstream instead of the caller's body."""

    name: str
    match: Template
    upstream: Template
    callers: frozenset[CallerKind]
    body_template: BodyTemplate | None = None
    query: frozenset[str] = frozenset()
    client: str | None = None
    owner: str | None = None
    auth: RouteAuth = "none"
    max_body_bytes: int = 512_000
    timeout_s: float = 15.0
    retry: Literal["auto", "never"] = "auto"
    cache_s: int = 0
    limit_per_min: int = 0
    answer: tuple[tuple[str, ...], ...] = ()
    """Ways into a JSON answer whose ends pass; empty: all of it."""

    def __post_init__(self) -> None:
        """Raises ValueError where the parts of the route contradict each other; BodyFault where the body is one."""
        known = set(self.match.parameters)
        if missing := [name for name in self.upstream.parameters if name not in known]:
            raise ValueError(f"upstream uses {{{missing[0]}}}, which match does not have")
        if self.owner is not None and self.owner not in known:
            raise ValueError(f"owner {self.owner} is not a path parameter of match")
        if (self.auth == "oauth") != (self.client is not None):
            raise ValueError("auth is oauth exactly when a client is named")
        if any(not name for way in self.answer for name in way):
            raise ValueError("answer names a member without a name")
        if self.cache_s and self.match.method != "GET":
            raise ValueError("only the answers of GET can be kept (cache_s)")
        if self.body_template is not None:
            _check_names(self.body_template.names, known, self.callers)


def _check_names(names: frozenset[str], parameters: set[str], callers: frozenset[CallerKind]) -> None:
    """Raises BodyFault for a placeholder that nothing, or more than one thing, would fill."""
    if unknown := sorted(names - parameters - OWN_NAMES):
        listed = ", ".join(sorted(parameters | OWN_NAMES))
        raise BodyFault(f"has the unknown placeholder {{{unknown[0]}}}; known are {listed}")
    if twice := sorted(names & parameters & OWN_NAMES):
        raise BodyFault(f"has the placeholder {{{twice[0]}}}, which match has as a path parameter too")
    if "backend" in callers and (of_guest := sorted(names & GUEST_NAMES)):
        raise BodyFault(f"has the placeholder {{{of_guest[0]}}}, which stands for a guest, and backends may call")


def parse_template(text: str, types: Mapping[str, ParameterType] | None = None) -> Template:
    """`POST /api/v2/things/{thingId}` as a template; parameters are uuid unless `types` says otherwise.

    Raises ValueError saying what is wrong.
    """
    method, space, path = text.partition(" ")
    if not space or method not in METHODS:
        raise ValueError(f"must be `METHOD /path` with one of {', '.join(sorted(METHODS))}")
    if not path.startswith("/") or path == "/":
        raise ValueError("has no path after the method")
    kinds = dict(types or {})
    segments = tuple(_parse_segment(part, kinds) for part in path[1:].split("/"))
    names = [segment[0] for segment in segments if isinstance(segment, tuple)]
    if len(set(names)) != len(names):
        raise ValueError("names a parameter twice")
    if unused := sorted(set(kinds) - set(names)):
        raise ValueError(f"has no parameter {unused[0]}, whose type is given")
    return Template(method, segments)


def _parse_segment(text: str, kinds: Mapping[str, ParameterType]) -> Segment:
    if (match := _PARAMETER.fullmatch(text)) is not None:
        return match[1], kinds.get(match[1], "uuid")
    if _LITERAL.fullmatch(text) is None:
        raise ValueError(f"has the segment {text!r}, which is neither plain text nor {{parameter}}")
    return text


@dataclass(slots=True)
class _Node:
    """One place in the tree: where a literal leads, where a parameter leads, and what ends here by method."""

    literals: dict[str, _Node] = field(default_factory=dict)
    kind: ParameterType | None = None
    below: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """What a table says of one method and path: it hangs on these alone, so that whoever likes may remember it."""

    table: RouteTable = field(repr=False)
    method: str
    segments: tuple[str, ...]
    route: Route
    parameters: Mapping[str, str]
    upstream_path: str
    """The path at Genesys, parameters set; what stands there was checked by type."""

    def is_of(self, table: RouteTable, method: str, segments: tuple[str, ...]) -> bool:
        """Is it this table's word on this method and path?"""
        return self.table is table and self.method == method and self.segments == segments


class RouteTable:
    """The routes of one site. Raises ValueError when two routes could claim one request.

    At one place a literal goes before a parameter; the cost of a match is that of its segments, not of the table.
    """

    __slots__ = ("_root", "_routes")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: list[Route] = []
        self._root = _Node()
        for route in routes:
            self.add(route)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes, in the order in which they came."""
        return tuple(self._routes)

    def add(self, route: Route) -> None:
        """Add one more, while the table is being built. Raises ValueError; the table is then as it was."""
        _enter(self._root, route)
        self._routes.append(route)

    def find(self, method: str, segments: tuple[str, ...]) -> RouteMatch:
        """The route of a request and all that its method and path say. Raises Refusal as `match`."""
        route, parameters = self.match(method, segments)
        return RouteMatch(self, method, segments, route, parameters, route.upstream.fill(parameters))

    def match(self, method: str, segments: tuple[str, ...]) -> tuple[Route, dict[str, str]]:
        """The route of a request and its path parameters.

        Raises Refusal: ROUTE_UNKNOWN; METHOD_NOT_ALLOWED (the detail is an Allow list); ROUTE_PARAMETER.
        """
        found = _only_way(self._root, method, segments)
        if found is not None:
            return found
        ends: list[tuple[_Node, tuple[str, ...]]] = []
        wrong_type = _walk(self._root, segments, 0, (), ends)
        for node, values in ends:
            if (route := node.routes.get(method)) is not None:
                return route, dict(zip(route.match.parameters, values, strict=True))
        if ends:
            raise Refusal(errors.METHOD_NOT_ALLOWED, ", ".join(_methods(ends)))
        if wrong_type is not None:
            raise Refusal(errors.ROUTE_PARAMETER, f"a {wrong_type} is expected")
        raise Refusal(errors.ROUTE_UNKNOWN)

    def methods_at(self, segments: tuple[str, ...]) -> tuple[str, ...]:
        """The methods that this path answers to, sorted; empty when no route has the path."""
        ends: list[tuple[_Node, tuple[str, ...]]] = []
        _walk(self._root, segments, 0, (), ends)
        return _methods(ends)


def _methods(ends: list[tuple[_Node, tuple[str, ...]]]) -> tuple[str, ...]:
    return tuple(sorted({method for node, _ in ends for method in node.routes}))


def _enter(node: _Node, route: Route) -> None:
    for segment in route.match.segments:
        if isinstance(segment, str):
            node = node.literals.setdefault(segment, _Node())
            continue
        name, kind = segment
        if node.below is None:
            node.kind, node.below = kind, _Node()
        elif node.kind != kind:
            raise ValueError(f"route {route.name}: {{{name}}} is a {kind}, where another route has a {node.kind}")
        node = node.below
    if (other := node.routes.setdefault(route.match.method, route)) is not route:
        raise ValueError(f"routes {other.name} and {route.name} match the same requests")


def _only_way(root: _Node, method: str, segments: tuple[str, ...]) -> tuple[Route, dict[str, str]] | None:
    """The answer of `_walk` where no place offers a choice, which is nearly always; None: `_walk` has to look."""
    node, values = root, []
    for segment in segments:
        literal = node.literals.get(segment)
        if node.below is None:
            if literal is None:
                return None
            node = literal
        elif literal is None and node.kind is not None and _is_of(node.kind, segment):
            values.append(segment)
            node = node.below
        else:
            return None
    route = node.routes.get(method)
    return None if route is None else (route, dict(zip(route.match.parameters, values, strict=True)))


def _is_of(kind: ParameterType, value: str) -> bool:
    """Whether a segment may stand for a parameter of this type."""
    return len(value) <= MAX_PARAMETER_CHARS and PARAMETER_TYPES[kind].fullmatch(value) is not None


def _walk(
    node: _Node, segments: tuple[str, ...], at: int, values: tuple[str, ...], ends: list[tuple[_Node, tuple[str, ...]]]
) -> ParameterType | None:
    """Collect where the segments lead, literals first; answer the type that a segment failed, if one did.

    The depth is bounded by the longest template.
    """
    if at == len(segments):
        if node.routes:
            ends.append((node, values))
        return None
    wrong: ParameterType | None = None
    if (literal := node.literals.get(segments[at])) is not None:
        wrong = _walk(literal, segments, at + 1, values, ends)
    if node.below is not None and node.kind is not None:
        value = segments[at]
        if _is_of(node.kind, value):
            wrong = _walk(node.below, segments, at + 1, (*values, value), ends) or wrong
        elif _leads_anywhere(node.below, segments, at + 1):
            wrong = node.kind
    return wrong


def _leads_anywhere(node: _Node, segments: tuple[str, ...], at: int) -> bool:
    """Whether the rest of the path fits a template when its parameters may hold anything."""
    if at == len(segments):
        return bool(node.routes)
    literal = node.literals.get(segments[at])
    if literal is not None and _leads_anywhere(literal, segments, at + 1):
        return True
    return node.below is not None and _leads_anywhere(node.below, segments, at + 1)


def check_query(route: Route, target: Target) -> None:
    """Admit a query whose names are all listed and stand once. Raises Refusal(ROUTE_QUERY) naming the first fault."""
    seen: set[str] = set()
    for name, _ in target.parameters:
        if name not in route.query:
            raise Refusal(errors.ROUTE_QUERY, f"{name} is not listed")
        if name in seen:
            raise Refusal(errors.ROUTE_QUERY, f"{name} stands more than once")
        seen.add(name)


HISTORY: Final = Route(
    name="guest-history",
    match=parse_template("GET /api/v2/webmessaging/messages"),
    upstream=parse_template("GET /api/v2/webmessaging/messages"),
    callers=frozenset({"guest"}),
    query=frozenset({"pageSize", "pageNumber"}),
    auth="webmessaging-jwt",
    max_body_bytes=0,
)
"""The one route that every proxied site has without configuration: a guest reads the messages of its own session."""
