"""Which Genesys Cloud region a spelling means, and every host that follows from it; nobody else builds a Genesys URL.

The table is handed in as parsed data (read by `gateway.config.genesys`). The rule: a host comes from the table or the
operator's own endpoints, never from a caller, and what is not in the table is refused with what was probably meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

SERVICES: Final = ("login", "api", "cdn", "apps", "webmessaging")
"""Names of the endpoints that a configuration may override."""

OTHER_PRODUCTS: Final[Mapping[str, str]] = {
    "cxone.com": "NICE CXone, another vendor's product",
    "nicecxone.com": "NICE CXone, another vendor's product",
    "mynicecxone.com": "NICE CXone, another vendor's product",
    "niceincontact.com": "NICE CXone, another vendor's product",
    "nice-incontact.com": "NICE CXone, another vendor's product",
    "mygen.com": "not a Genesys Cloud domain; there is no host per customer",
    "zendesk.com": "Zendesk, not Genesys",
    "smooch.io": "Zendesk Sunshine Conversations, not Genesys",
    "genesys.com": "the vendor's website, not a Platform API host",
    "genesys.cloud": "used for help, community and developer pages, not for the Platform API",
}
"""Domains that people take for a Genesys Cloud region; a sub-domain counts as its domain."""

_AMBIGUOUS_PLACES: Final = frozenset({"central", "germany", "ohio"})  # ohio: there is no commercial us-east-2
_SCRIPT_PATH: Final = "/genesys-bootstrap/genesys.min.js"


class RegionUnknown(ValueError):
    """A text that names no region; `nearest` holds the AWS ids of what was probably meant."""

    def __init__(self, text: str, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.text = text
        self.nearest = nearest


@dataclass(frozen=True, slots=True)
class Region:
    """One row of the table. `environment` is the Messenger's name for the region."""

    aws_region: str
    sdk_enum: str
    short_code: str
    display_name: str
    domain: str
    domain_aliases: tuple[str, ...]
    environment: str
    csp_upload_host: str | None
    lifecycle: str
    partition: str
    unconfirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CspHosts:
    """What a page that runs the stock Messenger must allow, by Content-Security-Policy directive."""

    script_src: tuple[str, ...]
    connect_src: tuple[str, ...]
    frame_src: tuple[str, ...]
    img_src: tuple[str, ...]
    media_src: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Base URLs of one organisation, without a trailing slash; `region` is the AWS id."""

    region: str
    login: str
    api: str
    cdn: str
    apps: str
    webmessaging: str
    environment: str
    script_url: str
    csp_hosts: CspHosts


class RegionTable:
    """The regions with every accepted spelling, as one dictionary."""

    def __init__(
        self, regions: Sequence[Region], names: Mapping[str, str], hosts_people_invent: Mapping[str, str]
    ) -> None:
        """`names`: everyday name to AWS id; `hosts_people_invent`: host to AWS id or the reason that it is none."""
        self.regions: Final = tuple(regions)
        self._invented: Final = dict(hosts_people_invent)
        self._spellings: Final[dict[str, Region]] = {}
        self._domains: Final[dict[str, Region]] = {}
        by_id = {region.aws_region: region for region in self.regions}
        for region in self.regions:
            for domain in (region.domain, *region.domain_aliases):
                self._domains[domain] = region
            for spelling in _spellings(region):
                if self._spellings.setdefault(spelling, region) is not region:
                    raise ValueError(f"two regions share the spelling {spelling}")
        for name, aws_region in names.items():
            self._spellings[name] = by_id[aws_region]

    def resolve(self, text: str) -> Region:
        """Return the region that `text` means, in any accepted spelling, host or URL.

        Raises `RegionUnknown`, which says what the text is instead and what is right.
        """
        wanted = text.strip().lower()
        if (found := self._spellings.get(wanted)) is not None:
            return found
        host = _host_of(wanted)
        if host in self._invented:
            raise self._invented_host(text, host, self._invented[host])
        if (found := self._spellings.get(host) or self._region_of_host(host)) is not None:
            return found
        self._refuse_other_product(text, host)
        raise self._unknown(text, wanted)

    def _region_of_host(self, host: str) -> Region | None:
        labels = host.split(".")
        return next((r for i in range(1, len(labels)) if (r := self._domains.get(".".join(labels[i:])))), None)

    def _refuse_other_product(self, text: str, host: str) -> None:
        labels = host.split(".")
        named = next((r for label in labels if (r := self._spellings.get(label))), None)
        for i in range(len(labels)):
            product = OTHER_PRODUCTS.get(".".join(labels[i:]))
            if product is not None and named is not None:
                raise self._invented_host(text, host, named.aws_region)
            if product is not None:
                raise RegionUnknown(text, f"{host} is {product}; {self._right_spelling()}")

    def _invented_host(self, text: str, host: str, meant: str) -> RegionUnknown:
        region = self._spellings.get(meant)
        if region is None:
            said = meant.removeprefix("none").strip(" ()") if meant != "none" else ""
            why = f"{host} is no host of Genesys Cloud" + (f" ({said})" if said else "")
            return RegionUnknown(text, f"{why}; {self._right_spelling()}")
        right = f'write "{region.aws_region}", whose API host is api.{region.domain}'
        return RegionUnknown(text, f"{host} is no Platform API host; {right}", (region.aws_region,))

    def _unknown(self, text: str, wanted: str) -> RegionUnknown:
        close = get_close_matches(wanted, self._spellings, n=5, cutoff=0.7)
        nearest = tuple(dict.fromkeys(self._spellings[spelling].aws_region for spelling in close))[:3]
        hint = f"near: {', '.join(nearest)}" if nearest else self._right_spelling()
        return RegionUnknown(text, f"{text!r} names no Genesys Cloud region; {hint}", nearest)

    def _right_spelling(self) -> str:
        return "write one of " + ", ".join(region.aws_region for region in self.regions)


def parse_regions(data: Mapping[str, Any]) -> RegionTable:
    """Build the table from the parsed data file. Raises `KeyError` or `ValueError` when it is not of that shape."""
    regions = [
        Region(
            aws_region=row["aws_region"],
            sdk_enum=row["sdk_enum"],
            short_code=row["short_code"],
            display_name=row["display_name"],
            domain=row["domain"],
            domain_aliases=tuple(row["domain_aliases"]),
            environment=row["messenger_environment"],
            csp_upload_host=row["csp_upload_host"],
            lifecycle=row["lifecycle"],
            partition=row["partition"],
            unconfirmed=tuple(row["unconfirmed"]),
        )
        for row in data["regions"]
    ]
    people = data["aliases_people_use"]
    names = {_place_of(row["display_name"]): row["aws_region"] for row in data["regions"]}
    names = {name: meant for name, meant in names.items() if name not in _AMBIGUOUS_PLACES}
    names |= {name: meant for name, meant in people.items() if "." not in name}
    invented = {name: meant for name, meant in people.items() if "." in name and not name.startswith("<")}
    for row in data["not_public"]:
        why = "none (an internal Genesys environment)"
        invented |= {row["code"]: why, row["domain"]: why}
    return RegionTable(regions, names, invented)


def custom_region(name: str, domain: str) -> Region:
    """Return a region that the table does not know yet; the operator states every endpoint of it."""
    return Region(name, name, name, name, domain, (), name, None, "custom", "custom")


def hosts_of(region: Region, overrides: Mapping[str, str]) -> Hosts:
    """Return the hosts of a region, each replaced by the operator's endpoint of that name where there is one.

    Raises `ValueError` for an override that is none of `SERVICES`.
    """
    if unknown := set(overrides) - set(SERVICES):
        raise ValueError(f"no such endpoint: {', '.join(sorted(unknown))}")
    base = {
        "login": f"https://login.{region.domain}",
        "api": f"https://api.{region.domain}",
        "cdn": f"https://api-cdn.{region.domain}",
        "apps": f"https://apps.{region.domain}",
        "webmessaging": f"wss://webmessaging.{region.domain}",
    }
    base |= {service: url.rstrip("/") for service, url in overrides.items()}
    return Hosts(
        region=region.aws_region,
        environment=region.environment,
        script_url=base["apps"] + _SCRIPT_PATH,
        csp_hosts=_csp_hosts(region, base),
        **base,
    )


def _csp_hosts(region: Region, base: Mapping[str, str]) -> CspHosts:
    """Older regions answer under two domains, and Genesys' own template allows both.

    https://developer.genesys.cloud/commdigital/digital/webmessaging/messengersdk/contentSecurityPolicy
    """
    alias = region.domain_aliases if base["apps"].endswith(region.domain) else ()
    apps = (base["apps"], *(f"https://apps.{domain}" for domain in alias))
    connect = [base["webmessaging"], base["api"], base["cdn"]]
    for domain in alias:
        connect += [f"wss://webmessaging.{domain}", f"https://api.{domain}", f"https://api-cdn.{domain}"]
    if region.csp_upload_host is not None:
        connect.append(f"https://{region.csp_upload_host}")
    return CspHosts(script_src=apps, connect_src=tuple(connect), frame_src=apps, img_src=apps, media_src=apps)


def _spellings(region: Region) -> tuple[str, ...]:
    environment_short = region.environment.removesuffix("-core")  # the Messenger script adds -core by itself
    upload = (region.csp_upload_host,) if region.csp_upload_host is not None else ()
    return (
        *(region.aws_region, region.sdk_enum, region.short_code, region.domain, *region.domain_aliases),
        *dict.fromkeys((region.environment, environment_short)),
        *upload,
    )


def _place_of(display_name: str) -> str:
    """Return the place in a display name: `EMEA (Ireland)` gives `ireland`."""
    return display_name.partition("(")[2].partition(")")[0].lower()


def _host_of(text: str) -> str:
    """Return the host of a URL or of `host[:port][/path]`, in lower case."""
    rest = text.partition("://")[2] or text
    authority = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    return authority.rpartition("@")[2].partition(":")[0]
