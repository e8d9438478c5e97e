"""Tracing over a whole gateway: ids in answers' records, timing for signed requests, context to Genesys, exemplars."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.app import gateway as gateway_module
from gateway.app.tracing import make_spans, make_tracing
from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from gateway.observe.spans import OtelSpans
from gateway.policy.traces import DEBUG_HEADER, debug_header
from tests.stack import BACKEND_KEY, Stack, compiled, whole_stack
from tests.telemetry import drive

KEY = "debug-key-0123456789-0123456789-abcdef"
SENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "user=ada"}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What the gateway's spans end in."""
    kept = InMemorySpanExporter()

    def kept_spans(_compiled: Compiled, node: str) -> OtelSpans:
        return OtelSpans(node, SimpleSpanProcessor(kept))

    monkeypatch.setattr(gateway_module, "make_spans", kept_spans)
    return kept


async def upstream_headers(stack: Stack) -> dict[str, str]:
    """What Genesys got with the last call."""
    async with stack.client.get(f"{stack.mock.endpoints.control}/requests") as answer:
        found = [one for one in (await answer.json())["requests"] if one["path"].startswith(drive.WAIT)]
    return {name.lower(): value for name, value in found[-1]["headers"].items()}


async def test_records_hold_the_trace_that_began_here(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        await drive.ask(stack, "GET", drive.WAIT, bearer=BACKEND_KEY, origin=None, headers=SENT)
        record = (await stack.records())[-1]
        assert len(record["trace.id"]) == 32
        assert record["trace.id"] not in SENT["traceparent"]
        sent = await upstream_headers(stack)
        assert "traceparent" not in sent
        assert "baggage" not in sent


async def test_genesys_gets_our_context_where_the_configuration_says_so(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"tracing.propagate_upstream": True}) as stack:
        await drive.ask(stack, "GET", drive.WAIT, bearer=BACKEND_KEY, origin=None, headers=SENT)
        record = (await stack.records())[-1]
        sent = await upstream_headers(stack)
        assert sent["traceparent"].startswith(f"00-{record['trace.id']}-")
        assert "baggage" not in sent


@pytest.mark.parametrize("bad", ["", "00-0-0-0", "x" * 5_000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_malformed_context_is_never_a_400(tmp_path: Path, bad: str) -> None:
    async with whole_stack(tmp_path) as stack:
        assert await drive.ask(stack, "GET", "/widget.js", headers={"traceparent": bad}) == 200


@pytest.mark.parametrize("opted_in", [False, True])
async def test_pages_may_send_a_context_only_where_the_site_opts_in(tmp_path: Path, opted_in: bool) -> None:
    async with whole_stack(tmp_path, {"sites.shop.traceparent": opted_in}) as stack:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "traceparent"}
        async with stack.call("OPTIONS", "/session", headers=asked) as answer:
            assert ("traceparent" in answer.headers["Access-Control-Allow-Headers"]) is opted_in


async def test_a_signed_debug_request_is_told_where_its_time_went(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"tracing.debug_key": KEY}) as stack:
        path = "/sites/shop" + drive.WAIT
        good = {DEBUG_HEADER: debug_header(KEY.encode(), "GET", path, int(time.time()))}
        async with stack.call("GET", drive.WAIT, bearer=BACKEND_KEY, origin=None, headers=good) as answer:
            timing = answer.headers["Server-Timing"]
        assert [part.partition(";")[0] for part in timing.split(", ")] == ["token", "upstream", "total"]
        bad = {DEBUG_HEADER: debug_header(b"another key", "GET", path, int(time.time()))}
        async with stack.call("GET", drive.WAIT, bearer=BACKEND_KEY, origin=None, headers=bad) as answer:
            assert "Server-Timing" not in answer.headers
        signed = {DEBUG_HEADER: debug_header(KEY.encode(), "POST", "/sites/shop/session", int(time.time()))}
        body = {"visitor_token": drive.visitor_token()}
        async with stack.call("POST", "/session", json=body, headers=signed) as answer:
            assert answer.headers["Server-Timing"].startswith("verify;dur=")
        assert KEY not in str(await stack.records())


async def test_spans_name_what_was_done_and_exemplars_lead_to_them(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with whole_stack(tmp_path, {"tracing.sample_ratio": 1.0}) as stack:
        await drive.ask(stack, "GET", drive.WAIT, bearer=BACKEND_KEY, origin=None)
        await stack.session(drive.visitor_token())
        await drive.socket(stack)
        async with stack.client.get(
            f"{stack.admin_url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        ) as answer:
            metrics = await answer.text()
    spans = exporter.get_finished_spans()
    names = {span.name for span in spans}
    template = "/api/v2/routing/queues/{queueId}/estimatedwaittime"
    assert {f"GET {template}", "token fetch", "GET api", "verify visitor", "POST session", "websocket"} <= names
    traces = {f"{span.context.trace_id:032x}" for span in spans if span.context is not None}
    assert any(f'trace_id="{trace}"' in metrics for trace in traces)


async def test_no_span_holds_a_secret_an_address_or_a_text(tmp_path: Path, exporter: InMemorySpanExporter) -> None:
    async with whole_stack(tmp_path, {"tracing.sample_ratio": 1.0}) as stack:
        await drive.pages(stack)
        await drive.backend(stack)
        await drive.socket(stack, "a text that nobody else may read")
        tokens = set(stack.mock.world.access_tokens)
    said = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert said
    for word in (*tokens, BACKEND_KEY, drive.SUBJECT, "cara@canary.example", "nobody else may read", "127.0.0.1", "eyJ",
                 "gws_", "gwt_", "gwb_", "?"):  # fmt: skip
        assert word not in said, word


def test_spans_that_are_wanted_and_cannot_be_made_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigFault, match=r"tracing\.spans"):
        make_spans(compiled({"tracing.spans": True}), "node")


def test_without_the_wish_there_are_no_spans() -> None:
    config = compiled({})
    assert make_spans(config, "node") is None
    assert make_tracing(config, None, time.time).begin("GET", "/", None, None)[1] is None


def test_spans_are_sent_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    spans = make_spans(compiled({"tracing.spans": True}), "node")
    assert spans is not None
    spans.close()
