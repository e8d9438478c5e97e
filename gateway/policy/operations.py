"""The catalogue of Platform API operations: does one exist, what does it demand, and which one was probably meant.

The parsed data file is handed in (read by `gateway.config.genesys`); templates compare by shape, so that the names
of path parameters do not matter. Scopes never decide here: they do not narrow a client-credentials token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, Final, Literal

_PARAMETER: Final = re.compile(r"\{[^{}/]*\}")

REPLACEMENTS: Final[tuple[tuple[str, str], ...]] = (
    (
        "/api/v2/webchat/guest/",
        "the Guest API socket, GET /sites/{site}/v1?deploymentId=, or the chat's script on the page",
    ),
    ("/api/v2/webchat/deployments", "/api/v2/webdeployments/deployments"),
    ("/api/v2/webchat/settings", "/api/v2/webdeployments/configurations"),
    ("/api/v2/widgets/deployments", "/api/v2/webdeployments/deployments"),
    ("/api/v2/conversations/chats", "/api/v2/conversations/messages (web messaging conversations)"),
)
"""What stands in for the web chat operations removed in August 2026 (API version 10706), by the start of the path."""

_CLIENT_CREDENTIALS_FAULTS: Final[Mapping[str, str]] = {
    "no": "Genesys' definition says that it is not valid with a client-credentials token",
    "needs-user-context": "it acts on a logged-in user, and a client-credentials token has none",
}
_AUTH_FAULTS: Final[Mapping[str, str]] = {
    "none": "it takes no token",
    "not-oauth": "it takes no OAuth token",
    "webmessaging-jwt": "it takes a guest's web messaging JWT, never an OAuth token",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `perm`: ANY or ALL of `permissions` are needed, NONE are listed, or it is UNKNOWN."""

    method: str
    template: str
    id: str
    auth: str
    perm: Literal["ANY", "ALL", "NONE", "UNKNOWN"]
    permissions: tuple[str, ...]
    scopes_any: tuple[str, ...]
    client_credentials: str
    deprecated: bool
    tag: str

    @property
    def key(self) -> str:
        """Method and template as the catalogue spells them."""
        return f"{self.method} {self.template}"


def missing_permissions(operation: Operation, held: Iterable[str]) -> tuple[str, ...]:
    """Return what a role that holds `held` lacks for the operation; for ANY, the choices of which one suffices."""
    holds = tuple(held)
    lacking = tuple(p for p in operation.permissions if not any(covers(h, p) for h in holds))
    if operation.perm == "ALL":
        return lacking
    if operation.perm == "ANY" and len(lacking) == len(operation.permissions):
        return lacking
    return ()


def covers(held: str, needed: str) -> bool:
    """Does a held permission (`domain:entity:action`, each part perhaps `*`) include the needed one?"""
    if held == "*":
        return True
    held_parts, needed_parts = held.split(":"), needed.split(":")
    if len(held_parts) != len(needed_parts):
        return False
    return all(h in ("*", n) for h, n in zip(held_parts, needed_parts, strict=True))


def unneeded_permissions(operations: Iterable[Operation], held: Iterable[str]) -> tuple[str, ...]:
    """Return what could be taken from a role so that every operation still works: its over-privilege.

    A wildcard always counts, since it covers more than any operation asks. Nothing is returned when an
    operation's needs are unknown.
    """
    wanted = tuple(operations)
    if any(operation.perm == "UNKNOWN" for operation in wanted):
        return ()
    kept = list(dict.fromkeys(held))
    for permission in sorted(kept, key=lambda p: (p.count("*") == 0, p)):
        rest = [p for p in kept if p != permission]
        lost = any(len(missing_permissions(o, rest)) > len(missing_permissions(o, kept)) for o in wanted)
        if not lost or "*" in permission:
            kept = rest
    return tuple(p for p in dict.fromkeys(held) if p not in kept)


def client_credentials_fault(operation: Operation) -> str | None:
    """Say why a client-credentials token cannot call the operation, or return None when it can."""
    return _AUTH_FAULTS.get(operation.auth) or _CLIENT_CREDENTIALS_FAULTS.get(operation.client_credentials)


def _stand_in(removed: Operation) -> str:
    return next((said for start, said in REPLACEMENTS if removed.template.startswith(start)), "nothing")


def shape_of(template: str) -> str:
    """Return a template with its parameters unnamed: `/api/v2/users/{userId}` becomes `/api/v2/users/{}`."""
    return _PARAMETER.sub("{}", template)


