"""Finished spans to OpenTelemetry, by hand: the extra `otel`. No auto-instrumentation, which would record URLs.

Leaves what is a span to tracing.py. The rule: attributes are those that tracing.py names; no URL, query, header or
body has a way in here.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gateway import __version__
from gateway.observe.tracing import Kind, Span

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext


class TracingUnavailableError(Exception):
    """The extra `otel` is not installed; the message says how to get it."""


class OtelSpans:
    """A sink for spans, over the OpenTelemetry SDK. `processor`: what it does with them; by default a batch to OTLP."""

    def __init__(self, node: str, processor: "SpanProcessor | None" = None) -> None:
        """Raises TracingUnavailableError without the extra."""
        try:
            from opentelemetry import trace as api  # noqa: PLC0415  # an extra: absent unless spans are wanted
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # as above
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # as above
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # as above
            from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415  # as above
        except ImportError as exc:
            raise TracingUnavailableError("spans need the extra: pip install 'gateway[otel]'") from exc

        class Given(IdGenerator):
            """Ids that were drawn when the request came, so that records and spans have the same."""

            trace_id, span_id = 1, 1

            def generate_trace_id(self) -> int:
                return self.trace_id

            def generate_span_id(self) -> int:
                return self.span_id

        self._api, self._ids = api, Given()
        resource = {"service.name": "gateway", "service.version": __version__, "service.instance.id": node}
        self._provider = TracerProvider(
            resource=Resource(resource), id_generator=self._ids, shutdown_on_exit=False
        )  # which to keep was decided before
        self._provider.add_span_processor(processor if processor is not None else BatchSpanProcessor(_otlp()))
        self._tracer = self._provider.get_tracer("gateway", __version__)
        self._kinds: Final[dict[Kind, api.SpanKind]] = {
            "server": api.SpanKind.SERVER, "client": api.SpanKind.CLIENT, "internal": api.SpanKind.INTERNAL,
        }  # fmt: skip

    def take(self, spans: Sequence[Span]) -> None:
        """Hand the spans of one trace on; the processor sends them later, in a thread of its own."""
        api = self._api
        for span in spans:
            self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
            made = self._tracer.start_span(
                span.name,
                context=self._context(span),
                kind=self._kinds[span.kind],
                attributes=span.attributes,
                links=[api.Link(self._remote(sent.trace_id, sent.span_id, remote=True)) for sent in span.links],
                start_time=span.start_ns,
            )
            if span.event is not None:
                made.add_event(span.event, timestamp=span.end_ns)
            if span.failed:
                made.set_status(api.StatusCode.ERROR)
            made.end(span.end_ns)

    def close(self) -> None:
        """Send what waits, and end. Blocking."""
        self._provider.shutdown()

    def _context(self, span: Span) -> "Context":
        from opentelemetry.context import Context  # noqa: PLC0415  # the extra is there: __init__ has asked for it

        if span.parent is None:
            return Context()
        parent = self._api.NonRecordingSpan(self._remote(span.trace_id, span.parent, remote=False))
        return self._api.set_span_in_context(parent, Context())

    def _remote(self, trace_id: str, span_id: str, *, remote: bool) -> "SpanContext":
        api = self._api
        flags = api.TraceFlags(api.TraceFlags.SAMPLED)
        made: SpanContext = api.SpanContext(int(trace_id, 16), int(span_id, 16), remote, flags)
        return made


def _otlp() -> "SpanExporter":
    """The exporter that the environment configures (OTEL_EXPORTER_OTLP_ENDPOINT, ..._HEADERS, ..._CERTIFICATE)."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # an extra
            OTLPSpanExporter,
        )
    except ImportError as exc:
        raise TracingUnavailableError("spans need the extra: pip install 'gateway[otel]'") from exc
    return OTLPSpanExporter()
