"""What the front does without waiting: begins an exchange, finds its place, judges its HTTP, refuses, and counts.

Leaves serving to the handlers and waiting for them to `front.py`. The rule: CORS headers are fixed as soon as the site
is known, and every refusal is recorded, counted and worded here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import HttpVersion10, HttpVersion11, web

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Gate, Trail
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import METHODS
from gateway.observe.tracing import Tracing
from gateway.policy.decision import SiteRules
from gateway.policy.origins import check_origin, preflight_headers
from gateway.policy.sites import SiteTable
from gateway.web.answer_bytes import ALLOW_ORIGIN
from gateway.web.clients import TrustedProxies
from gateway.web.exchange import Asked, BodyLimits, Exchange, check_single_headers
from gateway.web.head import Head
from gateway.web.places import CORS_OF_ANYONE, NO_CORS, Places
from gateway.web.problems import SERVER, oauth_error_answer, problem_answer
from gateway.web.surface import ANY_METHOD, UNMATCHED, OriginNeed
from gateway.web.whole import WholeAnswer

Explain = Callable[[Exchange, Refusal], Refusal]
"""Makes a refusal say more, or returns it as it is; never makes it none."""


@dataclass(frozen=True, slots=True)
class FrontRules:
    """What the front decides by; `rules` and `regions` are by the name of the site."""

    sites: SiteTable
    rules: Mapping[str, SiteRules]
    regions: Mapping[str, str]
    trusted: TrustedProxies
    body_limits: BodyLimits
    concurrent_requests: int


class Reception:
    """The steps that each request goes through under the rules in force."""

    def __init__(
        self,
        rules: FrontRules,
        served: Collection[str],
        gate: Gate,
        metrics: Metrics,
        explain: Explain,
        tracing: Tracing,
    ) -> None:
        """`served`: the names of the services that have a handler."""
        self._served = served
        self._gate = gate
        self._metrics = metrics
        self._explain = explain
        self._tracing = tracing
        self.reload(rules)

    def reload(self, rules: FrontRules) -> None:
        """Decide by these rules from the next request on."""
        self.rules = rules
        self.places = Places(rules.sites, rules.rules, rules.regions, self._served)

    def begin(self, asked: Asked, method: str, raw_target: str, head: Head, peer: str) -> Exchange:
        """The exchange of a request that has just come."""
        trusted = self.rules.trusted
        trail = Trail(
            request_id=trusted.request_id(peer, head.request_id),
            surface=UNMATCHED.name,
            method=method,
            client_ip=trusted.client_address(peer, head.forwarded),
            started=time.monotonic(),
            origin=head.origin,
        )
        trail.trace_id, trail.trace = self._tracing.begin(method, raw_target, head.traceparent, head.debug)
        return Exchange(asked, method, head, trail, self.rules.body_limits, NO_CORS)

    def place(self, exchange: Exchange) -> web.StreamResponse | None:
        """Find out where a request goes and whether it may; an answer where no handler need be asked."""
        request = exchange.request
        place, refusal = self.places.find(request.raw_path, exchange.head.host)
        exchange.enter(place, self.places.cors(place, exchange.head.origin))
        if refusal is not None:
            if not (_is_preflight(request) and place.is_nowhere):
                raise refusal
            if (origin := self.places.cors_of_any_site(exchange.origin).get(ALLOW_ORIGIN)) is None:
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

    def refuse(self, exchange: Exchange, refusal: Refusal) -> web.StreamResponse:
        """The answer that says why not; it is recorded and counted. A fault of ours is a refusal too."""
        trail = exchange.trail
        refusal = self._explain(exchange, refusal)
        self._gate.refused(refusal, trail)
        if exchange.site is None and (exchange.surface is UNMATCHED or exchange.surface.of_site):
            exchange.cors = self.places.cors_of_any_site(exchange.origin)
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

    def count(self, exchange: Exchange, status: int) -> None:
        """Count an answered request, and end its trace."""
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

    def tell_times(self, exchange: Exchange, answer: web.StreamResponse) -> None:
        """Tell a caller with a signed debug header how long each stage took."""
        trail = exchange.trail
        if trail.trace is None or not trail.trace.debug or answer.prepared:
            return
        timing = trail.trace.server_timing(trail.started)
        if isinstance(answer, WholeAnswer):
            answer.add("Server-Timing", timing)
        else:
            answer.headers["Server-Timing"] = timing


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
