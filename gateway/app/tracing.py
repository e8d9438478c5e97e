"""Tracing as the configuration wants it: spans or none, how many, and the key of signed debug requests.

What a trace is, is `observe/tracing.py`'s. The rule: spans that are wanted and cannot be made are a fault at start.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from gateway.observe.spans import OtelSpans, TracingUnavailableError
from gateway.observe.tracing import SpanSink, Tracing


def make_spans(compiled: Compiled, node: str) -> OtelSpans | None:
    """The way to OpenTelemetry, when [tracing] spans is set. Raises ConfigFault without the extra."""
    if not compiled.config.tracing.spans:
        return None
    try:
        return OtelSpans(node)
    except TracingUnavailableError as fault:
        raise ConfigFault([("tracing.spans", str(fault))]) from fault


def make_tracing(compiled: Compiled, sink: SpanSink | None, clock: Callable[[], float]) -> Tracing:
    """What begins and ends traces. A change of [tracing] takes a restart."""
    settings, key = compiled.config.tracing, compiled.debug_key
    return Tracing(
        sink,
        sample_ratio=settings.sample_ratio,
        debug_key=key.reveal_bytes() if key is not None else None,
        propagates=settings.propagate_upstream,
        clock=clock,
    )
