"""`mock_api_config.json`: what a token must hold, per endpoint, beyond or instead of what the definition says.

An endpoint outside the definition must say `"invented": true`; then the mock serves it, labelled, so that advice
from the web can be tried. Every fault of the file is reported at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.mock.catalogue import Catalogue, Operation
from gateway.mock.model import Json

_MEMBERS = frozenset({"scopes", "permissions", "match", "invented", "status", "answer"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class ApiConfigInvalid(ValueError):
    """The file is not usable; the text lists every fault."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one endpoint demands of a token; `any_permission` says whether one of the permissions suffices."""

    scopes: tuple[str, ...] = ()
    permissions: tuple[str, ...] | None = None
    any_permission: bool = False
    invented: bool = False
    status: int = 200
    answer: Json | None = None


def load_api_config(path: Path, catalogue: Catalogue) -> dict[str, Demand]:
    """Read the file and add its invented endpoints to the catalogue; raises ApiConfigInvalid or OSError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ApiConfigInvalid(f"{path.name}: not JSON: {exc}") from exc
    return read_api_config(document, catalogue)


def read_api_config(document: Any, catalogue: Catalogue) -> dict[str, Demand]:
    """Return the demands by operation key; raises ApiConfigInvalid naming all faults."""
    endpoints = document.get("endpoints") if isinstance(document, dict) else None
    if not isinstance(endpoints, dict):
        raise ApiConfigInvalid("the file must be an object with a member `endpoints`")
    faults = [fault for key, row in endpoints.items() for fault in _faults(key, row, catalogue)]
    if faults:
        raise ApiConfigInvalid("; ".join(faults))
    demands: dict[str, Demand] = {}
    for key, row in endpoints.items():
        demands[key] = Demand(
            scopes=tuple(row.get("scopes", ())),
            permissions=tuple(row["permissions"]) if "permissions" in row else None,
            any_permission=row.get("match", "ALL") == "ANY",
            invented=row.get("invented", False),
            status=row.get("status", 200),
            answer=row.get("answer"),
        )
        if demands[key].invented:
            catalogue.add(Operation(key=key, id="invented", auth="oauth", perm="NONE"))
    return demands


def _faults(key: str, row: Any, catalogue: Catalogue) -> list[str]:
    method, _, path = key.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        return [f"{key}: must be `METHOD /path`"]
    if not isinstance(row, dict):
        return [f"{key}: must be an object"]
    faults = [f"{key}: unknown member {name}" for name in sorted(set(row) - _MEMBERS)]
    for name in ("scopes", "permissions"):
        value = row.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            faults.append(f"{key}: {name} must be a list of strings")
    if row.get("match", "ALL") not in ("ANY", "ALL"):
        faults.append(f"{key}: match must be ANY or ALL")
    if not row.get("invented") and key not in catalogue.operations:
        faults.append(f"{key}: not an operation of Genesys Cloud (say `invented: true` to have it served anyway)")
    if row.get("invented") and key in catalogue.operations:
        faults.append(f"{key}: exists at Genesys Cloud, so it is not invented")
    return faults
