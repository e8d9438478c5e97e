"""Compiles a checked configuration into the frozen rules that the policy rooms decide by, its secrets read.

Leaves judging to `checks` and wiring to `app`. The rule: what comes out of here is complete; no part of the gateway
looks into the configuration to decide about a request.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.config import shape
from gateway.config.check_secrets import secret_values
from gateway.config.findings import Sources
from gateway.config.load import Loaded
from gateway.config.model import Backend, Client, Config, Org
from gateway.config.routing import compile_route, operation_of
from gateway.config.secrets import Secret, Secrets
from gateway.config.site_model import Issuer, Site, Subject
from gateway.policy import decision
from gateway.policy.frames import DEFAULT_ACTIONS, SocketRules
from gateway.policy.guests import SessionRules
from gateway.policy.injection import ContextRules
from gateway.policy.jws import VerificationKey, shared_secret
from gateway.policy.operations import Operation
from gateway.policy.origins import OriginRules, parse_pattern
from gateway.policy.regions import Hosts, Region, RegionTable, RegionUnknown, custom_region, hosts_of
from gateway.policy.routes import HISTORY, Route, RouteTable
from gateway.policy.sites import SiteAddress, SiteTable
from gateway.policy.subjects import SubjectRules
from gateway.policy.visitors import IssuerRules


@dataclass(frozen=True, slots=True)
class CompiledClient:
    """One OAuth client. `secrets`: the one in force, then the one before rotation where there is one."""

    name: str
    id: str
    secrets: tuple[Secret, ...]
    permissions: tuple[str, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class CompiledOrg:
    """One organisation with every host that follows from its region."""

    name: str
    region: Region
    hosts: Hosts
    organization_id: str | None
    ownership_client: str | None
    failover: str | None
    clients: Mapping[str, CompiledClient]


@dataclass(frozen=True, slots=True)
class CompiledSite:
    """One site: the rules of each decision about it, and what its pages are told."""

    name: str
    rules: decision.SiteRules
    socket: SocketRules
    session: SessionRules
    issuers: tuple[IssuerRules, ...]
    anonymous: bool
    anonymous_on_failure: bool
    step_up: bool
    genesys_login: bool
    subject: SubjectRules
    lookup_s: float
    dpop: bool
    locale: str
    debug: bool


@dataclass(frozen=True, slots=True)
class CompiledBackend:
    """One backend. `keys`: the one in force, then the one before rotation; each the key itself or `sha256:` and hex."""

    name: str
    client_id: str
    keys: tuple[Secret, ...]
    public_key_pem: str | None
    caller: decision.Backend
    handle_s: int


@dataclass(frozen=True, slots=True)
class CompiledParty:
    """One relying party of our OpenID provider. `secrets`: the one in force, then the one before rotation."""

    name: str
    id: str
    secrets: tuple[Secret, ...]
    redirect_uris: tuple[str, ...]
    sites: frozenset[str]


@dataclass(frozen=True, slots=True)
class Compiled:
    """Everything that follows from one configuration. Absent own secrets are None: the app makes them (dev only)."""

    config: Config
    site_table: SiteTable
    orgs: Mapping[str, CompiledOrg]
    sites: Mapping[str, CompiledSite]
    operations: Mapping[str, Operation]
    """The operation at Genesys by the name of the route."""
    backends: Mapping[str, CompiledBackend]
    parties: Mapping[str, CompiledParty]
    admin_token: Secret | None
    store_url: Secret
    audit_key: Secret | None
    guest_key: Secret | None
    secrets: Secrets
    """The reader of this configuration's secrets, and what it has read."""
    fingerprints: Mapping[str, str]
    """Of every secret in force, by its key."""
    debug_key: Secret | None
    sink_authorizations: Mapping[str, Secret]
    """By the name of the audit sink."""

    def hosts_of_site(self, site: str) -> Hosts:
        """Return the Genesys hosts of a site's organisation."""
        return self.orgs[self.sites[site].rules.org].hosts


