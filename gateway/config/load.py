"""Layers flags over environment over file over defaults into one frozen Config, and says where each value came from.

All faults of shape are reported together, each by its key; a key that does not exist is a fault with a suggestion.
What keys must know of each other is left to `gateway.config.checks`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pydantic

from gateway.config import faults, shape
from gateway.config.environment import overrides_of
from gateway.config.model import Config
from gateway.errors import ConfigFault

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_AT_LINE: Final = re.compile(r"(?P<what>.*) \(at (?P<where>line \d+, column \d+|end of document)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration of the right shape.

    `origins_of_values`: for every effective value its key and who set it (`default`, `file`, `environment NAME`,
    `flag`). `directory`: what relative paths in it are relative to.
    """

    config: Config
    origins_of_values: Mapping[str, str]
    warnings: tuple[str, ...]
    path: Path | None
    directory: Path


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Loaded:
    """Read, layer and validate. `flags`: dotted key to value. Raises `ConfigFault` with every fault of shape."""
    data = _read(path) if path is not None else {}
    origins: dict[shape.Path, str] = {where: "file" for where, _ in shape.leaves(data)}
    overrides = overrides_of(environ, data)
    for override in overrides.values:
        _put(data, override.path, override.value)
        origins[override.path] = f"environment {override.name}"
    for key, value in (flags or {}).items():
        where = _flag_path(key, data)
        _put(data, where, value)
        origins[where] = "flag"
    config = _validate(data, list(overrides.faults))
    inside = _inside(origins)
    provenance = {
        shape.written(where): _origin_of(where, origins, inside)
        for where, _ in shape.leaves(config.model_dump(mode="python"))
    }
    directory = path.resolve().parent if path is not None else Path.cwd()
    return Loaded(config, provenance, overrides.warnings, path, directory)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise ConfigFault([(str(path), f"cannot be read: {fault.strerror}")]) from fault
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigFault([(str(path), f"is larger than {MAX_FILE_BYTES} bytes")])
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as fault:
        line = raw[: fault.start].count(b"\n") + 1
        raise ConfigFault([(f"{path}, line {line}", "is not UTF-8")]) from fault
    except tomllib.TOMLDecodeError as fault:
        match = _AT_LINE.fullmatch(str(fault))
        where, what = (match["where"], match["what"]) if match else ("", str(fault))
        raise ConfigFault([(f"{path}, {where}" if where else str(path), f"is not TOML: {what}")]) from fault


def _flag_path(key: str, data: dict[str, Any]) -> shape.Path:
    """The path of a dotted key; where the data has a list, the part is an index. Raises `ConfigFault` past its end."""
    path: list[str | int] = []
    node: Any = data
    for part in key.split("."):
        if isinstance(node, list):
            if not part.isdecimal() or int(part) >= len(node):
                raise ConfigFault([(key, f"{part} is no index of a list of {len(node)}")])
            path.append(int(part))
            node = node[int(part)]
        else:
            path.append(part)
            node = node.get(part) if isinstance(node, dict) else None
    return tuple(path)


def _put(data: dict[str, Any], path: shape.Path, value: object) -> None:
    """Set one value deep inside, making the tables on the way; a scalar in the way is replaced, and found later."""
    node: Any = data
    for part in path[:-1]:
        if isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            if not isinstance(node.get(part), (dict, list)):
                node[part] = {}
            node = node[part]
    node[path[-1]] = value


def _validate(data: dict[str, Any], found: list[tuple[str, str]]) -> Config:
    try:
        config = Config.model_validate(data)
    except pydantic.ValidationError as error:
        raise ConfigFault([*found, *faults.described(error, data)]) from None  # its text would repeat secret values
    if found:
        raise ConfigFault(found)
    return config


def _origin_of(path: shape.Path, origins: Mapping[shape.Path, str], inside: Mapping[shape.Path, frozenset[str]]) -> str:
    """Who set the value: the nearest of the path itself, something above it, or something inside it."""
    for length in range(len(path), 0, -1):
        if path[:length] in origins:
            return origins[path[:length]]
    found = inside.get(path, frozenset())
    return next(iter(found)) if len(found) == 1 else "default"


def _inside(origins: Mapping[shape.Path, str]) -> dict[shape.Path, frozenset[str]]:
    """Who set anything below each path."""
    found: dict[shape.Path, frozenset[str]] = {}
    for where, origin in origins.items():
        for length in range(len(where) + 1):
            known = found.get(where[:length], frozenset())
            if origin not in known:
                found[where[:length]] = known | {origin}
    return found
