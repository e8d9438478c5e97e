"""Tests of host names: one spelling each, configured names converted, names from the network only compared."""

from __future__ import annotations

import pytest

from gateway.policy.hostnames import canonical_host, is_address, is_canonical_host

CANONICAL = [
    "localhost",
    "shop.example",
    "a.b.c.shop.example",
    "my_host.shop.example",
    "xn--bcher-kva.example",
    "127.0.0.1",
    "[::1]",
    "[2001:db8::1]",
    "[::ffff:7f00:1]",
    "a" * 63 + ".example",
]
NOT_CANONICAL = [
    "",
    "Shop.example",
    "shop.example.",
    ".shop.example",
    "shop..example",
    "-shop.example",
    "shop-.example",
    "bücher.example",
    "shop example",
    "shop.example/",
    "127.0.0.01",
    "127.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "1.2.3.4.5",
    "256.1.1.1",
    "shop.0x",
    "shop.123",
    "[::1",
    "[0:0:0:0:0:0:0:1]",
    "[::FFFF]",
    "[::ffff:127.0.0.1]",
    "[fe80::1%eth0]",
    "::1",
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
]


@pytest.mark.parametrize("host", CANONICAL)
def test_a_canonical_host_is_one(host: str) -> None:
    assert is_canonical_host(host)


@pytest.mark.parametrize("host", NOT_CANONICAL)
def test_another_spelling_is_not_canonical(host: str) -> None:
    assert not is_canonical_host(host)


@pytest.mark.parametrize("host", CANONICAL)
def test_converting_a_canonical_host_changes_nothing(host: str) -> None:
    assert canonical_host(host) == host


@pytest.mark.parametrize(
    ("configured", "host"),
    [
        ("Shop.Example", "shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        # Browsers keep the sharp s since UTS 46 non-transitional processing; the older rule made it "fass".
        ("faß.example", "xn--fa-hia.example"),
        ("日本語.example", "xn--wgv71a119e.example"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    ],
)
def test_a_configured_host_is_converted(configured: str, host: str) -> None:
    assert canonical_host(configured) == host


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ("", "no host"),
        ("shop.example.", "ends with a dot"),
        ("shop..example", "no valid host name"),
        ("127.0.0.01", "no valid host name"),
        ("a b.example", "no valid host name"),
        ("\u2488.example\u0378", "not valid IDNA"),
        ("[::1", "no valid IPv6"),
        ("[fe80::1%eth0]", "no valid IPv6"),
        ("[12345::]", "no valid IPv6"),
    ],
)
def test_a_configured_host_that_is_none_is_a_fault(configured: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        canonical_host(configured)


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.1", True), ("[::1]", True), ("shop.example", False), ("localhost", False)]
)
def test_an_address_is_told_from_a_name(host: str, *, expected: bool) -> None:
    assert is_address(host) is expected
