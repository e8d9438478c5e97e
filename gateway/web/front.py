"""Every request of the public listener comes in here and leaves here.

Gives it an id, finds site and service, checks the origin, counts it, and turns each refusal into an answer that the
page can read. What a service does is its handler's. The rule: every answer carries its CORS headers and the id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Gate, Trail
from gateway.observe.log import CURRENT
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import METHODS
from gateway.observe.tracing import Tracing
from gateway.policy.decision import SiteRules
from gateway.policy.origins import check_origin, preflight_headers
from gateway.policy.sites import SiteTable
from gateway.web.clients import TrustedProxies
from gateway.web.exchange import Asked, BodyLimits, Exchange, check_single_headers
from gateway.web.fast_lane import FastLane, KnownCall
from gateway.web.head import Head
from gateway.web.places import CORS_OF_ANYONE, NO_CORS, Places
from gateway.web.problems import SERVER, oauth_error_answer, problem_answer
from gateway.web.surface import ANY_METHOD, UNMATCHED, OriginNeed
from gateway.web.whole import WholeAnswer

Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]
Admission = Callable[[Exchange], None]
"""Asked before a request is served: raises Refusal(RATE_LIMITED) when a limit says no."""

Explain = Callable[[Exchange, Refusal], Refusal]
"""Makes a refusal say more, or returns it as it is; never makes it none."""

log = structlog.get_logger(__name__)
RETRY_WHEN_BUSY_S: Final = 1
ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"


@dataclass(frozen=True, slots=True)
class FrontRules:
    """What the front decides by; `rules` and `regions` are by the name of the site."""

    sites: SiteTable
    rules: Mapping[str, SiteRules]
    regions: Mapping[str, str]
    trusted: TrustedProxies
    body_limits: BodyLimits
    concurrent_requests: int


class Front:
    """The handler that the public server calls for each request, and `lane` for calls that may take the short way."""

    def __init__(
        self,
        rules: FrontRules,
        handlers: Mapping[str, Handler],
        gate: Gate,
        metrics: Metrics,
        admit: Admission,
        explain: Explain = lambda exchange, refusal: refusal,
        tracing: Tracing | None = None,
    ) -> None:
        """`handlers`: by the name of the surface row; a row without a handler answers 404."""
        self._explain = explain
        self._tracing = tracing if tracing is not None else Tracing()
        self._rules = rules
        self._handlers = handlers
        self._gate = gate
        self._metrics = metrics
        self._admit = admit
        self._under_way = 0
        self._in_flight = {name: metrics.http_requests_in_flight.child(name) for name in (*handlers, UNMATCHED.name)}
        self._places = self._new_places(rules)
        self.lane = FastLane(self._places)
        self.draining = False

    def reload(self, rules: FrontRules) -> None:
        """Decide by these rules from the next request on."""
        self._rules = rules
        self._places = self._new_places(rules)
        self.lane.reload(self._places)

    def _new_places(self, rules: FrontRules) -> Places:
        return Places(rules.sites, rules.rules, rules.regions, self._handlers.keys())

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet; sockets count until they close."""
        return self._under_way

    def handle(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Answer one request that aiohttp has read, whatever happens."""
        head = Head(request.headers)
        exchange = self._exchange(request, request.method, request.raw_path, head, request.remote or "")
        return self._answer(exchange, None)

    def carry(
        self, call: KnownCall, body: bytes, peer: str, asked: Callable[[], web.BaseRequest]
    ) -> tuple[Exchange, Awaitable[web.StreamResponse]]:
        """Answer one call that took the short way, whatever happens. `asked` makes aiohttp's request of it."""
        exchange = self._exchange(asked, call.method, call.target, call.head, peer)
        exchange.whole, exchange.match = body, call.match
        return exchange, self._answer(exchange, call)

    def _exchange(self, asked: Asked, method: str, raw_target: str, head: Head, peer: str) -> Exchange:
        trusted = self._rules.trusted
        trail = Trail(
            request_id=trusted.request_id(peer, head.request_id),
            surface=UNMATCHED.name,
            method=method,
            client_ip=trusted.client_address(peer, head.forwarded),
            started=time.monotonic(),
            origin=head.origin,
        )
        trail.trace_id, trail.trace = self._tracing.begin(method, raw_target, head.traceparent, head.debug)
        return Exchange(asked, method, head, trail, self._rules.body_limits, NO_CORS)

    async def _answer(self, exchange: Exchange, call: KnownCall | None) -> web.StreamResponse:
        trail = exchange.trail
        CURRENT.set(trail)
        self._under_way += 1
        try:
            if call is not None:
                exchange.enter(call.place, call.cors)
                answer = None
            else:
                answer = self._placed(exchange)
            if answer is None:
                if self._under_way > self._rules.concurrent_requests:
                    raise Refusal(errors.OVERLOADED, retry_after_s=RETRY_WHEN_BUSY_S)
                self._admit(exchange)
                in_flight = self._in_flight[exchange.surface.name]
                in_flight.value += 1.0
                try:
                    answer = await self._handlers[exchange.surface.name](exchange)
                finally:
                    in_flight.value -= 1.0
        except Refusal as refusal:
            answer = self._refuse(exchange, refusal)
        except asyncio.CancelledError:
            self._gate.refused(Refusal(errors.CLIENT_GONE), trail)
            raise
        except Exception as exc:  # the outermost guard: a fault of ours is told
            log.error("request.failed", request_id=trail.request_id, surface=trail.surface, exc_info=exc)
            answer = self._refuse(exchange, Refusal(errors.INTERNAL))
        finally:
            self._under_way -= 1
        self._count(exchange, answer.status)
        if trail.trace is not None and trail.trace.debug and not answer.prepared:
            timing = trail.trace.server_timing(trail.started)
            if isinstance(answer, WholeAnswer):
                answer.add("Server-Timing", timing)
            else:
                answer.headers["Server-Timing"] = timing
        if self.draining and not answer.prepared:
            answer.force_close()
        return answer

    def _placed(self, exchange: Exchange) -> web.StreamResponse | None:
        """Find out where a request goes and whether it may; an answer where no handler need be asked."""
        request = exchange.request
        place, refusal = self._places.find(request.raw_path, exchange.head.host)
        exchange.enter(place, self._places.cors(place, exchange.head.origin))
        if refusal is not None:
            if not (_is_preflight(request) and place.is_nowhere):
                raise refusal
            if (origin := self._places.cors_of_any_site(exchange.origin).get(ALLOW_ORIGIN)) is None:
                raise refusal
            # The call itself is refused, and recorded; without this answer no page could read why.
            return _preflight_answer(exchange, origin, ANY_METHOD)
        surface = exchange.surface
        if surface.origin is OriginNeed.ANYONE:
            exchange.cors = CORS_OF_ANYONE
        _check_http(request)
        if exchange.method == "OPTIONS":
            return _preflight(exchange)
        if surface.origin is OriginNeed.PAGE:
            check_origin(exchange.origin, exchange.rules.origins)
        if exchange.method not in surface.methods:
            raise Refusal(errors.METHOD_NOT_ALLOWED, ", ".join(surface.methods))
        return None

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> web.StreamResponse:
        trail = exchange.trail
        refusal = self._explain(exchange, refusal)
        self._gate.refused(refusal, trail)
        if exchange.site is None and (exchange.surface is UNMATCHED or exchange.surface.of_site):
            exchange.cors = self._places.cors_of_any_site(exchange.origin)
        make = oauth_error_answer if exchange.surface.oauth_errors else problem_answer
        answer = make(refusal, request_id=trail.request_id, headers=exchange.cors)
        if refusal.reason is errors.RATE_LIMITED:
            answer.headers.update(exchange.limit_headers)
        if refusal.reason is errors.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = refusal.detail
        if exchange.has_unread_body or "Upgrade" in exchange.head.headers or refusal.reason in _CLOSING:
            # What the caller still sends is not read, and must not be taken for its next request.
            answer.force_close()
        return answer

    def _count(self, exchange: Exchange, status: int) -> None:
        trail = exchange.trail
        duration_s = time.monotonic() - trail.started
        if (trace := trail.trace) is None:
            self._metrics.request_ended(trail.surface, trail.method, status, trail.responder, duration_s)
            return
        self._metrics.request_ended(
            trail.surface, trail.method, status, trail.responder, duration_s,
            trace.trace_id if trace.sampled else None, time.time(),
        )  # fmt: skip
        route, method = trail.template or trail.surface, trail.method if trail.method in METHODS else METHODS[-1]
        self._tracing.end(trace, trail.started, method=method, route=route, status=status, error=trail.refused_as)


_CLOSING: Final = frozenset({errors.REQUEST_MALFORMED, errors.PATH_INVALID, errors.HEADER_INVALID, errors.BODY_TIMEOUT})


def _is_preflight(request: web.BaseRequest) -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _check_http(request: web.BaseRequest) -> None:
    """What aiohttp's parser lets through and we do not. Raises Refusal: REQUEST_MALFORMED, HEADER_INVALID."""
    if request.version not in (HttpVersion10, HttpVersion11):
        raise Refusal(errors.REQUEST_MALFORMED, "Only HTTP/1.1 and HTTP/1.0 are spoken.")
    headers = request.headers
    check_single_headers(request)
    coding = headers.get("Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise Refusal(errors.REQUEST_MALFORMED, "The only transfer coding is chunked.")
    if "Upgrade" in headers and (request.can_read_body or coding is not None):
        # A body behind an upgrade is how requests are smuggled past proxies (CVE-2026-69243, CVE-2026-2833).
        raise Refusal(errors.REQUEST_MALFORMED, "A request to upgrade has no body.")


def _preflight(exchange: Exchange) -> web.StreamResponse:
    """Answer OPTIONS from the table alone: neither session, route nor Genesys is asked."""
    surface = exchange.surface
    if not _is_preflight(exchange.request):
        return exchange.answer(204, headers={"Allow": ", ".join((*surface.methods, "OPTIONS"))})
    if surface.origin is OriginNeed.SERVER:
        raise Refusal(errors.ORIGIN_NOT_ALLOWED, "This path is for servers, not for pages.")
    if surface.of_site:
        origin = check_origin(exchange.origin, exchange.rules.origins)
    elif exchange.origin is None or ALLOW_ORIGIN not in exchange.cors:
        raise Refusal(errors.ORIGIN_NOT_ALLOWED)
    else:
        origin = exchange.origin
    return _preflight_answer(exchange, origin, surface.methods)


def _preflight_answer(exchange: Exchange, origin: str, methods: Sequence[str]) -> web.StreamResponse:
    opted_in = exchange.site is not None and exchange.site.traceparent
    headers = preflight_headers(origin, ", ".join(methods), allow_traceparent=opted_in)
    answer = web.Response(status=204, headers=headers)
    answer.headers["Server"] = SERVER
    answer.headers["X-Request-Id"] = exchange.trail.request_id
    return answer
