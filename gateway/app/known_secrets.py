"""Every secret of a configuration, for the log's redactor: it then hides the values themselves, whatever writes them.

What the redactor does with them is `observe/redaction.py`'s. The rule: a kind of secret that is compiled stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.compile import Compiled
from gateway.config.secrets import Secret
from gateway.observe.redaction import Redactor


def teach(redactor: Redactor, compiled: Compiled) -> None:
    """Have every secret of the configuration hidden from now on; those of an earlier one stay hidden."""
    for value in secrets_of(compiled):
        redactor.learn(value)


def secrets_of(compiled: Compiled) -> Iterator[str]:
    """Every secret value: OAuth clients, visitors' issuers, backends, relying parties, and the gateway's own."""
    for secret in _held(compiled):
        yield secret.reveal()
    for site in compiled.sites.values():
        for issuer in site.issuers:
            for key in issuer.keys:
                if isinstance(key.material, bytes):
                    yield key.material.decode()
    if password := urlsplit(compiled.store_url.reveal()).password:
        yield password


def _held(compiled: Compiled) -> Iterator[Secret]:
    for org in compiled.orgs.values():
        for client in org.clients.values():
            yield from client.secrets
    for backend in compiled.backends.values():
        yield from backend.keys
    for party in compiled.parties.values():
        yield from party.secrets
    yield from compiled.sink_authorizations.values()
    for own in (compiled.admin_token, compiled.audit_key, compiled.guest_key, compiled.debug_key):
        if own is not None:
            yield own
