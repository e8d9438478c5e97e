"""Who is at the other end of a connection: the address and the request id, believed from listed proxies only."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Sequence
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
MAX_HOPS: Final = 20


_IDS_PER_DRAW: Final = 128
_drawn: list[str] = []


def fresh_request_id() -> str:
    """A request id of 128 random bits; drawn many at a time, for the system call costs more than a small answer."""
    if not _drawn:
        digits = secrets.token_hex(16 * _IDS_PER_DRAW)
        _drawn.extend(digits[at : at + 32] for at in range(0, len(digits), 32))
    return _drawn.pop()


class TrustedProxies:
    """The networks whose word about a client is taken; empty: nobody's."""

    def __init__(self, networks: Sequence[str]) -> None:
        """Raises ValueError when an entry is no network or address."""
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in networks)

    def trusts(self, address: str) -> bool:
        """Whether this peer is a listed proxy."""
        if not self._networks:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    def client_address(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """The nearest address that is not a listed proxy, walking X-Forwarded-For from the right.

        The peer's own address when it is not listed; a word that is no address ends the walk at the hop before.
        """
        if not self.trusts(peer):
            return peer
        hops = [hop.strip() for line in forwarded_for for hop in line.split(",")][-MAX_HOPS:]
        nearest = peer
        for hop in reversed(hops):
            try:
                nearest = str(ipaddress.ip_address(hop))
            except ValueError:
                break
            if not self.trusts(nearest):
                break
        return nearest

    def request_id(self, peer: str, sent: str | None) -> str:
        """The proxy's request id when the peer is listed and the id is well-formed; else a fresh one of 128 bits."""
        if sent is not None and self.trusts(peer) and _REQUEST_ID.fullmatch(sent):
            return sent
        return fresh_request_id()