class Catalogue:
    """Operations by method and shape, and as a tree for whole paths."""

    def __init__(self, operations: Iterable[Operation], removed: Iterable[Operation], version: str) -> None:
        self.version: Final = version
        self._by_shape: Final = {(o.method, shape_of(o.template)): o for o in operations}
        self._removed: Final = {(o.method, shape_of(o.template)): o for o in removed}

    def __len__(self) -> int:
        return len(self._by_shape)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_shape.values())

    def find(self, method: str, template: str) -> Operation | None:
        """Return the live operation of this method and template; parameter names do not matter."""
        return self._by_shape.get((method.upper(), shape_of(template)))

    def find_removed(self, method: str, template: str) -> tuple[Operation, str] | None:
        """Return an operation that Genesys has removed, with what stands in for it."""
        operation = self._removed.get((method.upper(), shape_of(template)))
        return None if operation is None else (operation, _stand_in(operation))

    @property
    def removed(self) -> tuple[tuple[Operation, str], ...]:
        """Every operation that Genesys has removed, with what stands in for it."""
        return tuple((operation, _stand_in(operation)) for operation in self._removed.values())

    def removed_at(self, method: str, segments: tuple[str, ...]) -> tuple[Operation, str] | None:
        """Return an operation that Genesys has removed from this path, that of this method first, and its stand-in."""
        found = [
            operation
            for (_, shape), operation in self._removed.items()
            if (parts := shape.strip("/").split("/"))
            and len(parts) == len(segments)
            and all(part in ("{}", segment) for part, segment in zip(parts, segments, strict=True))
        ]
        found.sort(key=lambda operation: operation.method != method)
        return self.find_removed(found[0].method, found[0].template) if found else None

    def nearest(self, method: str, template: str, count: int = 3) -> tuple[Operation, ...]:
        """Return up to `count` live operations most like this one; the same path with another method comes first."""
        shape = shape_of(template)
        scored: list[tuple[float, str, Operation]] = []
        matcher = SequenceMatcher(autojunk=False)
        matcher.set_seq2(shape)
        for (other_method, other_shape), operation in self._by_shape.items():
            matcher.set_seq1(other_shape)
            if matcher.real_quick_ratio() < 0.6 or matcher.quick_ratio() < 0.6:
                continue
            score = matcher.ratio() + (0.05 if other_method == method.upper() else 0.0)
            scored.append((-score, operation.key, operation))
        return tuple(operation for _, _, operation in sorted(scored, key=lambda row: row[:2])[:count])

    def match_path(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation that a concrete path calls, with its parameters; fixed segments win over parameters."""
        return self._walk(self._tree, method.upper(), path.split("/")[1:], ())

    @cached_property
    def _tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for operation in self._by_shape.values():
            node = tree
            for segment in shape_of(operation.template).strip("/").split("/"):
                node = node.setdefault(segment, {})
            node[f" {operation.method}"] = operation  # no segment starts with a space
        return tree

    def _walk(
        self, node: dict[str, Any], method: str, rest: list[str], values: tuple[str, ...]
    ) -> tuple[Operation, dict[str, str]] | None:
        if not rest:
            operation = node.get(f" {method}")
            if operation is None:
                return None
            names = (name[1:-1] for name in _PARAMETER.findall(operation.template))
            return operation, dict(zip(names, values, strict=True))
        head, tail = rest[0], rest[1:]
        if head in node and (found := self._walk(node[head], method, tail, values)) is not None:
            return found
        if head and "{}" in node:
            return self._walk(node["{}"], method, tail, (*values, head))
        return None


def parse_catalogue(data: Mapping[str, Any]) -> Catalogue:
    """Build the catalogue from the parsed data file. Raises `KeyError` when the data is not of its shape."""
    live = (_operation(key, row) for key, row in data["operations"].items())
    removed = (_operation(key, row) for key, row in data["removed"].items())
    return Catalogue(live, removed, data["meta"]["version"])


def _operation(key: str, row: Mapping[str, Any]) -> Operation:
    method, _, template = key.partition(" ")
    return Operation(
        method=method,
        template=template,
        id=row["id"],
        auth=row["auth"],
        perm=row["perm"],
        permissions=tuple(row.get("permissions", ())),
        scopes_any=tuple(row.get("scopes_any", ())),
        client_credentials=row.get("client_credentials", ""),
        deprecated=bool(row.get("deprecated", False)),
        tag=row.get("tag", ""),
    )
