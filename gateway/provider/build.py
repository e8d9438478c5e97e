"""Compiled configuration into the provider's own values: entries of its registries, lives, the key ring.

Leaves reading and judging the configuration to `config`. Rule kept: behind this file no secret of a client or backend
exists in the clear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from gateway.config.compile import CompiledBackend, CompiledParty
from gateway.config.model import Oidc
from gateway.policy.assertions import read_public_key
from gateway.policy.hostnames import canonical_host
from gateway.policy.oauth_forms import secret_digest
from gateway.policy.sites import PREFIX
from gateway.provider.backends import BackendRules, key_digest
from gateway.provider.keys import KeyRing, keep_s
from gateway.provider.parties import RelyingParty
from gateway.provider.tokens import Lives


def backend_rules(backends: Iterable[CompiledBackend]) -> list[BackendRules]:
    """The backends for `Backends`. Raises ValueError for a hash or public key that is none."""
    return [
        BackendRules(
            name=backend.name,
            client_id=backend.client_id,
            key_digests=tuple(key_digest(key.reveal()) for key in backend.keys),
            sites=backend.caller.sites,
            routes=backend.caller.routes,
            handle_s=backend.handle_s,
            public_key=read_public_key(backend.public_key_pem) if backend.public_key_pem is not None else None,
        )
        for backend in backends
    ]


def relying_parties(parties: Iterable[CompiledParty]) -> list[RelyingParty]:
    """The relying parties for `RelyingParties`."""
    return [
        RelyingParty(
            name=party.name,
            client_id=party.id,
            secret_digests=tuple(secret_digest(secret.reveal()) for secret in party.secrets),
            redirect_uris=party.redirect_uris,
            sites=party.sites,
        )
        for party in parties
    ]


def assertion_audiences(issuer: str) -> frozenset[str]:
    """What a signed assertion may name as its audience (RFC 7523 section 3): us, or one of our endpoints.

    Nothing without an issuer: an assertion for nobody in particular would be good anywhere.
    """
    if not issuer:
        return frozenset()
    paths = ("", "/oauth/token", "/login/oauth/token", "/oauth/revoke")
    return frozenset(issuer + path for path in paths)


def bearer_audiences(issuer: str, hosts: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """What an assertion that is itself a bearer may name as its audience, and the sites that each is good for.

    A site's URL is good for that site, the issuer for all. `hosts`: the host names of each site.
    """
    found = {f"https://{canonical_host(host)}": frozenset({site}) for site, own in hosts.items() for host in own}
    if issuer:
        found |= {f"{issuer}/{PREFIX}/{site}": frozenset({site}) for site in hosts}
        found[issuer] = frozenset(hosts)
    return found


def lives_of(oidc: Oidc) -> Lives:
    """How long codes and tokens live."""
    return Lives(
        code_s=oidc.code_s,
        access_token_s=oidc.access_token_s,
        id_token_s=oidc.id_token_s,
        refresh_s=oidc.refresh_s,
        refresh_grace_s=oidc.refresh_grace_s,
    )


def key_ring(oidc: Oidc, directory: Path) -> KeyRing:
    """The ring of signing keys; `directory`: the configuration file's own, to which keys_dir is relative."""
    return KeyRing(directory / oidc.keys_dir, keep_s=keep_s(oidc.id_token_s, oidc.publish_ahead_s))
