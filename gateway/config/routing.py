"""Compiles one configured route into the rule of `gateway.policy.routes`, for the checks and for serving alike.

Which kind of credential a route uses follows from the operation at Genesys, not from the configuration.
"""

from __future__ import annotations

from gateway.config.model import Route
from gateway.policy import routes as policy
from gateway.policy.body_template import parse_body
from gateway.policy.operations import Catalogue, Operation


def operation_of(route: Route, catalogue: Catalogue) -> Operation | None:
    """Return the operation that a route calls at Genesys, or None when the catalogue has none."""
    method, _, template = (route.upstream or route.match).partition(" ")
    return catalogue.find(method, template)


def compile_route(route: Route, operation: Operation) -> policy.Route:
    """Return the compiled route. Raises `ValueError` saying which of its parts contradict each other (`BodyFault`: its
    body alone, or with others).
    """
    match = policy.parse_template(route.match, route.parameters)
    upstream_types = {name: kind for name, kind in route.parameters.items() if f"{{{name}}}" in (route.upstream or "")}
    upstream = policy.parse_template(route.upstream, upstream_types) if route.upstream is not None else match
    return policy.Route(
        name=route.name,
        match=match,
        upstream=upstream,
        callers=frozenset(route.callers),
        body_template=parse_body(route.body) if route.body is not None else None,
        query=frozenset(route.query),
        client=route.client,
        owner=route.owner,
        auth=_auth_of(operation),
        max_body_bytes=route.max_body_bytes,
        timeout_s=route.timeout_s,
        retry=route.retry,
        cache_s=route.cache_s,
        limit_per_min=route.limit_per_min,
        answer=tuple(tuple(name.split(".")) for name in route.answer),
    )


def _auth_of(operation: Operation) -> policy.RouteAuth:
    if operation.auth in ("oauth", "webmessaging-jwt"):
        return "oauth" if operation.auth == "oauth" else "webmessaging-jwt"
    return "none"
