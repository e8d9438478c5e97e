"""Tests of injection: nothing of the caller's passes but what is listed, and ours always replaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Refusal
from gateway.policy import injection
from gateway.policy.injection import (
    MAX_ATTRIBUTES_BYTES,
    PASSED_REQUEST_HEADERS,
    ContextRules,
    GuestContext,
    attributes_bytes,
    context_attributes,
    own_line,
    passed_headers,
    request_lines,
)

Headers = list[tuple[str, str]]
BEARER = "platform-bearer-that-only-we-know"
GUEST = GuestContext("g-1", verified=True, site="shop", external_id="ada", origin="https://shop.example")


def sent(*inbound: tuple[str, str], bearer: str | None = BEARER, content_type: str | None = None) -> Headers:
    lines = request_lines(
        passed_headers(inbound),
        authorization=b"" if bearer is None else own_line("authorization", f"Bearer {bearer}"),
        origin="https://shop.example",
        request_id="r-1",
        content_type=content_type,
    )
    return fields_in(lines)


def fields_in(lines: bytes) -> Headers:
    """What stands on the wire."""
    assert lines.endswith(b"\r\n")
    pairs = [line.split(": ", 1) for line in lines.decode("ascii").removesuffix("\r\n").split("\r\n")]
    return [(name, value) for name, value in pairs]


STOPPED = [
    "Authorization",
    "authorization",
    "AUTHORIZATION",
    "Proxy-Authorization",
    "Cookie",
    "Cookie2",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-User",
    "X-Forwarded-Uri",
    "X_Forwarded_User",
    "X_Forwarded_For",
    "x-forwarded_user",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "Via",
    "X-Real-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Client-IP",
    "X-User",
    "X-User-Id",
    "X_User",
    "X-Remote-User",
    "Remote-User",
    "X-Genesys-Guest",
    "X-Genesys-User",
    "X-Auth-Request-Email",
    "X-Amzn-Oidc-Identity",
    "X-Guest-Id",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Host",
    "Content-Length",
    "Expect",
    "Origin",
    "Referer",
    "Range",
    "User-Agent",
    "Accept-Encoding",
    "Content-Encoding",
    "X-Request-Id",
    "traceparent",
    "tracestate",
    "baggage",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Key",
    "Accept_Language",
    "Content_Type",
    "accept ",
    "",
]


@pytest.mark.parametrize("name", STOPPED)
def test_a_header_that_is_not_listed_stops_here(name: str) -> None:
    assert not any("spoofed" in value for _, value in sent((name, "spoofed"), (name.title(), "spoofed")))


def test_listed_headers_pass_and_ours_are_set() -> None:
    assert sent(("Accept", "application/json"), ("Content-Type", "application/json"), ("If-None-Match", '"x"')) == [
        ("accept", "application/json"),
        ("if-none-match", '"x"'),
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "web-messaging-gateway"),
        ("authorization", f"Bearer {BEARER}"),
        ("x-request-id", "r-1"),
        ("origin", "https://shop.example"),
    ]


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Origin", "X-Request-ID", "User-Agent"])
def test_what_we_set_stands_once_whatever_came(name: str) -> None:
    headers = sent((name, "spoofed"), (name.upper(), "spoofed"), ("Connection", name))
    assert [header for header, _ in headers].count(name.lower()) == 1


@pytest.mark.parametrize(
    "nominated", ["authorization", "host, Authorization", "x-request-id", "content-type", "keep-alive"]
)
def test_nominating_a_header_removes_none_of_ours(nominated: str) -> None:
    headers = dict(sent(("Connection", nominated), ("Content-Type", "application/json")))
    assert headers["authorization"] == f"Bearer {BEARER}"
    assert headers["x-request-id"] == "r-1"
    assert headers["content-type"] == "application/json"


def test_nominating_a_header_of_its_own_removes_that() -> None:
    headers = dict(sent(("Accept-Language", "de"), ("Connection", "close, Accept-Language")))
    assert "accept-language" not in headers


def test_a_route_without_client_sends_no_credential() -> None:
    assert "authorization" not in dict(sent(("Authorization", "Bearer x"), bearer=None))


def test_the_routes_own_body_has_the_routes_own_type() -> None:
    headers = sent(("Content-Type", "text/plain"), content_type="application/json")
    assert [value for name, value in headers if name == "content-type"] == ["application/json"]


def test_a_server_has_no_origin_and_tracing_is_opt_in() -> None:
    lines = request_lines(passed_headers([]), authorization=b"", request_id="r", traceparent="00-a-b-01")
    assert fields_in(lines) == [
        ("accept-encoding", "identity"),
        ("user-agent", "web-messaging-gateway"),
        ("x-request-id", "r"),
        ("traceparent", "00-a-b-01"),
    ]


@pytest.mark.parametrize(
    "inbound",
    [
        [("Content-Type", "a/b"), ("content-type", "a/b")],
        [("Accept", "a\r\nX: 1")],
        [("Accept", "a\x00")],
        [("Accept", "é")],
        [("Accept", "\udc80")],
        [("Accept", "a" * 4097)],
    ],
)
def test_a_listed_header_that_is_ambiguous_is_refused(inbound: Headers) -> None:
    with pytest.raises(Refusal) as caught:
        sent(*inbound)
    assert caught.value.reason is errors.HEADER_INVALID


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\rb", "a\x00", "\u00e9", "\udc80", "a\x7fb"])
def test_a_value_of_ours_that_could_start_a_second_line_is_never_written(value: str) -> None:
    with pytest.raises(ValueError, match="x-request-id: not printable ASCII") as caught:
        request_lines(passed_headers([]), authorization=b"", request_id=value)
    assert value not in str(caught.value)
    for field in ("origin", "traceparent", "content_type"):
        with pytest.raises(ValueError, match="not printable ASCII"):
            request_lines(passed_headers([]), authorization=b"", request_id="r", **{field: value})


def test_what_passes_says_what_answers_may_be_kept_by() -> None:
    passed = passed_headers([("Accept", "a/b"), ("Accept-Language", "de"), ("X-Else", "1")])
    assert (passed.varying, passed.is_conditional) == (("a/b", "de"), False)
    assert passed_headers([("Connection", "accept"), ("Accept", "a/b")]).varying == ("", "")


@pytest.mark.parametrize("name", ["Content-Type", "Accept"])
def test_a_tab_in_a_value_of_the_callers_passes(name: str) -> None:
    assert fields_in(passed_headers([(name, "a/b;\tq=1")]).lines) == [(name.lower(), "a/b;\tq=1")]


@pytest.mark.parametrize("name", ["If-Match", "if-none-match", "If-Modified-Since", "IF-UNMODIFIED-SINCE"])
def test_a_precondition_is_told_where_it_goes_on(name: str) -> None:
    assert passed_headers([(name, "x")]).is_conditional
    assert not passed_headers([(name, "x"), ("Connection", name)]).is_conditional


def test_what_a_caller_sent_stays_out_of_the_repr() -> None:
    assert "secretive" not in repr(passed_headers([("Accept", "secretive")]))


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=8))
def test_no_set_of_headers_adds_a_name_that_is_not_known(inbound: Headers) -> None:
    try:
        headers = sent(*inbound)
    except Refusal:
        return
    ours = {"accept-encoding", "user-agent", "x-request-id", "authorization", "origin"}
    assert {name for name, _ in headers} <= PASSED_REQUEST_HEADERS | ours


def test_no_header_passes_that_carries_credentials() -> None:
    for name in PASSED_REQUEST_HEADERS:
        assert not any(word in name for word in ("cookie", "auth", "token", "forward", "user"))


def test_the_context_is_filled_in() -> None:
    rules = ContextRules(
        (("gw.guest", "{guest_id}"), ("gw.who", "{external_id}@{site} {verified}"), ("gw.from", "{origin}"), ("c", "x"))
    )
    assert context_attributes(rules, GUEST) == {
        "gw.guest": "g-1",
        "gw.who": "ada@shop true",
        "gw.from": "https://shop.example",
        "c": "x",
    }
    anonymous = GuestContext("g-2", verified=False, site="shop", external_id=None, origin=None)
    assert context_attributes(rules, anonymous)["gw.who"] == "@shop false"
    assert context_attributes(rules, anonymous)["gw.from"] == ""


def test_a_value_is_never_searched_for_placeholders() -> None:
    sly = GuestContext("g", verified=False, site="shop", external_id="{guest_id}{origin}", origin=None)
    assert context_attributes(ContextRules((("who", "{external_id}"),)), sly) == {"who": "{guest_id}{origin}"}


def test_attributes_and_reserved_keys_are_kept_from_pages() -> None:
    assert ContextRules((("Gw.Guest", "x"),), ("VIP",)).refused_keys == {"gw.guest", "vip"}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ((("a", "{nobody}"),), "unknown placeholder {nobody}"),
        ((("a", "{}"),), "unknown placeholder"),
        ((("", "x"),), "empty name"),
        ((("a", "x" * 2048),), "more than 2048 bytes"),
    ],
)
def test_context_that_cannot_be_set_is_a_fault(attributes: tuple[tuple[str, str], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContextRules(attributes)


def test_sizes_are_counted_in_bytes_of_keys_and_values() -> None:
    assert attributes_bytes({"é": "ab", "c": "😀"}) == 2 + 2 + 1 + 4
    ContextRules((("a", "x" * (MAX_ATTRIBUTES_BYTES - 1)),))


def test_a_guests_identifier_stays_out_of_the_repr() -> None:
    assert "ada" not in repr(GUEST)


def test_names_of_headers_are_remembered_within_a_bound() -> None:
    """Whoever sends ever new names fills no memory, and each is still judged."""
    endless = "X-" + "a" * (injection.MAX_KNOWN_CHARS + 1)
    assert fields_in(passed_headers([(endless, "1"), ("Accept", "2")]).lines) == [("accept", "2")]
    assert endless not in injection._keys
    passed_headers([(f"X-{number}", "1") for number in range(injection.MAX_KNOWN_NAMES + 10)])
    assert len(injection._keys) <= injection.MAX_KNOWN_NAMES
