"""Makes the catalogue of operations afresh from a swagger file of the Platform API (GET /api/v2/docs/swagger).

Pure. What the swagger does not say (client credentials, kinds of guest tokens) is kept from the catalogue before. The
rule: an operation that is gone is kept among the removed ones, and nothing is invented for a field that is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
PERMISSIONS: Final = "x-inin-requires-permissions"
KEPT: Final = ("client_credentials",)
"""What only the catalogue before knows of an operation."""
NOT_OAUTH: Final = frozenset({"none", "not-oauth", "guest-jwt", "webmessaging-jwt"})


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The new data and what changed, by key of the operation."""

    data: dict[str, Any]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    """Operations whose permissions are others than before."""


def refresh(swagger: Mapping[str, Any], before: Mapping[str, Any]) -> Refreshed:
    """The catalogue that a swagger file describes. Raises ValueError when it is no swagger of the Platform API."""
    paths, info = swagger.get("paths"), swagger.get("info")
    if not isinstance(paths, dict) or not isinstance(info, dict) or not any("/api/v2/" in path for path in paths):
        raise ValueError("is no swagger of the Platform API: it has no paths below /api/v2/")
    old: Mapping[str, Any] = before["operations"]
    rows = {
        f"{method.upper()} {path}": row
        for path, item in sorted(paths.items())
        for method in METHODS
        if isinstance(row := item.get(method), dict)
    }
    operations = {key: _operation(row, old.get(key, {})) for key, row in rows.items()}
    gone = {key: row for key, row in old.items() if key not in operations}
    kept = {key: row for key, row in before["removed"].items() if key not in operations}
    version = f"swagger {info.get('version', 'of unknown version')}"
    meta = {
        **before["meta"],
        "sources": [f"The swagger of the Platform API, {version}; what it does not say is of the edition before."],
        "missing": "",
        "counts": _counts(operations, {**kept, **gone}),
        "version": version,
    }
    return Refreshed(
        {"meta": meta, "operations": operations, "removed": {**kept, **gone}},
        added=tuple(key for key in operations if key not in old),
        removed=tuple(gone),
        changed=tuple(
            key
            for key, row in operations.items()
            if key in old and set(row.get("permissions", ())) != set(old[key].get("permissions", ()))
        ),
    )


def _operation(row: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    scopes = sorted({scope for need in row.get("security", ()) for names in need.values() for scope in names})
    demanded = row.get(PERMISSIONS) or {}
    permissions = [str(one) for one in demanded.get("permissions", ())]
    found: dict[str, Any] = {"id": row.get("operationId", old.get("id", "")), "auth": _auth(row, old)}
    if scopes:
        found["scopes_any"] = scopes
    found["perm"] = ("ALL" if demanded.get("type") == "ALL" else "ANY") if permissions else "NONE"
    if permissions:
        found["permissions"] = permissions
    found |= {name: old[name] for name in KEPT if name in old}
    if row.get("deprecated"):
        found["deprecated"] = True
    tags = row.get("tags") or [old.get("tag", "")]
    return {**found, "tag": str(tags[0]).replace(" ", "")}


def _auth(row: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """A security requirement means a platform bearer; without one, what was known before, else that it takes none."""
    if row.get("security"):
        return "oauth"
    known = str(old.get("auth", ""))
    return known if known in NOT_OAUTH else "not-oauth"


def _counts(operations: Mapping[str, Any], removed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operations": len(operations),
        "removed": len(removed),
        "with_permissions": sum("permissions" in row for row in operations.values()),
        "auth": dict(Counter(row["auth"] for row in operations.values())),
    }
