"""Traces: an id for every request, and for the sampled ones how long each stage took.

Making spans of them is `spans.py`'s. The rule: a trace begins here; what a browser sent is kept as a link only, its
sampled flag is not asked, and no stage holds more than names and numbers.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from gateway.policy.traces import SentContext, is_debug_request, parse_traceparent, traceparent

Attribute = str | int
Kind = Literal["server", "client", "internal"]
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span; times in nanoseconds since the epoch. `parent`: the span id of the one that it belongs to."""

    trace_id: str
    span_id: str
    parent: str | None
    name: str
    kind: Kind
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    links: Sequence[SentContext] = ()
    event: str | None = None
    failed: bool = False


class SpanSink(Protocol):
    """Takes finished spans; must not raise or wait."""

    def take(self, spans: Sequence[Span]) -> None:
        """The spans of one trace, the outermost first."""


@dataclass(slots=True)
class Stage:
    """A part of the way of a request; times by the monotonic clock."""

    name: str
    label: str
    kind: Kind
    began: float
    ended: float
    attributes: Mapping[str, Attribute]


@dataclass(slots=True)
class Trace:
    """The trace of one sampled or debugged request. `label` of a stage is its name in Server-Timing."""

    trace_id: str
    span_id: str
    sampled: bool
    debug: bool
    sent: SentContext | None
    stages: list[Stage] = field(default_factory=list)

    def stage(
        self, name: str, label: str, kind: Kind, began: float, ended: float | None = None, **attributes: Attribute
    ) -> None:
        """Note a stage that has ended, now unless told."""
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        self.stages.append(Stage(name, label, kind, began, time.monotonic() if ended is None else ended, named))

    def server_timing(self, started: float) -> str:
        """The value of a Server-Timing header: each stage and the whole, in milliseconds (W3C Server Timing)."""
        sums: dict[str, float] = {}
        for stage in self.stages:
            sums[stage.label] = sums.get(stage.label, 0.0) + stage.ended - stage.began
        sums["total"] = time.monotonic() - started
        return ", ".join(f"{label};dur={seconds * 1000:.2f}" for label, seconds in sums.items())


class Tracing:
    """Begins traces and ends them. Without a sink only ids are made, and signed debug requests timed."""

    def __init__(
        self,
        sink: SpanSink | None = None,
        *,
        sample_ratio: float = 0.0,
        debug_key: bytes | None = None,
        propagates: bool = False,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        bits: Callable[[int], int] = random.getrandbits,
    ) -> None:
        """`propagates`: whether Genesys is told our trace."""
        self._sink, self._ratio, self._debug_key = sink, sample_ratio if sink is not None else 0.0, debug_key
        self._propagates, self._clock, self._chance, self._bits = propagates, clock, chance, bits

    def begin(self, method: str, path: str, sent: str | None, debug: str | None) -> tuple[str, Trace | None]:
        """The id of a new trace, and the trace itself where it is sampled or debugged.

        `sent`: the caller's traceparent; `debug`: its debug header.
        """
        trace_id = f"{self._bits(128) or 1:032x}"
        key = self._debug_key
        is_debug = debug is not None and key is not None and is_debug_request(debug, key, method, path, self._clock())
        if not is_debug and (self._ratio <= 0.0 or self._chance() >= self._ratio):
            return trace_id, None
        sampled = self._sink is not None
        return trace_id, Trace(trace_id, self._span_id(), sampled, is_debug, parse_traceparent(sent))

    def upstream_header(self, trace_id: str | None, trace: Trace | None) -> str | None:
        """The traceparent that Genesys is sent, where the configuration wants it."""
        if not self._propagates or trace_id is None:
            return None
        if trace is None:
            return traceparent(trace_id, self._span_id(), sampled=False)
        return traceparent(trace_id, trace.span_id, sampled=trace.sampled)

    def end(self, trace: Trace, started: float, *, method: str, route: str, status: int, error: str | None) -> None:
        """Make the spans of a request that was answered."""
        attributes: dict[str, Attribute] = {
            "http.request.method": method, "http.route": route, "http.response.status_code": status,
        }  # fmt: skip
        if error is not None:
            attributes["error.type"] = error
        self._emit(trace, Stage(f"{method} {route}", "total", "server", started, time.monotonic(), attributes), status)

    def socket_ended(self, trace: Trace, duration_s: float, *, code: int, site: str) -> None:
        """Make the span of a socket that was closed; it belongs to the request that opened it."""
        if self._sink is None or not trace.sampled:
            return
        end_ns = int(self._clock() * _NS)
        attributes: dict[str, Attribute] = {"gateway.site": site, "gateway.ws.code": code}
        begin_ns = end_ns - int(duration_s * _NS)
        self._sink.take(
            [Span(trace.trace_id, self._span_id(), trace.span_id, "websocket", "server", begin_ns, end_ns, attributes,
                  event="close")]
        )  # fmt: skip

    def _emit(self, trace: Trace, whole: Stage, status: int) -> None:
        if self._sink is None or not trace.sampled:
            return
        offset = self._clock() - time.monotonic()

        def span(stage: Stage, span_id: str, parent: str | None) -> Span:
            begin_ns, end_ns = (int((moment + offset) * _NS) for moment in (stage.began, stage.ended))
            is_whole = parent is None
            links = (trace.sent,) if is_whole and trace.sent is not None else ()
            return Span(trace.trace_id, span_id, parent, stage.name, stage.kind, begin_ns, end_ns, stage.attributes,
                        links, failed=is_whole and status >= 500)  # fmt: skip

        parts = [span(stage, self._span_id(), trace.span_id) for stage in trace.stages]
        self._sink.take([span(whole, trace.span_id, None), *parts])

    def _span_id(self) -> str:
        return f"{self._bits(64) or 1:016x}"
