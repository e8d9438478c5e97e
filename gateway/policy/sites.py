"""Which site a request means: by the /sites/{site} prefix, else Host, else deploymentId, else by being the only one.

Leaves origins and routes to their rooms. The rule: a name that is given and wrong is refused; the next way of finding
a site is tried only when the one before says nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.hostnames import canonical_host, is_canonical_host
from gateway.policy.paths import Target

PREFIX: Final = "sites"
MAX_HOST_CHARS: Final = 270
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """How one site is found."""

    name: str
    deployment_id: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSite:
    """A site and what is left of the path: `segments` without the prefix that named the site."""

    name: str
    segments: tuple[str, ...]
    by: str
    """Which way found it: prefix, host, deployment or only."""


class SiteTable:
    """All sites, by each way of finding them. Raises ValueError when two sites claim one name or host."""

    __slots__ = ("_by_deployment", "_by_host", "_names", "_only")

    def __init__(self, sites: Iterable[SiteAddress]) -> None:
        addresses = tuple(sites)
        self._names = frozenset(address.name for address in addresses)
        if len(self._names) != len(addresses):
            raise ValueError("two sites have one name")
        self._by_host: dict[str, str] = {}
        for address in addresses:
            for host in map(canonical_host, address.hosts):
                if self._by_host.setdefault(host, address.name) != address.name:
                    raise ValueError(f"the host {host} belongs to two sites, {self._by_host[host]} and {address.name}")
        # A deployment that serves two sites says nothing about which of them is meant.
        shared = Counter(address.deployment_id.lower() for address in addresses)
        self._by_deployment = {
            a.deployment_id.lower(): a.name for a in addresses if shared[a.deployment_id.lower()] == 1
        }
        self._only = addresses[0].name if len(addresses) == 1 else None

    def find(self, target: Target, host: str, deployment_id: str | None = None) -> FoundSite:
        """The site of a request; `host` as `parse_host` gave it. Raises Refusal(SITE_UNKNOWN)."""
        segments = target.segments
        if segments and segments[0] == PREFIX:
            if len(segments) > 1 and segments[1] in self._names:
                return FoundSite(segments[1], segments[2:], "prefix")
            raise Refusal(errors.SITE_UNKNOWN, "the path names no configured site")
        if (name := self._by_host.get(host)) is not None:
            return FoundSite(name, segments, "host")
        if deployment_id is not None and (name := self._by_deployment.get(deployment_id.lower())) is not None:
            return FoundSite(name, segments, "deployment")
        if self._only is not None:
            return FoundSite(self._only, segments, "only")
        raise Refusal(errors.SITE_UNKNOWN, "neither path, host nor deploymentId names one of the sites")


def parse_host(header: str | None) -> str:
    """The canonical host of a Host header, without its port. Raises Refusal(HEADER_INVALID).

    Host names are compared without case (RFC 9110 4.2.3). Nothing of this value is ever forwarded or reflected.
    """
    if header is None or len(header) > MAX_HOST_CHARS:
        raise Refusal(errors.HEADER_INVALID, "Host is missing, or is not host[:port]")
    return _parse_host(header)


@lru_cache(maxsize=512)  # a gateway has few names; a refusal is never kept
def _parse_host(header: str) -> str:
    match = _HOST.fullmatch(header)
    if match is None:
        raise Refusal(errors.HEADER_INVALID, "Host is missing, or is not host[:port]")
    host = match[1].lower()
    if not is_canonical_host(host) or int(match[2] or 0) > 65535:
        raise Refusal(errors.HEADER_INVALID, "Host holds no canonical host name or address")
    return host
