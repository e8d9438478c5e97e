"""The proxied REST call: who is calling, leave from the gate, there and back, on record.

What may pass is the policy's, the way to Genesys `upstream/rest.py`'s. The rule: no permit, no call; and whatever was
carried is recorded, also when the caller has gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Gate, Trail
from gateway.observe.cells import CounterCell
from gateway.observe.metrics import Metrics
from gateway.observe.tracing import Trace, Tracing
from gateway.policy.decision import Facts, Guest, OwnerUnknown, Permit
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.ownership import ConversationOwners, OwnerQuestion
from gateway.upstream.rest import RelayAnswer, RestRelay
from gateway.web.callers import Callers
from gateway.web.carried import CarriedCalls, caller_key, whole_answer
from gateway.web.exchange import Exchange
from gateway.web.problems import SERVER
from gateway.web.throttle import Throttle

log = structlog.get_logger(__name__)

LARGEST_BODY_BYTES: Final = 512_000
"""Genesys' own limit (request.bytes.max); a route may set a smaller one."""
OWNER_QUESTIONS: Final = "(owner)"
OWNER_QUESTIONS_PER_MIN: Final = 10
"""How many conversations that nobody knows yet one guest may name per minute: each costs a call to Genesys."""


class RestProxy:
    """The handler of `rest_proxy`."""

    def __init__(
        self,
        callers: Callers,
        gate: Gate,
        relay: Callable[[], RestRelay],
        throttle: Throttle,
        metrics: Metrics,
        owners: ConversationOwners,
        beliefs_of: Callable[[Mapping[str, str]], tuple[CounterCell, ...]] = lambda headers: (),
        tracing: Tracing | None = None,
    ) -> None:
        """`relay`: that of the configuration in force. `beliefs_of`: what headers are to be counted as."""
        self._owners = owners
        self._tracing = tracing if tracing is not None else Tracing()
        self._beliefs_of = beliefs_of
        self._callers = callers
        self._gate = gate
        self._relay = relay
        self._throttle = throttle
        self._carried = CarriedCalls(gate, metrics)

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Carry one call. Raises Refusal."""
        trail, head = exchange.trail, exchange.head
        exchange.caller = self._callers.known.caller(exchange) or await self._callers.identify(exchange)
        for counter in head.beliefs(self._beliefs_of):
            counter.inc()
        body = exchange.body_at_hand(LARGEST_BODY_BYTES)
        if body is None:
            body = await exchange.body(LARGEST_BODY_BYTES)
        facts = exchange.facts(len(body), self._owners)
        try:
            permit = self._gate.permit_at_once(facts, exchange.rules, trail)
            if permit is None:
                permit = await self._gate.permit(facts, exchange.rules, trail)
        except OwnerUnknown as unknown:
            permit = await self._permit_of_owner(exchange, facts, unknown)
        route = permit.route
        if route.owner is not None:
            trail.conversation = permit.parameters.get(route.owner)
        if route.limit_per_min:
            self._throttle.admit_route(exchange, route.name, caller_key(permit.caller), route.limit_per_min)
        guest_jwt = exchange.guest_jwt if route.auth == "webmessaging-jwt" else None
        if guest_jwt is not None:
            self._gate.injected(trail, self._gate.reference("token", guest_jwt))
        answer = await self._relay().call(
            permit,
            passed=head.passed(),
            body=body,
            request_id=trail.request_id,
            traceparent=self._tracing.upstream_header(trail.trace_id, trail.trace),
            guest_jwt=guest_jwt,
            injected=partial(self._gate.injected, trail) if trail.trace is None else self._traced(trail, trail.trace),
        )
        self._carried.note(trail, permit, answer)
        if answer.body is None:
            return await self._streamed(exchange, answer, len(body))
        response = whole_answer(exchange, answer, answer.body)
        waiting = self._carried.record(trail, answer.status, len(body), len(answer.body))
        if waiting is not None:
            await self._gate.used(waiting)
        return response

    def _traced(self, trail: Trail, trace: Trace) -> Callable[[str], None]:
        """Notes the wait for a token, which ends when it is injected."""
        began = time.monotonic()

        def injected(reference: str) -> None:
            trace.stage("token fetch", "token", "internal", began)
            self._gate.injected(trail, reference)

        return injected

    async def _permit_of_owner(self, exchange: Exchange, facts: Facts, unknown: OwnerUnknown) -> Permit:
        """Leave for a call after it has been found out whose the conversation is."""
        rules, by_guest = exchange.rules, isinstance(facts.caller, Guest)
        if isinstance(facts.caller, Guest):
            self._throttle.admit_route(exchange, OWNER_QUESTIONS, facts.caller.session.id, OWNER_QUESTIONS_PER_MIN)
        await self._owners.find_out(OwnerQuestion(rules.org, unknown.conversation, rules.name, by_guest))
        return await self._gate.permit(facts, rules, exchange.trail)

    async def _streamed(self, exchange: Exchange, answer: RelayAnswer, request_bytes: int) -> web.StreamResponse:
        """Pass a large body on piece by piece; when it breaks off, the caller's connection is cut, not ended."""
        response = web.StreamResponse(status=answer.status)
        self._set_headers(exchange, response, answer)
        response.content_length = answer.content_length
        sent = 0
        try:
            await response.prepare(exchange.request)
            async for piece in answer.stream():
                await response.write(piece)
                sent += len(piece)
        except UpstreamFault as fault:
            log.warning("proxy.cut", request_id=exchange.trail.request_id, kind=str(fault.kind))
            self._gate.refused(fault.refusal(), exchange.trail)
            response.force_close()
            if exchange.request.transport is not None:
                exchange.request.transport.abort()
        except ConnectionError as exc:
            raise Refusal(errors.CLIENT_GONE) from exc
        finally:
            answer.abort()
            waiting = self._carried.record(exchange.trail, answer.status, request_bytes, sent)
            if waiting is not None:
                await self._gate.used(waiting)
        return response

    @staticmethod
    def _set_headers(exchange: Exchange, response: web.StreamResponse, answer: RelayAnswer) -> None:
        out = response.headers
        for name, value in answer.headers:
            out.add(name, value)
        for name, value in exchange.cors.items():
            out[name] = value
        out["Server"] = SERVER
        out["X-Request-Id"] = exchange.trail.request_id
        out["X-Content-Type-Options"] = "nosniff"
        out.setdefault("Cache-Control", "no-store")
        for name, value in exchange.limit_headers:
            out[name] = value