def compile_config(loaded: Loaded, sources: Sources) -> Compiled:
    """Compile a configuration that `checks.require_sound` has passed.

    Raises `SecretUnreadable` when a secret has gone since, and `ValueError` or `KeyError` for a configuration that
    was never checked.
    """
    config, secrets = loaded.config, sources.secrets
    operations = {
        route.name: operation
        for route in config.routes
        if (operation := operation_of(route, sources.catalogue)) is not None
    }
    addresses = [SiteAddress(name, site.deployment_id, site.hosts) for name, site in config.sites.items()]
    return Compiled(
        config=config,
        site_table=SiteTable(addresses),
        orgs={name: _org(name, org, sources) for name, org in config.orgs.items()},
        sites={name: _site(name, site, config, operations, secrets) for name, site in config.sites.items()},
        operations=operations,
        backends={name: _backend(name, backend, loaded, secrets) for name, backend in config.backends.items()},
        parties={
            name: CompiledParty(
                name,
                party.id,
                _both(party.secret, party.previous_secret, secrets),
                party.redirect_uris,
                frozenset(party.sites),
            )
            for name, party in config.oidc.clients.items()
        },
        admin_token=_optional(config.admin.token, secrets),
        store_url=_store_url(config.store.url, secrets),
        audit_key=_optional(config.audit.key, secrets),
        guest_key=_optional(config.keys.guest, secrets),
        debug_key=_optional(config.tracing.debug_key, secrets),
        sink_authorizations={
            sink.name: secrets.read(sink.authorization) for sink in config.audit.sinks if sink.authorization is not None
        },
        secrets=secrets,
        fingerprints={  # last: by now everything was read
            shape.written(path): secrets.fingerprints[reference]
            for path, _, reference in secret_values(config)
            if reference in secrets.fingerprints
        },
    )


def _org(name: str, org: Org, sources: Sources) -> CompiledOrg:
    endpoints = org.endpoints.model_dump(exclude_none=True)
    region = _region(org, endpoints, sources.regions)
    clients = {key: _client(key, client, sources.secrets) for key, client in org.clients.items()}
    return CompiledOrg(
        name, region, hosts_of(region, endpoints), org.organization_id, org.ownership_client, org.failover, clients
    )


def _region(org: Org, endpoints: Mapping[str, str], regions: RegionTable) -> Region:
    """A region that the table does not know is admitted only with all five endpoints, as the checks demand."""
    try:
        return regions.resolve(org.region)
    except RegionUnknown:
        if len(endpoints) < 5:
            raise
        return custom_region(org.region, endpoints["api"].partition("://")[2].removeprefix("api."))


def _client(name: str, client: Client, secrets: Secrets) -> CompiledClient:
    return CompiledClient(
        name, client.id, _both(client.secret, client.previous_secret, secrets), client.permissions, client.tokens
    )


def _site(name: str, site: Site, config: Config, operations: Mapping[str, Operation], secrets: Secrets) -> CompiledSite:
    context = ContextRules(tuple(site.context.attributes.items()), site.context.reserved)
    actions = DEFAULT_ACTIONS if site.actions is None else frozenset(site.actions)
    return CompiledSite(
        name=name,
        rules=decision.SiteRules(
            name=name,
            org=site.org,
            deployment_id=site.deployment_id,
            origins=OriginRules(tuple(map(parse_pattern, site.origins)), site.allow_null_origin),
            routes=RouteTable(_routes(name, site, config, operations)),
            mode=site.mode,
            anonymous_socket=site.visitors.anonymous_socket,
            upstream_origin=site.upstream_origin,
            traceparent=site.traceparent,
        ),
        socket=SocketRules(
            site.deployment_id, actions, context, config.limits.frame_bytes, genesys_login=site.visitors.genesys_login
        ),
        session=SessionRules(site.session.idle_s, site.session.absolute_s, site.session.handle_s),
        issuers=_issuers(site.visitors.issuers, secrets),
        anonymous=site.visitors.anonymous,
        anonymous_on_failure=site.visitors.on_failure == "anonymous",
        step_up=site.visitors.step_up,
        genesys_login=site.visitors.genesys_login,
        subject=_subject(site.visitors.subject, secrets),
        lookup_s=site.visitors.subject.lookup_days * 86_400.0,
        dpop=site.session.dpop == "required",
        locale=site.locale,
        debug=site.debug,
    )


