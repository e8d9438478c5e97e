"""Answers people who believe in things that Genesys does not have: names the belief, what is true and what to use.

What is believed is data of `gateway.policy.beliefs`. Leaves refusing to the gate; this only says why better. The rule:
a hit is counted per belief, and nobody gets in by believing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.observe.cells import CounterCell
from gateway.observe.metrics import Metrics
from gateway.policy.beliefs import Belief, Beliefs, scope_advice
from gateway.policy.oauth_forms import Form
from gateway.policy.operations import Catalogue
from gateway.web.exchange import Exchange

Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]

NOWHERE: Final = frozenset({errors.NOT_FOUND, errors.ROUTE_UNKNOWN, errors.METHOD_NOT_ALLOWED, errors.ROUTE_PARAMETER})
"""Refusals behind which there may be a belief about a path."""
MAX_SCOPES: Final = 10


class BeliefDesk:
    """Explains and counts. One per process; it holds the shipped data only."""

    def __init__(self, beliefs: Beliefs, catalogue: Catalogue, metrics: Metrics) -> None:
        self._beliefs = beliefs
        self._catalogue = catalogue
        self._metrics = metrics
        self._header_names = frozenset(name.lower() for name in beliefs.header_names)
        self._scopes = frozenset(scope for operation in catalogue for scope in operation.scopes_any)

    def explain(self, exchange: Exchange, refusal: Refusal) -> Refusal:
        """The refusal that says more: what was believed, or what Genesys has removed; else the one that came."""
        for counter in exchange.head.beliefs(self.of_headers):
            counter.inc()
        method, segments = exchange.method, exchange.segments
        if refusal.reason in NOWHERE:
            return self._of_path(method, segments) or refusal
        if refusal.reason is errors.HEADER_INVALID:
            value = exchange.head.authorization or ""
            belief = self._beliefs.of_header("Authorization", value)
            if belief is None:
                return refusal
            self._count(belief)
            return Refusal(errors.HEADER_INVALID, belief.told)
        if exchange.surface.name == "oauth_token" and (belief := self._beliefs.of_path(method, segments)) is not None:
            said = refusal.detail or refusal.reason.cause
            return Refusal(refusal.reason, f"{said} {belief.truth}", retry_after_s=refusal.retry_after_s)
        return refusal

    def of_headers(self, headers: Mapping[str, str]) -> tuple[CounterCell, ...]:
        """The counters of headers that Genesys never reads; such headers are dropped like all that is not listed."""
        if self._header_names.isdisjoint(map(str.lower, headers)):  # the usual case, in one look
            return ()
        found = [self._beliefs.of_header(name, headers[name]) for name in self._beliefs.header_names if name in headers]
        return tuple(self._metrics.beliefs.child(belief.id) for belief in found if belief is not None)

    def advice(self, form: Form) -> list[str]:
        """What to tell about a client_credentials form: each scope, and each field that does nothing."""
        said: list[str] = []
        for name in form.parameters:
            if (belief := self._beliefs.of_field(name)) is not None:
                self._count(belief)
                said.append(f"{name} is ignored: {belief.truth}")
        for scope in (form.get("scope") or "").split()[:MAX_SCOPES]:
            if (belief := self._beliefs.of_scope(scope)) is not None:
                self._count(belief)
            said.append(scope_advice(self._beliefs, self._scopes, scope))
        host = (form.get("audience") or "").rpartition("://")[2].partition("/")[0]
        if (belief := self._beliefs.of_host(host)) is not None:
            self._count(belief)
            said.append(f"{host}: {belief.told}")
        return said

    def at_token_endpoint(self, inner: Handler) -> Handler:
        """The token endpoint's handler, which also tells those who came by a path that Genesys never had."""

        async def told(exchange: Exchange) -> web.StreamResponse:
            belief = self._beliefs.of_path(exchange.method, exchange.segments)
            if belief is not None:
                self._count(belief)
            answer = await inner(exchange)
            if belief is not None and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
                value = orjson.loads(answer.body)
                answer.body = orjson.dumps({**value, "warnings": [*value.get("warnings", ()), belief.told]})
            return answer

        return told

    def _of_path(self, method: str, segments: tuple[str, ...]) -> Refusal | None:
        belief = self._beliefs.of_path(method, segments)
        if belief is not None:
            self._count(belief)
            return Refusal(errors.ROUTE_UNKNOWN if belief.is_real else errors.ROUTE_BELIEVED, belief.told)
        removed = self._catalogue.removed_at(method, segments)
        if removed is None:
            return None
        operation, instead = removed
        return Refusal(errors.ROUTE_REMOVED, f"{operation.key} was removed by Genesys in August 2026. Use {instead}.")

    def _count(self, belief: Belief) -> None:
        self._metrics.beliefs.child(belief.id).inc()
