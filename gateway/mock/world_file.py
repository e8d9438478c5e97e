"""Reads a world from a JSON file: organisation, clients, deployments, queues, OpenID integration, agent.

Unknown members are faults, and all faults are told together; a section that is absent keeps what `default_world` has.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gateway.mock.clock import Clock
from gateway.mock.default_world import default_world
from gateway.mock.model import AgentSettings, Client, Deployment, Json, OidcIntegration, Queue, Secret
from gateway.mock.world import World

T = TypeVar("T")
_ORG_MEMBERS = {"id": "org_id", "name": "org_name", "region": "region", "domain": "domain"}
_WORLD_SETTINGS = {"require_origin": "bool", "refuse_extra_token_fields": "bool", "idle_timeout_s": "int | None"}
_SECTIONS = frozenset({"org", "clients", "deployments", "queues", "oidc", "agent", "settings"})


class WorldFileInvalid(ValueError):
    """The file is not usable; the text lists every fault."""


def load_world(path: Path, clock: Clock | None = None) -> World:
    """Return the world of a file; raises WorldFileInvalid or OSError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise WorldFileInvalid(f"{path.name}: not JSON: {exc}") from exc
    return read_world(document, clock)


def read_world(document: Any, clock: Clock | None = None) -> World:
    """Return the world of a parsed file; raises WorldFileInvalid."""
    if not isinstance(document, dict):
        raise WorldFileInvalid("a world must be an object")
    faults = [f"unknown section {name}" for name in sorted(set(document) - _SECTIONS)]
    world = default_world(clock)
    for name, value in document.get("org", {}).items():
        if name not in _ORG_MEMBERS or not isinstance(value, str):
            faults.append(f"org.{name}: unknown, or not a string")
        else:
            setattr(world, _ORG_MEMBERS[name], value)
    clients = _records(document, "clients", _client, faults)
    deployments = _records(document, "deployments", lambda row: build(Deployment, row), faults)
    queues = _records(document, "queues", lambda row: build(Queue, row), faults)
    if clients is not None:
        world.clients = {one.id: one for one in clients}
    if deployments is not None:
        world.deployments = {one.id: one for one in deployments}
    if queues is not None:
        world.queues = {one.id: one for one in queues}
    try:
        world.oidc = build(OidcIntegration, document.get("oidc", {}))
        world.agent = build(AgentSettings, document.get("agent", {}))
    except WorldFileInvalid as invalid:
        faults.append(str(invalid))
    for name, value in document.get("settings", {}).items():
        if name not in _WORLD_SETTINGS or not _fits(_WORLD_SETTINGS[name], value):
            faults.append(f"settings.{name}: must be {_WORLD_SETTINGS.get(name, 'left out, it is unknown')}")
        else:
            setattr(world, name, value)
    if faults:
        raise WorldFileInvalid("; ".join(faults))
    return world


def build(kind: type[T], row: Any) -> T:
    """Return a record made of a JSON object; raises WorldFileInvalid for unknown, missing or mistyped members."""
    if not isinstance(row, dict):
        raise WorldFileInvalid(f"{kind.__name__}: must be an object")
    check_members(kind, row)
    try:
        return kind(**row)
    except TypeError as exc:  # a member without default is missing
        raise WorldFileInvalid(f"{kind.__name__}: {exc}") from exc


def check_members(kind: type, row: Json) -> None:
    """Raise WorldFileInvalid for members that the record does not have or whose JSON type is another."""
    known = {one.name: str(one.type) for one in dataclasses.fields(kind)}
    for name, value in row.items():
        if name not in known:
            raise WorldFileInvalid(f"{kind.__name__}.{name}: unknown")
        if not _fits(known[name], value):
            raise WorldFileInvalid(f"{kind.__name__}.{name}: must be {known[name]}")


def _fits(declared: str, value: Any) -> bool:
    if value is None:
        return declared.endswith("| None")
    plain = declared.removesuffix(" | None")
    if plain == "list[str]":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if plain == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if plain == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"str": str, "bool": bool}.get(plain, object))


def _client(row: Any) -> Client:
    if not isinstance(row, dict):
        raise WorldFileInvalid("a client must be an object")
    members = dict(row)
    secret = members.pop("secret", None)
    if not isinstance(secret, str):
        raise WorldFileInvalid(f"client {members.get('name')}: secret must be a string")
    for name in ("permissions", "divisions", "scopes"):
        if name in members:
            members[name] = set(members[name])
    return build(Client, {**members, "secrets": [Secret(secret)]})


def _records(document: Json, section: str, make: Callable[[Any], T], faults: list[str]) -> list[T] | None:
    rows = document.get(section)
    if rows is None:
        return None
    if not isinstance(rows, list):
        faults.append(f"{section}: must be a list")
        return None
    made: list[T] = []
    for number, row in enumerate(rows):
        try:
            made.append(make(row))
        except WorldFileInvalid as invalid:
            faults.append(f"{section}[{number}]: {invalid}")
    return made