def _routes(name: str, site: Site, config: Config, operations: Mapping[str, Operation]) -> list[Route]:
    """The routes that exist on a site; the history of a guest's own session belongs to every proxied one."""
    built_in = [HISTORY] if site.mode == "proxied" else []
    listed = [route for route in config.routes if not route.sites or name in route.sites]
    return built_in + [compile_route(route, operations[route.name]) for route in listed]


def _subject(subject: Subject, secrets: Secrets) -> SubjectRules:
    namespace = uuid.UUID(secrets.read(subject.namespace).reveal()) if subject.namespace is not None else None
    return SubjectRules(subject.kind, subject.form, namespace, subject.brand, subject.allow_at)


def _issuers(issuers: Sequence[Issuer], secrets: Secrets) -> tuple[IssuerRules, ...]:
    """The profiles; of a ring of keys under one name all but the first are old."""
    seen: set[str] = set()
    found = []
    for issuer in issuers:
        name = issuer.name or issuer.kind
        found.append(_issuer(issuer, name, name in seen, secrets))
        seen.add(name)
    return tuple(found)


def _issuer(issuer: Issuer, name: str, is_old: bool, secrets: Secrets) -> IssuerRules:
    return IssuerRules(
        kind=issuer.kind,
        name=name,
        is_old=is_old,
        keys=_issuer_keys(issuer, secrets),
        issuer=issuer.issuer,
        audience=issuer.audience,
        algorithms=issuer.algorithms,
        max_lifetime_s=issuer.max_lifetime_s,
        require_exp=issuer.require_exp,
        leeway_s=issuer.leeway_s,
        one_use=issuer.one_use,
        report_only=issuer.report_only,
    )


def _issuer_keys(issuer: Issuer, secrets: Secrets) -> tuple[VerificationKey, ...]:
    """The shared secrets as raw UTF-8 bytes; a key without an id is told from the one before by its label."""
    if issuer.secret is None:
        return ()
    labels = (issuer.kid or "current", "previous")
    found = _both(issuer.secret, issuer.previous_secret, secrets)
    return tuple(
        shared_secret(secret.reveal(), kid=issuer.kid, label=label)
        for label, secret in zip(labels, found, strict=False)
    )


def _backend(name: str, backend: Backend, loaded: Loaded, secrets: Secrets) -> CompiledBackend:
    pem = (loaded.directory / backend.public_key).read_text(encoding="utf-8") if backend.public_key else None
    return CompiledBackend(
        name=name,
        client_id=backend.id or name,
        keys=_both(backend.key, backend.previous_key, secrets) if backend.key is not None else (),
        public_key_pem=pem,
        caller=decision.Backend(name, frozenset(backend.sites), frozenset(backend.routes)),
        handle_s=backend.handle_s,
    )


def _store_url(text: str, secrets: Secrets) -> Secret:
    """A store's URL may stand in the file as it is; the checks refuse one that holds a password outside dev."""
    return Secret(text) if "://" in text else secrets.read(text)


def _both(reference: str, previous: str | None, secrets: Secrets) -> tuple[Secret, ...]:
    older = (secrets.read(previous),) if previous is not None else ()
    return secrets.read(reference), *older


def _optional(reference: str | None, secrets: Secrets) -> Secret | None:
    return secrets.read(reference) if reference is not None else None
