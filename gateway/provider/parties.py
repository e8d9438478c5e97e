"""Relying parties: the OpenID clients of the configuration, normally Genesys, and their authentication.

Leaves what a code binds to `policy.openid`. Rule kept: only digests of secrets are held, and an unknown client id and
a wrong secret answer alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.oauth_forms import Credentials, which_accepted


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One entry of [oidc.clients.*]. `sites`: whose pages get codes for it; empty: all sites.

    `secret_digests`: of its secret and, in the overlap, of the secret before.
    """

    name: str
    client_id: str
    secret_digests: tuple[bytes, ...] = field(repr=False)
    redirect_uris: tuple[str, ...]
    sites: frozenset[str] = frozenset()

    def serves(self, site: str) -> bool:
        """Do the pages of this site get codes for this client?"""
        return not self.sites or site in self.sites


class RelyingParties:
    """The registry of relying parties; a reload hands in the new ones with `replace`."""

    def __init__(self, parties: Iterable[RelyingParty]) -> None:
        """Raises ValueError when two share a client id."""
        self._by_id = _by_id(parties)

    def replace(self, parties: Iterable[RelyingParty]) -> None:
        """Use others from now on. Raises ValueError as the constructor does, and then keeps the old ones."""
        self._by_id = _by_id(parties)

    def find(self, client_id: str) -> RelyingParty | None:
        """The client of this id, not authenticated."""
        return self._by_id.get(client_id)

    def for_site(self, site: str) -> RelyingParty:
        """The client for whom pages of this site get codes: the first that names the site, else the first for all.

        Raises Refusal(NO_RELYING_PARTY).
        """
        serving = [party for party in self._by_id.values() if party.serves(site)]
        if not serving:
            raise Refusal(errors.NO_RELYING_PARTY)
        return next((party for party in serving if party.sites), serving[0])

    def authenticate(self, credentials: Credentials) -> RelyingParty:
        """The client of an id with its secret. Raises Refusal(CLIENT_INVALID)."""
        party = self._by_id.get(credentials.client_id)
        found = which_accepted(credentials.secrets, party.secret_digests if party is not None else (bytes(32),))
        if party is None or found is None:
            raise Refusal(errors.CLIENT_INVALID)
        return party


def _by_id(parties: Iterable[RelyingParty]) -> dict[str, RelyingParty]:
    found: dict[str, RelyingParty] = {}
    for party in parties:
        if party.client_id in found:
            raise ValueError(f"oidc.clients.{party.name}: client id stands twice")
        found[party.client_id] = party
    return found
