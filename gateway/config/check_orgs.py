"""Checks of organisations: region, endpoints, and that each OAuth client's role holds what its routes need, no more.

Leaves the routes themselves to `check_routes`. The rule: scopes never narrow a client-credentials token, its role
does; so what a role holds beyond its routes is a finding of severity high.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from gateway.config.check_network import url_fault
from gateway.config.check_routes import orgs_of
from gateway.config.findings import Finding, Sources, error, high, listed, warning
from gateway.config.model import Client, Config, Org, Route
from gateway.config.routing import operation_of
from gateway.policy.beliefs import scope_advice
from gateway.policy.operations import Operation, missing_permissions, unneeded_permissions
from gateway.policy.regions import SERVICES, RegionUnknown

OWNER_TEMPLATE = "/api/v2/conversations/{conversationId}"
"""What the ownership client calls."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check_orgs(config: Config, sources: Sources) -> Iterator[Finding]:
    """Yield findings about [orgs]."""
    for name, org in config.orgs.items():
        key = f"orgs.{name}"
        yield from _check_region(key, org, sources)
        yield from _check_endpoints(key, org, config.dev)
        if org.organization_id is not None and not _UUID.fullmatch(org.organization_id):
            yield error(f"{key}.organization_id", "is not a UUID", "Copy it from Admin, Organization Settings.")
        yield from _check_client_ids(key, org)
        if org.failover is not None:
            yield from _check_failover(f"{key}.failover", name, org.failover, config)
        for client_name, client in org.clients.items():
            here = f"{key}.clients.{client_name}"
            yield from _check_permissions(here, client, calls_of(name, client_name, config, sources), sources)
            yield from _check_scopes(here, client, sources)


def _check_region(key: str, org: Org, sources: Sources) -> Iterator[Finding]:
    endpoints = org.endpoints.model_dump(exclude_none=True)
    try:
        region = sources.regions.resolve(org.region)
    except RegionUnknown as fault:
        if set(endpoints) == set(SERVICES):
            yield warning(f"{key}.region", str(fault), "All five endpoints are given, so they are used as they are.")
        else:
            yield error(f"{key}.region", str(fault), "Write the region of the organisation, as in Admin's address.")
        return
    if region.lifecycle != "stable" and not endpoints:
        yield warning(
            f"{key}.region", f"{region.aws_region} is {region.lifecycle}; not confirmed: {listed(region.unconfirmed)}",
            "Run `gateway clients drift` before relying on it.",
        )  # fmt: skip


def _check_endpoints(key: str, org: Org, dev: bool) -> Iterator[Finding]:
    for name, text in org.endpoints.model_dump(exclude_none=True).items():
        secure, plain = ("wss", "ws") if name == "webmessaging" else ("https", "http")
        if (fault := url_fault(text, (secure, plain) if dev else (secure,))) is not None:
            yield error(
                f"{key}.endpoints.{name}", fault,
                f"Write {secure}://host[:port]" + ("." if dev else f"; {plain}:// only with dev = true."),
            )  # fmt: skip


def _check_failover(key: str, name: str, other: str, config: Config) -> Iterator[Finding]:
    if other not in config.orgs or other == name:
        yield error(key, f"names no other organisation: {other}", f"Configured are {listed(config.orgs)}.")
        return
    moving = {str(route.client) for route in config.routes if _may_move(route) and name in orgs_of(route, config)}
    if lacking := sorted(client for client in moving if client not in config.orgs[other].clients):
        yield error(key, f"{other} has no client {listed(lacking)}", "Give it clients of the same names.")
    if not moving:
        yield warning(key, "is of no use: no route without an owner reads with a client", "Take it away.")
    if config.orgs[other].region == config.orgs[name].region:
        yield warning(key, f"{other} is in the same region", "Name an organisation of another region.")


def _may_move(route: Route) -> bool:
    """May calls of a route go to another organisation? Only reads of nobody's conversation do (`upstream.rest`)."""
    method = (route.upstream or route.match).partition(" ")[0]
    return route.client is not None and route.owner is None and method == "GET"


def _receives(org: str, route: Route, config: Config) -> bool:
    """Does the organisation stand in for one of a route whose calls may move?"""
    return _may_move(route) and any(config.orgs[one].failover == org for one in orgs_of(route, config))


def _check_client_ids(key: str, org: Org) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, client in org.clients.items():
        if not _UUID.fullmatch(client.id):
            yield error(f"{key}.clients.{name}.id", "is not a UUID", "Copy the client id from Admin, OAuth.")
        if (other := owners.setdefault(client.id.lower(), name)) != name:
            yield warning(f"{key}.clients.{name}.id", f"is that of {other}", "Use one OAuth client per purpose.")


def calls_of(org: str, client: str, config: Config, sources: Sources) -> list[tuple[str, Operation]]:
    """Return what uses the client, each with its operation: routes of this org, reads of an org that it stands in for,
    and finding out owners.
    """
    asked = sources.catalogue.find("GET", OWNER_TEMPLATE)
    asking = (
        [("(finding out owners)", asked)] if asked is not None and config.orgs[org].ownership_client == client else []
    )
    return asking + [
        (route.name, operation)
        for route in config.routes
        if route.client == client and (org in orgs_of(route, config) or _receives(org, route, config))
        if (operation := operation_of(route, sources.catalogue)) is not None
    ]


def _check_permissions(
    key: str, client: Client, calls: list[tuple[str, Operation]], sources: Sources
) -> Iterator[Finding]:
    here = f"{key}.permissions"
    for route, operation in calls:
        if lacking := missing_permissions(operation, client.permissions):
            wanted = "one of " if operation.perm == "ANY" and len(lacking) > 1 else ""
            yield error(
                here, f"lack {wanted}{listed(lacking)}, which route {route} needs ({operation.key})",
                "Give the client's role that permission in Genesys, and name it here.",
            )  # fmt: skip
        if operation.perm == "UNKNOWN":
            yield warning(
                here, f"cannot be judged: what {operation.key} asks is not known", "Call it once with this client."
            )
    if not calls:
        if client.permissions:
            yield high(key, "is used by no route, and holds permissions", "Take the client away, or use it.")
        else:
            yield warning(key, "is used by no route", "Take the client away, or use it.")
        return
    if unneeded := unneeded_permissions((operation for _, operation in calls), client.permissions):
        yield high(
            here, f"hold more than the routes need: {listed(unneeded)}",
            "Take it from the client's role in Genesys and from here; use a second client for a second purpose.",
        )  # fmt: skip
    yield from _check_spelling(here, client, sources)


def _check_spelling(key: str, client: Client, sources: Sources) -> Iterator[Finding]:
    known = {permission for operation in sources.catalogue for permission in operation.permissions}
    for permission in client.permissions:
        if permission in known or "*" in permission:
            continue
        near = get_close_matches(permission, known, n=2)
        remedy = f"Near: {listed(near)}." if near else "A permission is domain:entity:action."
        yield warning(key, f"{permission} is asked by no operation of the Platform API", remedy)


def _check_scopes(key: str, client: Client, sources: Sources) -> Iterator[Finding]:
    if not client.scopes:
        return
    known = {scope for operation in sources.catalogue for scope in operation.scopes_any}
    yield warning(
        f"{key}.scopes", f"are ignored by Genesys for client credentials: {listed(client.scopes)}",
        "Take them away; the role of the client decides, see permissions. "
        + "; ".join(scope_advice(sources.beliefs, frozenset(known), scope) for scope in client.scopes) + ".",
    )  # fmt: skip
