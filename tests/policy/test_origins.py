"""Tests of origins as tables of allow and deny: what a page may look like, and which look-alikes it may not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.origins import (
    Origin,
    OriginPattern,
    OriginRules,
    check_origin,
    cors_headers,
    parse_origin,
    parse_pattern,
    preflight_headers,
)


def rules(*entries: str, allow_null: bool = False) -> OriginRules:
    return OriginRules(tuple(parse_pattern(entry) for entry in entries), allow_null)


def refusal_of(header: str | None, allowed: OriginRules) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_origin(header, allowed)
    return caught.value


SHOP = rules("https://shop.example", "https://*.shop.example")
LOCAL = rules("http://localhost:8088", "http://127.0.0.1:8088", "http://[::1]:8088", "https://app.test:8443")
IDN = rules("https://bücher.example")


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("https://shop.example", SHOP),
        ("https://www.shop.example", SHOP),
        ("https://a.b.shop.example", SHOP),
        ("https://xn--bcher-kva.shop.example", SHOP),
        ("http://localhost:8088", LOCAL),
        ("http://127.0.0.1:8088", LOCAL),
        ("http://[::1]:8088", LOCAL),
        ("https://app.test:8443", LOCAL),
        ("https://xn--bcher-kva.example", IDN),
        ("null", rules(allow_null=True)),
        ("https://x.app.test:8443", rules("https://*.app.test:8443")),
    ],
)
def test_a_listed_origin_is_echoed_as_it_came(header: str, allowed: OriginRules) -> None:
    assert check_origin(header, allowed) == header


def test_port_makes_a_different_origin() -> None:
    assert refusal_of("https://shop.example:8443", SHOP).reason is errors.ORIGIN_NOT_ALLOWED
    assert refusal_of("https://www.shop.example:8443", SHOP).reason is errors.ORIGIN_NOT_ALLOWED
    assert refusal_of("http://localhost", LOCAL).reason is errors.ORIGIN_NOT_ALLOWED


def test_a_wildcard_does_not_mean_the_name_itself() -> None:
    only_below = rules("https://*.shop.example")
    assert refusal_of("https://shop.example", only_below).reason is errors.ORIGIN_NOT_ALLOWED


def test_an_empty_list_means_nobody() -> None:
    assert refusal_of("https://shop.example", rules()).reason is errors.ORIGIN_NOT_ALLOWED


def test_a_wildcard_does_not_reach_addresses() -> None:
    assert refusal_of("https://127.0.0.1", SHOP).reason is errors.ORIGIN_NOT_ALLOWED
    assert refusal_of("https://[::1]", SHOP).reason is errors.ORIGIN_NOT_ALLOWED


LOOK_ALIKES = [
    # another registrable name
    "https://shop.example.evil.test",
    "https://evilshop.example",
    "https://evil-shop.example",
    "https://shopexample",
    "https://shop.examplee",
    "https://shop.exampl",
    "https://shop-example",
    "https://shop.example-evil.test",
    "https://xshop.example",
    "https://shop.example.com",
    "https://example",
    "https://sh0p.example",
    "https://xn--shp-jma.example",
    # user info, path, query, fragment
    "https://shop.example@evil.test",
    "https://evil.test@shop.example",
    "https://user:pw@shop.example",
    "https://shop.example/",
    "https://shop.example/path",
    "https://evil.test/https://shop.example",
    "https://shop.example?x",
    "https://shop.example#x",
    "https://evil.test#shop.example",
    "https://evil.test?shop.example",
    "https://shop.example%2eevil.test",
    "https://shop.example%00.evil.test",
    "https://evil.test%23.shop.example",
    "https://shop%2eexample",
    # ports
    "https://shop.example:443",
    "https://shop.example:",
    "https://shop.example:0",
    "https://shop.example:0443",
    "https://shop.example:65536",
    "https://shop.example:99999",
    "https://shop.example:443@evil.test",
    "https://shop.example:abc",
    "https://shop.example:8443:443",
    # spelling that browsers never send
    "https://SHOP.example",
    "HTTPS://shop.example",
    "https://shop.example.",
    "https://www.shop.example.",
    "https://.shop.example",
    "https://www..shop.example",
    "https://*.shop.example",
    "https://-.shop.example",
    "https://bücher.shop.example",
    "https://shop\u3002example",
    "https://\uff53hop.example",
    # white space and several values
    " https://shop.example",
    "https://shop.example ",
    "https://shop.example\t",
    "https://shop.example\n",
    "https://shop.example\r\nX-Evil: 1",
    "https://shop.example\x00",
    "https://shop.example, https://evil.test",
    "https://shop.example https://evil.test",
    "https://evil.test,https://shop.example",
    "https://shop.example;https://evil.test",
    # other schemes and forms
    "shop.example",
    "www.shop.example",
    "//shop.example",
    "https:shop.example",
    "https:/shop.example",
    "https:///shop.example",
    "https:\\\\shop.example",
    "https://evil.test\\shop.example",
    "https://evil.test\\.shop.example",
    "ftp://shop.example",
    "ws://shop.example",
    "wss://shop.example",
    "file://",
    "javascript://shop.example",
    "chrome-extension://shop.example",
    "httpss://shop.example",
    "http://shop.example",
    "http://shop.example:443",
    "https",
    "https://",
    "",
    "*",
    "null",
    "NULL",
    "undefined",
    "https://[shop.example]",
    "https://[::1",
    "https://shop.example" + "x" * 300,
    "https://127.0.0.1",
    "https://2130706433",
]


@pytest.mark.parametrize("header", LOOK_ALIKES)
def test_a_look_alike_is_refused(header: str) -> None:
    assert refusal_of(header, SHOP).code.startswith("origin.")


def test_there_are_as_many_look_alikes_as_the_bar_asks_for() -> None:
    assert len(set(LOOK_ALIKES)) >= 59


@pytest.mark.parametrize(
    ("header", "reason", "detail"),
    [
        (None, errors.ORIGIN_MISSING, ""),
        ("null", errors.ORIGIN_NULL, ""),
        ("http://shop.example", errors.ORIGIN_INSECURE, "https://shop.example is listed"),
        ("http://www.shop.example", errors.ORIGIN_INSECURE, "https://www.shop.example is listed"),
        ("http://evil.test", errors.ORIGIN_NOT_ALLOWED, "the origin http://evil.test is not listed"),
        ("shop.example", errors.ORIGIN_MALFORMED, "bare host name"),
        ("https://Shop.example", errors.ORIGIN_MALFORMED, "lower case"),
        ("https://shop.example/", errors.ORIGIN_MALFORMED, "not scheme://host"),
        ("https://shop.example:443", errors.ORIGIN_MALFORMED, "port"),
        ("http://shop.example:80", errors.ORIGIN_MALFORMED, "port"),
        ("https://shop.example:70000", errors.ORIGIN_MALFORMED, "port"),
    ],
)
def test_a_refusal_says_which_rule(header: str | None, reason: Reason, detail: str) -> None:
    refusal = refusal_of(header, SHOP)
    assert refusal.reason is reason
    assert detail in refusal.detail


def test_an_insecure_page_on_a_listed_port_is_named_as_such() -> None:
    assert refusal_of("http://app.test:8443", LOCAL).reason is errors.ORIGIN_INSECURE


def test_null_is_refused_unless_the_flag_is_set() -> None:
    assert refusal_of("null", SHOP).reason is errors.ORIGIN_NULL


def test_a_malformed_value_is_not_repeated() -> None:
    assert "evil" not in refusal_of("https://evil\r\nX: 1", SHOP).detail


@pytest.mark.parametrize(
    ("text", "serialised"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.Example:443", "https://shop.example"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("https://*.shop.example:8443", "https://*.shop.example:8443"),
        ("http://localhost:8088", "http://localhost:8088"),
        ("http://shop.example:80", "http://shop.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://*.bücher.example", "https://*.xn--bcher-kva.example"),
        ("http://[0:0::1]:8088", "http://[::1]:8088"),
    ],
)
def test_an_entry_is_read_in_any_spelling_and_written_in_one(text: str, serialised: str) -> None:
    assert parse_pattern(text).serialise() == serialised


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shop.example", "not scheme://host"),
        ("*", "not scheme://host"),
        ("null", "not scheme://host"),
        ("ftp://shop.example", "scheme ftp"),
        ("wss://shop.example", "scheme wss"),
        ("https://", "no host"),
        ("https://shop.example/", "has a path"),
        ("https://shop.example:8443/", "has a path"),
        ("https://shop.example?x", "has a query"),
        ("https://shop.example#x", "has a fragment"),
        ("https://user@shop.example", "has user info"),
        ("https://shop.example.", "ends with a dot"),
        ("https://shop.example:", "no valid port"),
        ("https://shop.example:0", "no valid port"),
        ("https://shop.example:65536", "no valid port"),
        ("https://shop.example:٤٤٣", "no valid port"),
        ("https://*.com", "anybody can register"),
        ("https://*.localhost", "anybody can register"),
        ("https://*.co.uk", "anybody can register"),
        ("https://*.github.io", "anybody can register"),
        ("https://*", "whole first label"),
        ("https://*.*.shop.example", "whole first label"),
        ("https://www.*.example", "whole first label"),
        ("https://*shop.example", "whole first label"),
        ("https://*.127.0.0.1", "before an IP address"),
        ("https://*.[::1]", "before an IP address"),
        ("https://shop_$.example", "no valid host name"),
        ("https://[::1", "no valid IPv6|no valid host"),
    ],
)
def test_an_entry_that_means_no_origin_is_a_fault(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_pattern(text)


def test_the_default_port_is_explicit_in_an_origin_and_absent_in_its_text() -> None:
    assert parse_origin("https://shop.example") == Origin("https", "shop.example", 443)
    assert Origin("http", "shop.example", 443).serialise() == "http://shop.example:443"


@given(
    st.sampled_from(["http", "https"]),
    st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,9}[a-z])?){0,4}", fullmatch=True),
    st.integers(1, 65535),
)
def test_what_parses_writes_itself_again(scheme: str, host: str, port: int) -> None:
    text = Origin(scheme, host, port).serialise()
    assert parse_origin(text).serialise() == text
    exact = OriginRules((OriginPattern(Origin(scheme, host, port)),))
    assert check_origin(text, exact) == text


@given(st.text(max_size=60))
def test_no_text_whatever_passes_but_the_listed_ones(text: str) -> None:
    try:
        passed = check_origin(text, SHOP)
    except Refusal:
        return
    assert passed == "https://shop.example" or passed.endswith(".shop.example")


@given(st.from_regex(r"https://[a-z.@:/?#%\\\-0-9]{0,20}shop\.example[a-z.@:/?#%\\\-0-9]{0,20}", fullmatch=True))
def test_nothing_around_the_name_widens_it(text: str) -> None:
    try:
        passed = check_origin(text, SHOP)
    except Refusal:
        return
    host = passed.removeprefix("https://")
    assert host == "shop.example" or host.endswith(".shop.example")
    assert not set("@:/?#%\\") & set(host)


def test_many_entries_cost_no_more_than_few() -> None:
    many = OriginRules(tuple(parse_pattern(f"https://*.s{n}.example") for n in range(2000)))
    assert check_origin("https://a.s1999.example", many)
    assert len(many.wild) == 2000  # asked once for each parent of the host, not once for each entry


def test_every_answer_varies_by_origin() -> None:
    assert cors_headers(None) == {"Vary": "Origin"}
    assert cors_headers("https://shop.example")["Vary"] == "Origin"


def test_an_allowed_origin_is_named_and_can_read_what_helps_it() -> None:
    headers = cors_headers("https://shop.example")
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    exposed = headers["Access-Control-Expose-Headers"].split(", ")
    assert {"x-request-id", "retry-after", "inin-correlation-id", "www-authenticate"} <= set(exposed)


@pytest.mark.parametrize("traceparent", [False, True])
def test_a_preflight_grants_no_credentials_no_private_network_and_no_star(*, traceparent: bool) -> None:
    headers = preflight_headers("https://shop.example", "GET, POST", allow_traceparent=traceparent)
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert 0 < int(headers["Access-Control-Max-Age"]) <= 7200
    assert "Origin" in headers["Vary"].split(", ")
    assert not any("private-network" in name.lower() or "credentials" in name.lower() for name in headers)
    assert "*" not in "".join(headers.values())
    assert ("traceparent" in headers["Access-Control-Allow-Headers"]) is traceparent
