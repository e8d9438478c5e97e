"""Tests of finding the site: four ways in their order, and a strict Host header."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.paths import parse_target
from gateway.policy.sites import FoundSite, SiteAddress, SiteTable, parse_host

SHOP_ID = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
BANK_ID = "2f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
SHARED_ID = "3f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
TABLE = SiteTable(
    [
        SiteAddress("shop", SHOP_ID, ("chat.shop.example", "chat.bücher.example")),
        SiteAddress("bank", BANK_ID.upper(), ("chat.bank.example",)),
        SiteAddress("red", SHARED_ID, ("red.example",)),
        SiteAddress("blue", SHARED_ID),
    ]
)


@pytest.mark.parametrize(
    ("raw", "host", "deployment_id", "found"),
    [
        ("/sites/shop/session", "any.example", None, FoundSite("shop", ("session",), "prefix")),
        ("/sites/bank/session", "chat.shop.example", SHOP_ID, FoundSite("bank", ("session",), "prefix")),
        ("/sites/shop", "any.example", None, FoundSite("shop", (), "prefix")),
        ("/api/v2/x", "chat.shop.example", None, FoundSite("shop", ("api", "v2", "x"), "host")),
        ("/v1", "chat.xn--bcher-kva.example", None, FoundSite("shop", ("v1",), "host")),
        ("/v1", "chat.shop.example", BANK_ID, FoundSite("shop", ("v1",), "host")),
        ("/v1", "any.example", SHOP_ID.upper(), FoundSite("shop", ("v1",), "deployment")),
        ("/v1", "any.example", BANK_ID, FoundSite("bank", ("v1",), "deployment")),
        ("/v1", "red.example", SHARED_ID, FoundSite("red", ("v1",), "host")),
    ],
)
def test_a_site_is_found(raw: str, host: str, deployment_id: str | None, found: FoundSite) -> None:
    assert TABLE.find(parse_target(raw), host, deployment_id) == found


@pytest.mark.parametrize(
    ("raw", "host", "deployment_id"),
    [
        ("/sites/nobody/session", "chat.shop.example", SHOP_ID),
        ("/sites", "chat.shop.example", None),
        ("/sites/Shop/session", "any.example", None),
        ("/v1", "any.example", None),
        ("/v1", "any.example", "4f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"),
        ("/v1", "any.example", SHARED_ID),
        ("/", "any.example", None),
    ],
)
def test_no_site_is_guessed(raw: str, host: str, deployment_id: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        TABLE.find(parse_target(raw), host, deployment_id)
    assert caught.value.reason is errors.SITE_UNKNOWN


def test_the_only_site_is_meant_when_nothing_else_names_one() -> None:
    only = SiteTable([SiteAddress("shop", SHOP_ID)])
    assert only.find(parse_target("/v1"), "any.example") == FoundSite("shop", ("v1",), "only")
    assert only.find(parse_target("/v1"), "any.example", BANK_ID).by == "only"


def test_a_wrong_prefix_is_refused_even_when_there_is_one_site() -> None:
    only = SiteTable([SiteAddress("shop", SHOP_ID)])
    with pytest.raises(Refusal):
        only.find(parse_target("/sites/bank/session"), "any.example")


def test_two_sites_cannot_share_a_host_or_a_name() -> None:
    with pytest.raises(ValueError, match="belongs to two sites"):
        SiteTable([SiteAddress("a", SHOP_ID, ("x.example",)), SiteAddress("b", BANK_ID, ("X.example",))])
    with pytest.raises(ValueError, match="one name"):
        SiteTable([SiteAddress("a", SHOP_ID), SiteAddress("a", BANK_ID)])


def test_a_site_may_name_its_host_twice() -> None:
    table = SiteTable([SiteAddress("a", SHOP_ID, ("x.example", "X.example")), SiteAddress("b", BANK_ID)])
    assert table.find(parse_target("/v1"), "x.example").name == "a"


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("shop.example", "shop.example"),
        ("shop.example:8080", "shop.example"),
        ("shop.example:65535", "shop.example"),
        ("Shop.Example", "shop.example"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]:8080", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("localhost", "localhost"),
    ],
)
def test_a_host_header_is_read(header: str, host: str) -> None:
    assert parse_host(header) == host


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "shop.example ",
        "shop.example:",
        "shop.example:65536",
        "shop.example:99999",
        "shop.example:123456",
        "shop.example:80:80",
        "user@shop.example",
        "shop.example/x",
        "shop.example?x",
        "shop.example#x",
        "shop.example.",
        "shop..example",
        "shop.example,evil.test",
        "shop.example\r\nX: 1",
        "bücher.example",
        "::1",
        "[::1",
        "[0:0:0:0:0:0:0:1]",
        "127.1",
        "https://shop.example",
    ],
)
def test_an_odd_host_header_is_refused(header: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        parse_host(header)
    assert caught.value.reason is errors.HEADER_INVALID
