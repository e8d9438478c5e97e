"""Reads `GATEWAY_` variables as overrides: `GATEWAY_SITES__SHOP__DEPLOYMENT_ID` is `sites.shop.deployment_id`.

`__` steps into a table; tables of an array are reached by number (`GATEWAY_ROUTES__0__TIMEOUT_S`); arrays and tables
are JSON. A variable with `__` that fits no key is a fault; one without is somebody else's, and only noted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from gateway.config import shape

PREFIX: Final = "GATEWAY_"
NOT_KEYS: Final = frozenset({"GATEWAY_CONFIG"})
_SERVICE_LINK: Final = re.compile(r"GATEWAY_(SERVICE_(HOST|PORT)|PORT)(_.*)?")
"""Kubernetes sets these in every pod beside a service called gateway.

https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
"""


@dataclass(frozen=True, slots=True)
class Override:
    """One variable as a value for a key."""

    name: str
    path: shape.Path
    value: object


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the environment says: values to set, faults by key, and variables that were left alone."""

    values: tuple[Override, ...]
    faults: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def overrides_of(environ: Mapping[str, str], data: Mapping[str, Any]) -> Overrides:
    """Return the overrides in an environment; `data` is the file, whose names and arrays they may refer to."""
    values: list[Override] = []
    faults: list[tuple[str, str]] = []
    warnings: list[str] = []
    referenced = {leaf.removeprefix("env:") for _, leaf in shape.leaves(data) if isinstance(leaf, str)}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_KEYS or name in referenced or _SERVICE_LINK.fullmatch(name):
            continue
        path = _path_of(name.removeprefix(PREFIX), data)
        field = shape.field_at(path)
        if "__" not in name and field is None:
            warnings.append(f"the environment variable {name} is not a key of the configuration; it is left alone")
        elif field is None:
            faults.append((shape.written(path), f"unknown key (from {name}){_nearest(path)}"))
        else:
            value, fault = value_of(environ[name], path)
            if fault is None:
                values.append(Override(name, path, value))
            else:
                faults.append((shape.written(path), f"{fault} (from {name})"))
    return Overrides(tuple(values), tuple(faults), tuple(warnings))


def _path_of(text: str, data: Mapping[str, Any]) -> shape.Path:
    """Split a variable into a path; names are taken as the file spells them where they differ in `-` or case only."""
    path: list[str | int] = []
    node: Any = data
    for part in text.split("__"):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            path.append(int(part))
            node = node[int(part)]
            continue
        known = node if isinstance(node, Mapping) else {}
        name = next((key for key in known if _folded(key) == _folded(part)), part.lower())
        path.append(name)
        node = known.get(name)
    return tuple(path)


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def value_of(text: str, path: shape.Path) -> tuple[object, str | None]:
    """Return a text as a value for the key at a path, or what is wrong with it; the text itself is not shown.

    A key that does not exist gets the text as it is; validation names it.
    """
    field = shape.field_at(path)
    if field is None or field is shape.field_at(path[:-1]):  # the second: an entry of a table of strings
        return text, None
    if shape.accepts_text(field.annotation) and not shape.accepts_number(field.annotation):
        return text, None
    try:
        return json.loads(text), None
    except ValueError:
        if shape.accepts_text(field.annotation):
            return text, None
        return None, "must be JSON: a number, true, false, [...] or {...}"


def _nearest(path: shape.Path) -> str:
    """Suggest the key meant by the first part of the path that is unknown."""
    for length in range(1, len(path) + 1):
        model = shape.model_at(path[: length - 1])
        if model is not None and shape.field_at(path[:length]) is None:
            close = get_close_matches(str(path[length - 1]), model.model_fields, n=1)
            return f"; did you mean {shape.written((*path[: length - 1], close[0]))}?" if close else ""
    return ""
