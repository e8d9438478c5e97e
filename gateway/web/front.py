"""Every request of the public listener comes in here and leaves here.

Finds the handler, lets in as many at once as may be, and turns whatever happens into an answer that the page can read.
Leaves the steps that wait for nobody to `reception.py`, and a service to its handler. The rule: every answer carries
its CORS headers and the id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Gate
from gateway.observe.log import CURRENT
from gateway.observe.metrics import Metrics
from gateway.observe.tracing import Tracing
from gateway.web.exchange import Exchange
from gateway.web.fast_lane import FastLane, KnownCall
from gateway.web.head import Head
from gateway.web.reception import Explain, FrontRules, Reception
from gateway.web.surface import UNMATCHED

Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]
Admission = Callable[[Exchange], None]
"""Asked before a request is served: raises Refusal(RATE_LIMITED) when a limit says no."""

log = structlog.get_logger(__name__)
RETRY_WHEN_BUSY_S: Final = 1


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
        self._handlers = handlers
        self._gate = gate
        self._admit = admit
        self._under_way = 0
        self._in_flight = {name: metrics.http_requests_in_flight.child(name) for name in (*handlers, UNMATCHED.name)}
        self._reception = Reception(
            rules, handlers.keys(), gate, metrics, explain, tracing if tracing is not None else Tracing()
        )
        self.lane = FastLane(self._reception.places)
        self.draining = False

    def reload(self, rules: FrontRules) -> None:
        """Decide by these rules from the next request on."""
        self._reception.reload(rules)
        self.lane.reload(self._reception.places)

    @property
    def under_way(self) -> int:
        """Requests that have no answer yet; sockets count until they close."""
        return self._under_way

    def handle(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Answer one request that aiohttp has read, whatever happens."""
        head, peer = Head(request.headers), request.remote or ""
        return self._answer(self._reception.begin(request, request.method, request.raw_path, head, peer), None)

    def carry(
        self, call: KnownCall, body: bytes, peer: str, asked: Callable[[], web.BaseRequest]
    ) -> tuple[Exchange, Awaitable[web.StreamResponse]]:
        """Answer one call that took the short way, whatever happens. `asked` makes aiohttp's request of it."""
        exchange = self._reception.begin(asked, call.method, call.target, call.head, peer)
        exchange.whole, exchange.match = body, call.match
        return exchange, self._answer(exchange, call)

    async def _answer(self, exchange: Exchange, call: KnownCall | None) -> web.StreamResponse:
        reception, trail = self._reception, exchange.trail
        CURRENT.set(trail)
        self._under_way += 1
        try:
            if call is not None:
                exchange.enter(call.place, call.cors)
                answer = None
            else:
                answer = reception.place(exchange)
            if answer is None:
                if self._under_way > reception.rules.concurrent_requests:
                    raise Refusal(errors.OVERLOADED, retry_after_s=RETRY_WHEN_BUSY_S)
                self._admit(exchange)
                in_flight = self._in_flight[exchange.surface.name]
                in_flight.value += 1.0
                try:
                    answer = await self._handlers[exchange.surface.name](exchange)
                finally:
                    in_flight.value -= 1.0
        except Refusal as refusal:
            answer = reception.refuse(exchange, refusal)
        except asyncio.CancelledError:
            self._gate.refused(Refusal(errors.CLIENT_GONE), trail)
            raise
        except Exception as exc:  # the outermost guard: a fault of ours is told
            log.error("request.failed", request_id=trail.request_id, surface=trail.surface, exc_info=exc)
            answer = reception.refuse(exchange, Refusal(errors.INTERNAL))
        finally:
            self._under_way -= 1
        reception.count(exchange, answer.status)
        if trail.trace is not None:
            reception.tell_times(exchange, answer)
        if self.draining and not answer.prepared:
            answer.force_close()
        return answer
