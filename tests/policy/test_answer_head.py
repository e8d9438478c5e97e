"""What of an answer's head passes: what callers need, nothing that could be a credential, whatever name it bears."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import answer_head
from gateway.policy.answer_head import (
    PASSED_ANSWER_HEADERS,
    answer_fields,
    answer_lines,
    has_field,
)

Headers = list[tuple[str, str]]
BEARER = "platform-bearer-that-only-we-know"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"


def passing(upstream: Headers, secret: str = BEARER) -> Headers:
    """What the caller sees of these fields."""
    raw = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in upstream]
    lines = answer_lines(answer_fields(raw), secret.encode())
    pairs = [line.split(": ", 1) for line in lines.decode("ascii").split("\r\n")[:-1]]
    return [(name, value) for name, value in pairs]


def test_the_answer_keeps_what_the_caller_needs() -> None:
    kept = [
        ("content-type", "application/json"),
        ("inin-correlation-id", "c-1"),
        ("inin-ratelimit-count", "3"),
        ("retry-after", "4"),
        ("etag", '"x"'),
    ]
    assert passing([(name.title(), value) for name, value in kept]) == kept


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie",
        "Set-Cookie2",
        "Server",
        "X-Powered-By",
        "Via",
        "Alt-Svc",
        "Strict-Transport-Security",
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
        "Access-Control-Expose-Headers",
        "Location",
        "Content-Location",
        "Link",
        "Refresh",
        "Content-Length",
        "Content-Encoding",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Trailer",
        "Upgrade",
        "Vary",
        "Authorization",
        "Authentication-Info",
        "WWW-Authenticate",
        "X-Amz-Security-Token",
        "X-Anything",
    ],
)
def test_the_answer_loses_everything_else(name: str) -> None:
    assert passing([(name, "value")]) == []


@pytest.mark.parametrize(
    "value",
    [
        f"bearer {BEARER}",
        "Bearer abc",
        "BEARER\tabc",
        "Basic dXNlcjpwdw==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln",
        f"x{BEARER}y",
        "gws_" + "A" * 43,
        "a\r\nSet-Cookie: x=1",
        "é",
        "x" * 4097,
    ],
)
def test_a_value_that_is_token_shaped_does_not_pass(value: str) -> None:
    assert passing([("ETag", value)]) == []


def test_one_bad_value_takes_no_other_with_it() -> None:
    upstream = [("ETag", "Bearer abc"), ("Retry-After", "4"), ("Expires", "x" * 4000), ("Sunset", "a\tb")]
    assert passing(upstream) == lowered(upstream[1:])


def lowered(headers: Headers) -> Headers:
    return [(name.lower(), value) for name, value in headers]


def test_the_first_of_two_counts_and_a_nominated_one_is_dropped() -> None:
    upstream = [("ETag", '"1"'), ("etag", '"2"'), ("Expires", "0"), ("Connection", "close, Expires")]
    assert passing(upstream) == [("etag", '"1"')]


def test_no_field_passes_that_carries_credentials() -> None:
    for name in PASSED_ANSWER_HEADERS:
        assert not any(word in name for word in (b"cookie", b"auth", b"token", b"forward", b"user"))


def test_fields_are_found_by_any_spelling_the_first_of_each() -> None:
    found = answer_fields([(b"Content-TYPE", b"a"), (b"content-type", b"b"), (b"X-Other", b"c"), (b"ETag", b"d")])
    assert found == {b"content-type": b"a", b"etag": b"d"}


def test_connection_is_read_in_one_piece() -> None:
    assert answer_fields([(b"Connection", b"close"), (b"connection", b"etag")]) == {b"connection": b"close,etag"}


def test_a_call_without_a_credential_has_none_to_look_for() -> None:
    assert passing([("ETag", "1")], secret="") == [("etag", "1")]


@pytest.mark.parametrize("value", [JWT, "gwh_" + "b" * 43, "BaSiC \tx", "bEARER x", f"a {BEARER}"])
def test_what_is_token_shaped_goes_alone_however_it_is_spelt(value: str) -> None:
    assert passing([("ETag", "1"), ("Warning", value), ("Expires", "0")]) == [("etag", "1"), ("expires", "0")]


@pytest.mark.parametrize("value", ["no-store, max-age=0", "basics", "bearers", "J_", 'W/"Jgw_"', "a\tb"])
def test_what_only_hints_at_a_token_passes(value: str) -> None:
    assert passing([("Warning", value), ("ETag", "x" * 4096)]) == [("warning", value), ("etag", "x" * 4096)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ETag", "Warning", "Sunset", "Expires", "Connection"]),
            st.one_of(
                st.text(max_size=12),
                st.sampled_from([BEARER, JWT, "Bearer x", "basic\ty", "etag", "close, Warning", "gws_" + "c" * 43]),
            ),
        ),
        max_size=6,
    )
)
def test_all_at_once_gives_what_each_alone_gives(upstream: Headers) -> None:
    """Looking at all lines together saves time; it must not change what passes."""
    nominated = {
        name.strip(" \t").lower() for key, value in upstream if key == "Connection" for name in value.split(",")
    }
    first: dict[str, str] = {}
    for name, value in upstream:
        first.setdefault(name, value)
    alone = [passing([field])[0] for field in first.items() if field[0].lower() not in nominated and passing([field])]
    assert passing(upstream) == alone


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (b"", False),
        (b"cache-control: x\r\n", True),
        (b"etag: 1\r\ncache-control: x\r\n", True),
        (b"warning: cache-control: x\r\n", False),
    ],
)
def test_a_name_is_found_at_the_start_of_a_line_only(lines: bytes, *, found: bool) -> None:
    assert has_field(lines, b"cache-control") is found


def test_names_are_remembered_within_a_bound() -> None:
    """An upstream that makes up ever new names fills no memory, and each is still judged."""
    endless = b"X-" + b"a" * (answer_head.MAX_KNOWN_BYTES + 1)
    assert answer_fields([(endless, b"1"), (b"ETag", b"2")]) == {b"etag": b"2"}
    assert endless not in answer_head._keys
    answer_fields([(b"x-made-up-%d" % number, b"") for number in range(3 * answer_head.MAX_KNOWN_NAMES)])
    assert len(answer_head._keys) <= answer_head.MAX_KNOWN_NAMES
    assert answer_fields([(b"EtAg", b"3")]) == {b"etag": b"3"}
