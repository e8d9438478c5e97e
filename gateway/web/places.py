"""What a path and a Host lead to under the rules in force: service, site, and the CORS headers of each origin there.

Leaves serving to `front.py`. Answers are remembered, within bounds, for as long as the rules last; a refusal never is.
The rule: CORS headers are fixed as soon as the site is known, so that refusals carry them too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.decision import SiteRules
from gateway.policy.origins import check_origin, cors_headers
from gateway.policy.paths import Target, parse_target
from gateway.policy.sites import MAX_HOST_CHARS, PREFIX, SiteTable, parse_host
from gateway.web.surface import UNMATCHED, OriginNeed, Surface, find_surface

PLACES_KEPT: Final = 4_096
PLACE_CHARS: Final = 512
"""Longer targets are not remembered: what strangers send must not fill the memory."""
ORIGINS_KEPT: Final = 4_096
NO_CORS: Final = cors_headers(None)
CORS_OF_ANYONE: Final = cors_headers("*")
_NO_TARGET: Final = parse_target("/")


@dataclass(slots=True)
class Place:
    """Where a request was going, as far as it was found out. `label`: what metrics and records call the service."""

    target: Target = _NO_TARGET
    segments: tuple[str, ...] = ()
    surface: Surface = UNMATCHED
    label: str = UNMATCHED.name
    site: SiteRules | None = None
    region: str | None = None

    @property
    def is_nowhere(self) -> bool:
        """Could it not be found out which site was meant? Then the pages of all sites may read why."""
        return self.site is None and (self.surface is UNMATCHED or self.surface.of_site)


class Places:
    """Finds places under one set of rules. `served`: the names of the services that somebody serves."""

    def __init__(
        self, sites: SiteTable, rules: Mapping[str, SiteRules], regions: Mapping[str, str], served: Collection[str]
    ) -> None:
        self._sites = sites
        self._rules = rules
        self._regions = regions
        self._served = served
        self._known: dict[tuple[str, str | None], Place] = {}
        self._cors: dict[tuple[str, str], Mapping[str, str]] = {}

    def find(self, raw_target: str, host: str | None) -> tuple[Place, Refusal | None]:
        """The place, and why it is none; what was found before a refusal stands in the place."""
        key = (raw_target, host)
        known = self._known.get(key)
        if known is not None:
            return known, None
        place = Place()
        try:
            self._find(place, raw_target, host)
        except Refusal as refusal:
            return place, refusal
        if len(raw_target) <= PLACE_CHARS and len(host or "") <= MAX_HOST_CHARS:
            if len(self._known) >= PLACES_KEPT:
                self._known.clear()
            self._known[key] = place
        return place, None

    def _find(self, place: Place, raw_target: str, host_header: str | None) -> None:
        place.target = target = parse_target(raw_target)
        host = parse_host(host_header)
        below_site = target.segments[:1] == (PREFIX,)
        if below_site:
            self._enter_site(place, host)
        else:
            place.segments = target.segments
        place.surface = surface = find_surface(place.segments, below_site=below_site)
        if surface.name not in self._served:
            raise Refusal(errors.NOT_FOUND)
        place.label = surface.name
        if surface.of_site and not below_site:
            self._enter_site(place, host)

    def _enter_site(self, place: Place, host: str) -> None:
        found = self._sites.find(place.target, host, place.target.parameter("deploymentId"))
        place.segments = found.segments
        place.site = self._rules[found.name]
        place.region = self._regions[found.name]

    def cors(self, place: Place, origin: str | None) -> Mapping[str, str]:
        """The CORS headers of every answer that is given there to this origin, refusals included."""
        site = place.site
        if site is None:
            if place.label != UNMATCHED.name and place.surface.origin is OriginNeed.OPEN:
                return self.cors_of_any_site(origin)
            return NO_CORS
        if origin is None:
            return NO_CORS
        key = (site.name, origin)
        found = self._cors.get(key)
        if found is None:
            found = _cors_of_site(origin, site)
            if found is not NO_CORS and len(self._cors) < ORIGINS_KEPT:
                self._cors[key] = found
        return found

    def cors_of_any_site(self, origin: str | None) -> Mapping[str, str]:
        """Public bytes, and refusals that concern no site, may be read by the pages of every site."""
        for site in self._rules.values() if origin is not None else ():
            found = _cors_of_site(origin, site)
            if found is not NO_CORS:
                return found
        return NO_CORS


def _cors_of_site(origin: str | None, site: SiteRules) -> Mapping[str, str]:
    try:
        return cors_headers(check_origin(origin, site.origins))
    except Refusal:
        return NO_CORS
