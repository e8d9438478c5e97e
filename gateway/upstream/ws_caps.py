"""How many sockets may be open at once: on this node, of a site, of a guest. Pure counting, no waiting.

Leaves the pace of dials, which all nodes share, to the store. Rule kept: a seat that was taken is given back once.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

from gateway import errors
from gateway.errors import Refusal

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class SocketCaps:
    """The caps, by the names that they have in [limits]."""

    sockets: int = 10_000
    sockets_per_site: int = 5_000
    sockets_per_guest: int = 3


class Seats:
    """Who sits where. Keys of sites and guests are kept only while they have a socket."""

    def __init__(self, caps: SocketCaps) -> None:
        self.caps = caps
        self._node = 0
        self._sites: dict[str, int] = {}
        self._guests: dict[tuple[str, str], int] = {}

    @property
    def taken(self) -> int:
        """Seats taken on this node."""
        return self._node

    def taken_of(self, site: str) -> int:
        """Seats taken by one site."""
        return self._sites.get(site, 0)

    def take(self, site: str, guest_id: str | None) -> None:
        """Take a seat. Raises Refusal(SOCKET_TOO_MANY) that names the cap."""
        caps = self.caps
        guest = (site, guest_id or "")
        if self._node >= caps.sockets:
            raise Refusal(errors.SOCKET_TOO_MANY, f"limits.sockets = {caps.sockets} on this node", retry_after_s=10)
        if self._sites.get(site, 0) >= caps.sockets_per_site:
            detail = f"limits.sockets_per_site = {caps.sockets_per_site}"
            raise Refusal(errors.SOCKET_TOO_MANY, detail, retry_after_s=10)
        if guest_id is not None and self._guests.get(guest, 0) >= caps.sockets_per_guest:
            raise Refusal(errors.SOCKET_TOO_MANY, f"limits.sockets_per_guest = {caps.sockets_per_guest}")
        self._node += 1
        self._sites[site] = self._sites.get(site, 0) + 1
        if guest_id is not None:
            self._guests[guest] = self._guests.get(guest, 0) + 1

    def give_back(self, site: str, guest_id: str | None) -> None:
        """Give back a seat that was taken with the same words."""
        self._node -= 1
        _count_down(self._sites, site)
        if guest_id is not None:
            _count_down(self._guests, (site, guest_id))


def _count_down(counts: dict[K, int], key: K) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
