"""A trace begins here: sampled by our own dice, linked to what was sent, and told without secrets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.observe.tracing import Span, Tracing
from gateway.policy.traces import SentContext, debug_header

KEY, NOW = b"k" * 32, 1_790_000_000.0
SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Kept:
    """A sink that keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def take(self, spans: Sequence[Span]) -> None:
        self.spans += spans


def made(sink: Kept | None, ratio: float = 1.0, chance: float = 0.5, **more: object) -> Tracing:
    return Tracing(sink, sample_ratio=ratio, clock=lambda: NOW, chance=lambda: chance, **more)  # type: ignore[arg-type]  # names of Tracing's own


def test_every_request_has_an_id_of_its_own_and_only_some_a_trace() -> None:
    tracing = made(Kept(), ratio=0.4)
    ids = {tracing.begin("GET", "/", None, None)[0] for _ in range(100)}
    assert len(ids) == 100
    assert all(len(one) == 32 for one in ids)
    assert tracing.begin("GET", "/", None, None)[1] is None
    assert made(Kept(), ratio=0.6).begin("GET", "/", None, None)[1] is not None


def test_what_a_browser_sent_is_a_link_and_its_sampled_flag_is_not_asked() -> None:
    assert made(Kept(), ratio=0.0).begin("GET", "/", SENT, None)[1] is None
    sink = Kept()
    tracing = made(sink)
    trace_id, trace = tracing.begin("GET", "/", SENT, None)
    assert trace is not None
    assert trace_id not in SENT
    tracing.end(trace, 0.0, method="GET", route="session", status=200, error=None)
    (span,) = sink.spans
    assert span.trace_id == trace_id
    assert span.parent is None
    assert list(span.links) == [SentContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")]


def test_a_malformed_context_is_ignored() -> None:
    _, trace = made(Kept()).begin("GET", "/", "00-zz", None)
    assert trace is not None
    assert trace.sent is None


def test_the_spans_of_a_request_belong_together() -> None:
    sink = Kept()
    tracing = made(sink)
    trace_id, trace = tracing.begin("POST", "/", None, None)
    assert trace is not None
    trace.stage("token fetch", "token", "internal", 1.0, 2.0)
    trace.stage("GET api", "upstream", "client", 2.0, 3.5, http__response__status_code=502)
    tracing.end(trace, 1.0, method="POST", route="/api/v2/x", status=502, error="upstream.unreachable")
    whole, token, upstream = sink.spans
    assert (whole.name, whole.kind, whole.failed) == ("POST /api/v2/x", "server", True)
    assert whole.attributes["error.type"] == "upstream.unreachable"
    assert {span.parent for span in (token, upstream)} == {whole.span_id}
    assert {span.trace_id for span in sink.spans} == {trace_id}
    assert upstream.end_ns - upstream.start_ns == pytest.approx(1_500_000_000, abs=1_000)
    assert upstream.attributes == {"http.response.status_code": 502}


def test_a_socket_is_one_span_of_the_request_that_opened_it() -> None:
    sink = Kept()
    tracing = made(sink)
    _, trace = tracing.begin("GET", "/v1", None, None)
    assert trace is not None
    tracing.socket_ended(trace, 2.0, code=1000, site="shop")
    (span,) = sink.spans
    assert (span.name, span.parent, span.event) == ("websocket", trace.span_id, "close")
    assert span.end_ns - span.start_ns == 2_000_000_000


def test_a_signed_debug_request_is_timed_even_without_spans() -> None:
    tracing = Tracing(debug_key=KEY, clock=lambda: NOW)
    assert tracing.begin("GET", "/a", None, None)[1] is None
    assert tracing.begin("GET", "/a", None, debug_header(b"x" * 32, "GET", "/a", int(NOW)))[1] is None
    _, trace = tracing.begin("GET", "/a", None, debug_header(KEY, "GET", "/a", int(NOW)))
    assert trace is not None
    assert (trace.debug, trace.sampled) == (True, False)
    trace.stage("token fetch", "token", "internal", 1.0, 1.002)
    trace.stage("token fetch", "token", "internal", 2.0, 2.001)
    assert trace.server_timing(0.0).startswith("token;dur=3.00, total;dur=")
    tracing.end(trace, 0.0, method="GET", route="x", status=200, error=None)  # no sink: nothing happens
    tracing.socket_ended(trace, 1.0, code=1000, site="shop")


@pytest.mark.parametrize(("propagates", "ratio", "flag"), [(False, 1.0, None), (True, 1.0, "01"), (True, 0.0, "00")])
def test_genesys_is_told_our_trace_only_where_it_is_wanted(propagates: bool, ratio: float, flag: str | None) -> None:
    tracing = made(Kept(), ratio=ratio, propagates=propagates)
    trace_id, trace = tracing.begin("GET", "/", SENT, None)
    header = tracing.upstream_header(trace_id, trace)
    if flag is None:
        assert header is None
    else:
        assert header is not None
        assert header.startswith(f"00-{trace_id}-")
        assert header.endswith(flag)
    assert tracing.upstream_header(None, None) is None
