"""Whether a deployment takes an Origin."""

import pytest

from gateway.mock.model import Deployment
from gateway.mock.origins import is_allowed

DOMAIN = "mypurecloud.ie"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://shop.example", True),
        ("http://shop.example:8080", True),
        ("https://SHOP.example", True),
        ("https://www.shop.example", True),
        ("https://notshop.example", False),
        ("https://shop.example.evil.example", False),
        ("webmessaging.mypurecloud.ie", True),
        ("mypurecloud.ie", True),
        ("evil.mypurecloud.ie", False),
        ("null", False),
        ("", False),
        ("https://[bad", False),
    ],
)
def test_only_hosts_decide(origin: str, allowed: bool) -> None:
    deployment = Deployment("d", allowed_domains=["shop.example"])
    assert is_allowed(deployment, origin, DOMAIN, require=True) is allowed


def test_an_entry_with_a_scheme_never_matches() -> None:
    deployment = Deployment("d", allowed_domains=["https://shop.example", "shop.example:443"])
    assert not is_allowed(deployment, "https://shop.example", DOMAIN, require=True)


def test_an_empty_list_allows_nobody_and_allow_all_allows_everybody() -> None:
    assert not is_allowed(Deployment("d"), "https://shop.example", DOMAIN, require=True)
    assert is_allowed(Deployment("d", allow_all_domains=True), "https://shop.example", DOMAIN, require=True)


def test_a_missing_origin_passes_only_when_none_is_required() -> None:
    deployment = Deployment("d", allow_all_domains=True)
    assert not is_allowed(deployment, None, DOMAIN, require=True)
    assert is_allowed(deployment, None, DOMAIN, require=False)
