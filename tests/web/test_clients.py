"""Whose word about a client is taken."""

from __future__ import annotations

import pytest

from gateway.web.clients import TrustedProxies

NOBODY = TrustedProxies(())
PROXIES = TrustedProxies(("10.0.0.0/8", "2001:db8::/32"))


def test_nobody_is_believed_by_default() -> None:
    assert NOBODY.client_address("10.0.0.1", ["203.0.113.9"]) == "10.0.0.1"
    assert NOBODY.request_id("10.0.0.1", "abcdefgh-1") != "abcdefgh-1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", ["198.51.100.7"], "203.0.113.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7", "10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["10.1.1.1, 10.9.9.9"], "10.1.1.1"),
        ("10.0.0.1", ["evil, 10.9.9.9"], "10.9.9.9"),
        ("10.0.0.1", ["198.51.100.7:443"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("2001:db8::1", ["2001:DB8:1::5, 2a00::1"], "2a00::1"),
        ("not-an-address", ["198.51.100.7"], "not-an-address"),
    ],
)
def test_the_nearest_address_that_is_no_listed_proxy_is_the_client(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert PROXIES.client_address(peer, forwarded) == client


@pytest.mark.parametrize("sent", ["short", "x" * 65, "with space", "line\nbreak", "ümlautümlaut", None])
def test_a_malformed_request_id_is_replaced(sent: str | None) -> None:
    made = PROXIES.request_id("10.0.0.1", sent)
    assert made != sent
    assert len(made) == 32


def test_a_listed_proxys_request_id_is_kept() -> None:
    assert PROXIES.request_id("10.0.0.1", "edge-0123456789") == "edge-0123456789"


def test_an_entry_that_is_no_network_is_a_fault() -> None:
    with pytest.raises(ValueError, match="office"):
        TrustedProxies(("office",))
