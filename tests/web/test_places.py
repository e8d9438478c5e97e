"""What a path and a Host lead to, and what is remembered of it."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Reason
from gateway.web.places import NO_CORS, PLACE_CHARS, PLACES_KEPT, Places
from gateway.web.surface import SURFACES
from tests.web.conftest import PAGE, front_rules, site_rules

CLUB = "https://club.example"
ALL = frozenset(row.name for row in SURFACES)


def places(*, served: frozenset[str] = ALL) -> Places:
    rules = front_rules((site_rules("shop", PAGE), site_rules("club", CLUB)), {"club": ("club.gw.example",)})
    return Places(rules.sites, rules.rules, rules.regions, served)


@pytest.mark.parametrize(
    ("target", "host", "label", "site", "segments"),
    [
        ("/sites/shop/api/v2/x", "gw", "rest_proxy", "shop", ("api", "v2", "x")),
        ("/api/v2/x", "club.gw.example", "rest_proxy", "club", ("api", "v2", "x")),
        ("/static/a.js", "gw", "static", None, ("static", "a.js")),
        ("/oauth/token", "club.gw.example", "oauth_token", None, ("oauth", "token")),
    ],
)
def test_path_and_host_lead_to_a_service_and_a_site(
    target: str, host: str, label: str, site: str | None, segments: tuple[str, ...]
) -> None:
    known = places()
    place, refusal = known.find(target, host)
    assert refusal is None
    assert (place.label, place.site and place.site.name, place.segments) == (label, site, segments)
    assert place.region == (None if site is None else "eu-west-1")
    assert known.find(target, host)[0] is place


@pytest.mark.parametrize(
    ("target", "host", "reason", "label", "site", "is_nowhere"),
    [
        ("/sites/nowhere/session", "gw", errors.SITE_UNKNOWN, "unmatched", None, True),
        ("/sites/shop/nothing", "gw", errors.NOT_FOUND, "unmatched", "shop", False),
        ("/nothing", "gw", errors.NOT_FOUND, "unmatched", None, True),
        ("/session", "gw", errors.SITE_UNKNOWN, "session", None, True),
        ("/sites/shop/session", None, errors.HEADER_INVALID, "unmatched", None, True),
        ("//", "gw", errors.PATH_INVALID, "unmatched", None, True),
    ],
)
def test_a_refusal_tells_what_was_found_until_then_and_is_not_remembered(
    target: str, host: str | None, reason: Reason, label: str, site: str | None, *, is_nowhere: bool
) -> None:
    known = places()
    for _ in range(2):
        place, refusal = known.find(target, host)
        assert refusal is not None
        assert refusal.reason is reason
        assert (place.label, place.site and place.site.name, place.is_nowhere) == (label, site, is_nowhere)
    assert known.find(target, host)[0] is not known.find(target, host)[0]


def test_a_service_that_nobody_serves_is_not_there() -> None:
    place, refusal = places(served=frozenset()).find("/sites/shop/session", "gw")
    assert refusal is not None
    assert (refusal.reason, place.label) == (errors.NOT_FOUND, "unmatched")


def test_cors_headers_are_those_of_the_site_for_a_listed_origin_only() -> None:
    known = places()
    place, _ = known.find("/sites/shop/api/v2/x", "gw")
    assert known.cors(place, PAGE)["Access-Control-Allow-Origin"] == PAGE
    assert known.cors(place, CLUB) is NO_CORS
    assert known.cors(place, None) is NO_CORS
    nowhere, _ = known.find("/nothing", "gw")
    assert known.cors(nowhere, PAGE) is NO_CORS
    for origin in (PAGE, CLUB):
        assert known.cors_of_any_site(origin)["Access-Control-Allow-Origin"] == origin
    assert known.cors_of_any_site("https://evil.example") is NO_CORS
    assert known.cors_of_any_site(None) is NO_CORS


def test_what_strangers_send_does_not_fill_the_memory() -> None:
    known = places()
    for number in range(PLACES_KEPT + 10):
        place, _ = known.find(f"/sites/shop/api/v2/{number}", "gw")
        known.cors(place, f"https://{number}.example")
        assert len(known._known) <= PLACES_KEPT
    known.find("/sites/shop/api/v2/" + "x" * PLACE_CHARS, "gw")
    assert max(len(target) for target, _ in known._known) < PLACE_CHARS
    assert not known._cors  # nothing of a foreign origin is kept
