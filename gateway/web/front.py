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
from gateway.policy.origins import check_origin, cors_headers, preflight_headers
from gateway.policy.paths import Target, parse_target
from gateway.policy.sites import MAX_HOST_CHARS, PREFIX, SiteTable, parse_host
from gateway.policy.traces import DEBUG_HEADER
from gateway.web.clients import TrustedProxies
from gateway.web.exchange import BodyLimits, Exchange, check_single_headers
from gateway.web.problems import SERVER, oauth_error_answer, problem_answer
from gateway.web.surface import ANY_METHOD, UNMATCHED, OriginNeed, Surface, find_surface
from gateway.web.whole import WholeAnswer

Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]
Admission = Callable[[Exchange], None]
"""Asked before a request is served: raises Refusal(RATE_LIMITED) when a limit says no."""

Explain = Callable[[Exchange, Refusal], Refusal]
"""Makes a refusal say more, or returns it as it is; never makes it none."""

log = structlog.get_logger(__name__)
RETRY_WHEN_BUSY_S: Final = 1
Place = tuple[Target, tuple[str, ...], Surface, SiteRules | None]
"""What a path and a Host lead to: target, segments below the site, service, site."""
PLACES_KEPT: Final = 4_096
PLACE_CHARS: Final = 512
"""Longer targets are not remembered: what strangers send must not fill the memory."""
ORIGINS_KEPT: Final = 4_096
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
    """The handler that the public server calls for each request."""

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
        self._places: dict[tuple[str, str | None], Place] = {}
        self._cors: dict[tuple[str, str | None], Mapping[str, str]] = {}
        self.draining = False

    def reload(self, rules: FrontRules) -> None:
        """Decide by these rules from the next request on."""
        self._rules = rules
        self._places.clear()
        self._cors.clear()

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet; sockets count until they close."""
        return self._under_way

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever happens."""
        rules, peer = self._rules, request.remote or ""
        headers = request.headers
        trail = Trail(
            request_id=rules.trusted.request_id(peer, headers.get("X-Request-Id")),
            surface=UNMATCHED.name,
            method=request.method,
            client_ip=rules.trusted.client_address(peer, headers.getall("X-Forwarded-For", ())),
            started=time.monotonic(),
            origin=headers.get("Origin"),
        )
        trail.trace_id, trail.trace = self._tracing.begin(
            request.method, request.raw_path, headers.get("traceparent"), headers.get(DEBUG_HEADER)
        )
        CURRENT.set(trail)
        exchange = Exchange(request, _NO_TARGET, (), UNMATCHED, trail, rules.body_limits, cors=_NO_CORS)
        self._under_way += 1
        try:
            answer = await self._serve(exchange, rules)
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

    async def _serve(self, exchange: Exchange, rules: FrontRules) -> web.StreamResponse:
        request = exchange.request
        try:
            self._place(exchange, rules)
        except Refusal:
            if not (_is_preflight(request) and _is_nowhere(exchange)):
                raise
            if (origin := _cors_of_any_site(exchange.origin, rules).get(ALLOW_ORIGIN)) is None:
                raise
            # The call itself is refused, and recorded; without this answer no page could read why.
            return _preflight_answer(exchange, origin, ANY_METHOD)
        if exchange.surface.origin is OriginNeed.ANYONE:
            exchange.cors = _CORS_OF_ANYONE
        _check_http(request)
        if request.method == "OPTIONS":
            return _preflight(exchange)
        self._check_origin(exchange)
        surface = exchange.surface
        if request.method not in surface.methods:
            raise Refusal(errors.METHOD_NOT_ALLOWED, ", ".join(surface.methods))
        if self._under_way > rules.concurrent_requests:
            raise Refusal(errors.OVERLOADED, retry_after_s=RETRY_WHEN_BUSY_S)
        self._admit(exchange)
        in_flight = self._in_flight[surface.name]
        in_flight.value += 1.0
        try:
            return await self._handlers[surface.name](exchange)
        finally:
            in_flight.value -= 1.0

    def _place(self, exchange: Exchange, rules: FrontRules) -> None:
        """Find service and site, or remember them: the answer hangs on path and Host alone."""
        request = exchange.request
        key = (request.raw_path, request.headers.get("Host"))
        known = self._places.get(key)
        if known is None:
            self._find_place(exchange, rules)
            if len(key[0]) <= PLACE_CHARS and len(key[1] or "") <= MAX_HOST_CHARS:
                if len(self._places) >= PLACES_KEPT:
                    self._places.clear()
                self._places[key] = (exchange.target, exchange.segments, exchange.surface, exchange.site)
            return
        exchange.target, exchange.segments, exchange.surface, exchange.site = known
        exchange.trail.surface = exchange.surface.name
        if exchange.site is not None:
            self._enter(exchange, exchange.site, rules)
        elif exchange.surface.origin is OriginNeed.OPEN:
            exchange.cors = _cors_of_any_site(exchange.origin, rules)

    def _find_place(self, exchange: Exchange, rules: FrontRules) -> None:
        """Find service and site. CORS headers are fixed once the site is known: refusals carry them too."""
        request, trail = exchange.request, exchange.trail
        exchange.target = target = parse_target(request.raw_path)
        host = parse_host(request.headers.get("Host"))
        below_site = target.segments[:1] == (PREFIX,)
        if below_site:
            self._enter_site(exchange, rules, host)
        else:
            exchange.segments = target.segments
        exchange.surface = surface = find_surface(exchange.segments, below_site=below_site)
        if surface.name not in self._handlers:
            raise Refusal(errors.NOT_FOUND)
        trail.surface = surface.name
        if surface.of_site and not below_site:
            self._enter_site(exchange, rules, host)
        elif not surface.of_site and surface.origin is OriginNeed.OPEN:
            exchange.cors = _cors_of_any_site(exchange.origin, rules)

    def _enter_site(self, exchange: Exchange, rules: FrontRules, host: str) -> None:
        target = exchange.target
        found = rules.sites.find(target, host, target.parameter("deploymentId"))
        exchange.segments = found.segments
        exchange.site = rules.rules[found.name]
        self._enter(exchange, exchange.site, rules)

    def _enter(self, exchange: Exchange, site: SiteRules, rules: FrontRules) -> None:
        exchange.trail.site = site.name
        exchange.trail.region = rules.regions[site.name]
        origin = exchange.trail.origin
        cors = self._cors.get((site.name, origin))
        if cors is None:
            cors = _cors_of_site(origin, site)
            if cors is not _NO_CORS and len(self._cors) < ORIGINS_KEPT:
                self._cors[site.name, origin] = cors
        exchange.cors = cors

    def _check_origin(self, exchange: Exchange) -> None:
        if exchange.surface.origin is OriginNeed.PAGE:
            check_origin(exchange.origin, exchange.rules.origins)

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> web.StreamResponse:
        trail = exchange.trail
        refusal = self._explain(exchange, refusal)
        self._gate.refused(refusal, trail)
        if _is_nowhere(exchange):
            exchange.cors = _cors_of_any_site(exchange.origin, self._rules)
        make = oauth_error_answer if exchange.surface.oauth_errors else problem_answer
        answer = make(refusal, request_id=trail.request_id, headers=exchange.cors)
        if refusal.reason is errors.RATE_LIMITED:
            answer.headers.update(exchange.limit_headers)
        if refusal.reason is errors.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = refusal.detail
        request = exchange.request
        if request.can_read_body or "Upgrade" in request.headers or refusal.reason in _CLOSING:
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


_NO_TARGET: Final = parse_target("/")
_NO_CORS: Final = cors_headers(None)
_CORS_OF_ANYONE: Final = cors_headers("*")
_CLOSING: Final = frozenset({errors.REQUEST_MALFORMED, errors.PATH_INVALID, errors.HEADER_INVALID, errors.BODY_TIMEOUT})


def _cors_of_site(origin: str | None, site: SiteRules) -> Mapping[str, str]:
    """The CORS headers of every answer that this site gives to this origin, refusals included."""
    if origin is None:
        return _NO_CORS
    try:
        return cors_headers(check_origin(origin, site.origins))
    except Refusal:
        return _NO_CORS


def _cors_of_any_site(origin: str | None, rules: FrontRules) -> Mapping[str, str]:
    """Public bytes, and refusals that concern no site, may be read by the pages of every site."""
    for site in rules.rules.values() if origin is not None else ():
        found = _cors_of_site(origin, site)
        if found is not _NO_CORS:
            return found
    return _NO_CORS


def _is_nowhere(exchange: Exchange) -> bool:
    """Could it not be found out which site was meant? Then the pages of all sites may read why."""
    return exchange.site is None and (exchange.surface is UNMATCHED or exchange.surface.of_site)


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
