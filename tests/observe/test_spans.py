"""Our spans as OpenTelemetry's: same ids, parents, links and times; and a plain fault without the extra."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gateway.observe.spans import OtelSpans, TracingUnavailableError
from gateway.observe.tracing import Span
from gateway.policy.traces import SentContext

OTLP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
TRACE, ROOT, CHILD = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "00f067aa0ba902b8"
SENT = SentContext("1" * 32, "2" * 16)


def test_spans_arrive_as_they_were_made() -> None:
    exporter = InMemorySpanExporter()
    spans = OtelSpans("node-1", SimpleSpanProcessor(exporter))
    spans.take([
        Span(TRACE, ROOT, None, "GET session", "server", 10, 50, {"http.route": "session"}, (SENT,), failed=True),
        Span(TRACE, CHILD, ROOT, "GET api", "client", 20, 40, {"http.response.status_code": 200}, event="close"),
    ])  # fmt: skip
    spans.close()
    root, child = exporter.get_finished_spans()
    assert root.context is not None
    assert (f"{root.context.trace_id:032x}", f"{root.context.span_id:016x}", root.parent) == (TRACE, ROOT, None)
    assert (root.kind, root.status.status_code) == (SpanKind.SERVER, StatusCode.ERROR)
    assert (root.start_time, root.end_time) == (10, 50)
    assert [f"{link.context.trace_id:032x}" for link in root.links] == [SENT.trace_id]
    assert dict(root.resource.attributes)["service.name"] == "gateway"
    assert child.parent is not None
    assert f"{child.parent.span_id:016x}" == ROOT
    assert (child.kind, dict(child.attributes or {})) == (SpanKind.CLIENT, {"http.response.status_code": 200})
    assert [event.name for event in child.events] == ["close"]


@pytest.mark.parametrize("missing", ["opentelemetry.sdk.trace", OTLP])
def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(TracingUnavailableError, match=r"gateway\[otel\]"):
        OtelSpans("node-1")
