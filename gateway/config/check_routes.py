"""Checks of routes and backends: the operation exists, the client may call it, and the parts fit together.

Leaves what a client's role must hold to `check_orgs`. The rule: a route that Genesys would refuse is found here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from gateway.config.findings import Finding, Sources, error, high, listed, warning
from gateway.config.model import Config, Route
from gateway.config.routing import compile_route, operation_of
from gateway.policy import routes as policy
from gateway.policy.assertions import read_public_key
from gateway.policy.beliefs import Beliefs
from gateway.policy.body_template import BodyFault
from gateway.policy.operations import Catalogue, Operation, client_credentials_fault

_WITH_BODY = ("POST", "PUT", "PATCH")
_BUILT_IN = {policy.HISTORY.name}


def check_routes(config: Config, sources: Sources) -> Iterator[Finding]:
    """Yield findings about [[routes]]."""
    names: dict[str, str] = {}
    compiled: list[tuple[str, Route, policy.Route]] = []
    for index, route in enumerate(config.routes):
        key = f"routes[{index}]"
        if route.name in _BUILT_IN:
            yield error(f"{key}.name", f"{route.name} is a built-in route of every proxied site", "Use another name.")
        if (other := names.setdefault(route.name, key)) != key:
            yield error(f"{key}.name", f"{route.name} is that of {other}", "Give each route a name of its own.")
        yield from _check_names(key, route, config)
        done = yield from _check_operation(key, route, sources)
        if done is not None:
            compiled.append((key, route, done))
    yield from _check_conflicts(config, compiled)


def check_backends(config: Config, directory: Path) -> Iterator[Finding]:
    """Yield findings about [backends]."""
    routes = {route.name: route for route in config.routes}
    ids: dict[str, str] = {}
    for name, backend in config.backends.items():
        key = f"backends.{name}"
        if (other := ids.setdefault(backend.id or name, key)) != key:
            yield error(f"{key}.id", f"is that of {other}", "Give each backend an id of its own.")
        for index, site in enumerate(backend.sites):
            if site not in config.sites:
                yield error(
                    f"{key}.sites[{index}]", f"names no site: {site}", f"Configured are {listed(config.sites)}."
                )
        for index, route_name in enumerate(backend.routes):
            here, route = f"{key}.routes[{index}]", routes.get(route_name)
            if route is None:
                yield error(here, f"names no route: {route_name}", f"Configured are {listed(routes)}.")
            elif "backend" not in route.callers:
                yield error(here, f"{route_name} does not list the caller backend", 'Add "backend" to its callers.')
            elif route.sites and backend.sites and not set(route.sites) & set(backend.sites):
                yield warning(
                    here, f"{route_name} exists on none of its sites", f"It is on {listed(route.sites)} only."
                )
        if backend.key is None and (backend.public_key is None or backend.previous_key is not None):
            yield error(f"{key}.key", "is missing: nothing could prove this backend", "Set key, or public_key alone.")
        if backend.public_key is not None:
            try:
                read_public_key((directory / backend.public_key).read_text(encoding="utf-8"))
            except OSError as fault:
                yield error(
                    f"{key}.public_key", f"cannot be read: {fault.strerror}", "Give a PEM file that we may read."
                )
            except ValueError as fault:
                yield error(f"{key}.public_key", str(fault), "Give the backend's public key as PEM.")
        if not backend.sites or not backend.routes:
            yield warning(key, "may call nothing: sites or routes are empty", "List the sites and routes it needs.")


def _check_names(key: str, route: Route, config: Config) -> Iterator[Finding]:
    for index, site in enumerate(route.sites):
        if site not in config.sites:
            yield error(f"{key}.sites[{index}]", f"names no site: {site}", f"Configured are {listed(config.sites)}.")
    if route.client is not None:
        for org in sorted(orgs_of(route, config)):
            clients = config.orgs[org].clients
            if route.client not in clients:
                yield error(
                    f"{key}.client", f"orgs.{org} has no client {route.client}",
                    f"Its clients are {listed(clients)}.",
                )  # fmt: skip
    if not route.callers:
        yield warning(f"{key}.callers", "are empty: nobody may call", 'List "guest" or "backend".')
    elif "backend" in route.callers and not any(route.name in b.routes for b in config.backends.values()):
        yield warning(
            f"{key}.callers", "admit backends, and no backend lists this route", "Add it to backends.X.routes."
        )


def orgs_of(route: Route, config: Config) -> set[str]:
    """Return the organisations of the sites on which a route exists; all of them while there is no site."""
    sites = [config.sites[name] for name in route.sites or config.sites if name in config.sites]
    return {site.org for site in sites if site.org in config.orgs} if config.sites else set(config.orgs)


def _check_operation(key: str, route: Route, sources: Sources) -> Generator[Finding, None, policy.Route | None]:
    """Yield findings about the operation; return the compiled route when there is one."""
    where = f"{key}.upstream" if route.upstream is not None else f"{key}.match"
    for part, text in (("match", route.match), ("upstream", route.upstream)):
        try:
            if text is not None:
                policy.parse_template(text)
        except ValueError as fault:
            yield error(f"{key}.{part}", str(fault), "Write METHOD /path/{parameter}.")
            return None
    operation = operation_of(route, sources.catalogue)
    if operation is None:
        yield _unknown_operation(where, route, sources.catalogue, sources.beliefs)
        return None
    if operation.deprecated:
        yield warning(where, f"{operation.key} is deprecated by Genesys", "Look for its successor.")
    found = list(_check_credential(key, route, operation))
    yield from found
    yield from _check_body(key, route, operation)
    yield from _check_reach(key, route, operation)
    if any(finding.severity == "error" for finding in found):
        return None
    try:
        return compile_route(route, operation)
    except BodyFault as fault:
        yield error(f"{key}.body", str(fault), "Write {name} for a value, {{ and }} for braces.")
        return None
    except ValueError as fault:
        yield error(key, str(fault), "Make the parts of the route agree.")
        return None


def _unknown_operation(where: str, route: Route, catalogue: Catalogue, beliefs: Beliefs) -> Finding:
    method, _, template = (route.upstream or route.match).partition(" ")
    removed = catalogue.find_removed(method, template)
    if removed is not None:
        return error(where, f"{removed[0].key} was removed by Genesys in August 2026", f"Use {removed[1]}.")
    if (belief := beliefs.of_template(method, template)) is not None and not belief.is_real:
        remedy = f"{belief.truth} Set upstream to {belief.instead}."
        return error(where, f"{method} {template} never existed at Genesys", remedy)
    near = [operation.key for operation in catalogue.nearest(method, template)]
    remedy = f"Near: {'; '.join(near)}." if near else "Look the operation up in the API Explorer."
    return error(where, f"{method} {template} is no operation of the Platform API", remedy)


def _check_credential(key: str, route: Route, operation: Operation) -> Iterator[Finding]:
    fault = client_credentials_fault(operation)
    if operation.auth == "oauth" and route.client is None:
        yield error(f"{key}.client", f"is missing; {operation.key} needs a bearer", "Name an OAuth client of the org.")
    elif operation.auth == "oauth" and fault is not None:
        yield error(
            f"{key}.client", f"cannot call {operation.key}: {fault}", "Use an operation that a server may call."
        )
    elif operation.auth != "oauth" and route.client is not None:
        yield error(f"{key}.client", f"is of no use for {operation.key}: {fault}", "Take client away.")
    if operation.auth == "webmessaging-jwt" and "backend" in route.callers:
        yield error(
            f"{key}.callers", f"{operation.key} takes a guest's JWT, which no backend has", 'List "guest" only.'
        )


def _check_body(key: str, route: Route, operation: Operation) -> Iterator[Finding]:
    own_method = route.match.partition(" ")[0]
    if route.body is not None and operation.method not in _WITH_BODY:
        yield error(f"{key}.body", f"is given, and {operation.method} sends none", "Take body away.")
    if route.body is None and operation.method in ("PUT", "PATCH") and own_method not in _WITH_BODY:
        yield error(f"{key}.body", f"is missing: {own_method} brings none, and {operation.key} needs one", "Set body.")
    elif route.body is None and operation.method in _WITH_BODY and route.upstream is not None:
        own = policy.parse_template(route.match), policy.parse_template(route.upstream)
        if own[0] != own[1]:
            yield warning(
                f"{key}.body", f"is missing: the caller's own body goes to {operation.key}",
                "Set body, unless callers send exactly what that operation takes.",
            )  # fmt: skip
    if route.max_body_bytes and own_method == "GET" and route.max_body_bytes != 512_000:
        yield warning(f"{key}.max_body_bytes", "is set on a GET, which has no body", "Take it away.")


def _check_reach(key: str, route: Route, operation: Operation) -> Iterator[Finding]:
    """Whoever calls with an OAuth bearer behind it must be held to its own, or its site's, conversations."""
    if operation.auth != "oauth" or route.owner is not None:
        return
    if "guest" not in route.callers:
        if "{conversationId}" in route.match and route.callers:
            yield high(
                f"{key}.owner", "is missing: a backend reaches the conversations of every site and channel",
                'Set owner = "conversationId".',
            )  # fmt: skip
        return
    if "{conversationId}" in route.match or operation.method != "GET":
        yield high(
            f"{key}.owner", "is missing: any guest reaches any object of this operation",
            "Name the path parameter that must be the guest's own, or admit backends only.",
        )  # fmt: skip


def _check_conflicts(config: Config, compiled: list[tuple[str, Route, policy.Route]]) -> Iterator[Finding]:
    """Two routes that claim one request are a fault on the sites that have both."""
    told: set[str] = set()
    for site in config.sites or ("",):
        table = policy.RouteTable([policy.HISTORY])
        for key, route, done in compiled:
            if route.sites and site not in route.sites:
                continue
            try:
                table.add(done)
            except ValueError as fault:
                if key not in told:
                    yield error(f"{key}.match", str(fault), "Keep one of the two, or give them different sites.")
                told.add(key)
