"""Trace context is read as W3C says, and debug requests are believed only with a fresh signature of their own."""

from __future__ import annotations

import pytest

from gateway.policy.traces import SentContext, debug_header, is_debug_request, parse_traceparent, traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEY, NOW = b"k" * 32, 1_790_000_000.0


@pytest.mark.parametrize(
    "header", [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-more"]
)
def test_a_good_header_names_trace_and_span(header: str) -> None:
    assert parse_traceparent(header) == SentContext(TRACE, SPAN)


@pytest.mark.parametrize(
    "header",
    [
        None, "", "00", f"00-{TRACE}-{SPAN}", f"00-{TRACE}-{SPAN}-01-more", f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01", f" 00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\n",
    ],
)  # fmt: skip
def test_anything_else_is_ignored(header: str | None) -> None:
    assert parse_traceparent(header) is None


def test_what_we_send_can_be_read() -> None:
    assert traceparent(TRACE, SPAN, sampled=True) == f"00-{TRACE}-{SPAN}-01"
    assert traceparent(TRACE, SPAN, sampled=False).endswith("-00")


def test_a_signed_debug_request_is_believed_for_five_minutes() -> None:
    header = debug_header(KEY, "GET", "/sites/shop/widget.js", int(NOW))
    for now in (NOW, NOW + 300, NOW - 300):
        assert is_debug_request(header, KEY, "GET", "/sites/shop/widget.js", now)
    for now in (NOW + 301, NOW - 301):
        assert not is_debug_request(header, KEY, "GET", "/sites/shop/widget.js", now)


@pytest.mark.parametrize(
    ("key", "method", "path"), [(b"x" * 32, "GET", "/a"), (KEY, "POST", "/a"), (KEY, "GET", "/b"), (KEY, "GET", "/a?b")]
)
def test_a_signature_is_for_one_key_method_and_path(key: bytes, method: str, path: str) -> None:
    assert not is_debug_request(debug_header(KEY, "GET", "/a", int(NOW)), key, method, path, NOW)


@pytest.mark.parametrize("header", [None, "", "1", "t=1790000000", "t=1790000000,s=00", "t=x,s=" + "0" * 64])
def test_what_is_no_signature_is_not_believed(header: str | None) -> None:
    assert not is_debug_request(header, KEY, "GET", "/a", NOW)
