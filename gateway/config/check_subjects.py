"""Checks of [sites.X.visitors.subject] and of what signing in does: each choice has what it needs and says its price.

Leaves making ids to `gateway.policy.subjects`, and reading secrets to `check_secrets`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from gateway.config.findings import Finding, Sources, error, warning
from gateway.config.model import Config
from gateway.config.secrets import SecretUnreadable
from gateway.config.site_model import Site


def check_subjects(config: Config, sources: Sources) -> Iterator[Finding]:
    """Yield findings about how the sites make ids and sign visitors in."""
    for name, site in config.sites.items():
        key = f"sites.{name}.visitors"
        yield from _check_subject(f"{key}.subject", site, sources)
        yield from _check_login(f"{key}.genesys_login", name, site, config)
        if site.session.dpop == "required" and site.visitors.anonymous_socket:
            yield error(
                f"sites.{name}.session.dpop", "is required, and visitors.anonymous_socket admits sockets without proof",
                "Take one of the two away.",
            )  # fmt: skip


def _check_subject(key: str, site: Site, sources: Sources) -> Iterator[Finding]:
    subject = site.visitors.subject
    if subject.kind != "hmac" and subject.form != "uuid":
        yield error(f"{key}.form", f"means nothing for {subject.kind}", "Leave it at uuid, or choose hmac.")
    if subject.kind != "uuid5" and subject.namespace is not None:
        yield error(f"{key}.namespace", f"means nothing for {subject.kind}", "Take it away, or choose uuid5.")
    if subject.kind == "uuid5":
        yield from _check_namespace(f"{key}.namespace", subject.namespace, sources)
        yield warning(
            f"{key}.kind", "uuid5 hides an identifier from nobody who has the namespace and can guess it",
            "Prefer hmac unless another system computes the same ids.",
        )  # fmt: skip
    if subject.allow_at and subject.kind != "passthrough":
        yield error(f"{key}.allow_at", f"means nothing for {subject.kind}", "Take it away, or choose passthrough.")
    if subject.kind == "passthrough":
        yield warning(
            f"{key}.kind", "passthrough puts the site's own identifiers into tokens, records and Genesys contacts",
            "Prefer hmac unless Genesys already holds these identifiers.",
        )  # fmt: skip
    named = {issuer.name or issuer.kind for issuer in site.visitors.issuers}
    if subject.kind != "hmac" and len(named) > 1:
        yield error(
            f"{key}.kind", f"{subject.kind} makes one person of two issuers' equal identifiers, and there are "
            f"{len(named)} issuers", "Keep one issuer name, or choose hmac.",
        )  # fmt: skip


def _check_namespace(key: str, reference: str | None, sources: Sources) -> Iterator[Finding]:
    if reference is None:
        yield error(key, "is missing; uuid5 needs it", "Make a random UUID, and give it by reference.")
        return
    try:
        text = sources.secrets.read(reference).reveal()
    except SecretUnreadable:
        return  # check_secrets says so
    try:
        namespace = uuid.UUID(text)
    except ValueError:
        yield error(key, "is not a UUID", "Make a random one, for example with uuidgen.")
        return
    public = {uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID, uuid.NAMESPACE_X500}
    if namespace in public or namespace.version != 4:
        yield error(key, "is not a random UUID (version 4), so others may know it", "Make one with uuidgen.")


def _check_login(key: str, name: str, site: Site, config: Config) -> Iterator[Finding]:
    if not site.visitors.genesys_login:
        return
    if site.mode != "proxied":
        yield error(key, "belongs to mode proxied; the stock Messenger signs in by itself", "Take it away.")
    if not any(not client.sites or name in client.sites for client in config.oidc.clients.values()):
        yield error(key, "needs an OpenID client for this site", "Add [oidc.clients.genesys].")
    if not site.visitors.issuers:
        yield warning(key, "signs nobody in: the site has no issuer", "Add [[sites.X.visitors.issuers]].")
