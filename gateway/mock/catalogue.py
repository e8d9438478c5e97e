"""The Platform API's operations as a tree of path templates; says which operation a request is, and what it demands.

Reads the shipped data file beside the package by path, because the mock imports nothing of the rest. Operations that
the platform has removed are absent, so they answer like unknown ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

DATA_FILE = Path(__file__).resolve().parent.parent / "data" / "genesys-operations.json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the definition; `key` is `METHOD /path/{template}`."""

    key: str
    id: str
    auth: str
    perm: str
    permissions: tuple[str, ...] = ()
    scopes_any: tuple[str, ...] = ()
    client_credentials: str | None = None


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    operations: dict[str, tuple[Operation, tuple[str, ...]]] = field(default_factory=dict)


class Catalogue:
    """Finds operations by method and path; fixed segments win over parameters."""

    def __init__(self, operations: dict[str, dict[str, Any]]) -> None:
        self.operations: dict[str, Operation] = {}
        self._root = _Node()
        for key, row in operations.items():
            self.add(
                Operation(
                    key=key,
                    id=row["id"],
                    auth=row["auth"],
                    perm=row["perm"],
                    permissions=tuple(row.get("permissions", ())),
                    scopes_any=tuple(row.get("scopes_any", ())),
                    client_credentials=row.get("client_credentials"),
                )
            )

    def add(self, operation: Operation) -> None:
        """Add one operation; a later one with the same key replaces the earlier."""
        method, _, template = operation.key.partition(" ")
        node, names = self._root, []
        for segment in template.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.operations[method] = (operation, tuple(names))
        self.operations[operation.key] = operation

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation and its path parameters, or None when the definition has no such operation."""
        if not path.startswith("/"):
            return None
        return self._walk(self._root, method, path[1:].split("/"), ())

    def _walk(
        self, node: _Node, method: str, segments: list[str], values: tuple[str, ...]
    ) -> tuple[Operation, dict[str, str]] | None:
        if not segments:
            found = node.operations.get(method)
            return None if found is None else (found[0], dict(zip(found[1], values, strict=True)))
        head, rest = segments[0], segments[1:]
        if head in node.fixed and (match := self._walk(node.fixed[head], method, rest, values)):
            return match
        if node.parameter is not None and head:
            return self._walk(node.parameter, method, rest, (*values, unquote(head)))
        return None


def load_catalogue(path: Path = DATA_FILE) -> Catalogue:
    """Read the data file `{"operations": {key: row}, ...}`; raises OSError, or ValueError when it is not one."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("operations"), dict):
        raise ValueError(f"{path.name}: no member `operations`")
    return Catalogue(document["operations"])
