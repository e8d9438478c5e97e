"""One configuration as values that the running parts decide by: made whole, then put in force at once.

Reading and judging the configuration is `config/`; what happens with the values is the parts'. The rule: a reload
either makes a whole ruleset or changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.admission import SiteDesk
from gateway.config.compile import Compiled, CompiledSite
from gateway.config.model import Limits
from gateway.guestbook import SiteBook
from gateway.policy.frames import SocketGuest, SocketRules
from gateway.policy.guests import issuer_subject, upstream_token
from gateway.policy.injection import GuestContext, context_attributes
from gateway.policy.limits import Limit
from gateway.policy.quota import QuotaRules
from gateway.policy.regions import Hosts
from gateway.policy.subjects import IdKey, anonymous_id
from gateway.provider.backends import BackendRules
from gateway.provider.build import backend_rules
from gateway.upstream.bearer import ClientCredentials
from gateway.upstream.websocket import SocketSettings, SocketSite
from gateway.upstream.ws_caps import SocketCaps
from gateway.upstream.ws_types import SocketBounds
from gateway.web.clients import TrustedProxies
from gateway.web.exchange import BodyLimits
from gateway.web.reception import FrontRules
from gateway.web.throttle import ThrottleRules

APPLICATION: Final = "gateway"
"""Name of the client application towards the Guest API."""
SOCKET_SUBJECT: Final = "socket"
"""Issuer word of guests that come without a session: their own token is all that is known of them."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """What follows from one configuration."""

    front: FrontRules
    desks: Mapping[str, SiteDesk]
    throttle: ThrottleRules
    sockets: SocketSettings
    credentials: tuple[ClientCredentials, ...] = field(repr=False)
    backends: tuple[BackendRules, ...]
    quota: QuotaRules
    tokens: Mapping[tuple[str, str], int]
    """How many tokens a client uses, by the names of its organisation and its own."""
    hosts: Mapping[str, Hosts]
    """By the name of the organisation."""


def make_ruleset(compiled: Compiled, guest_key: bytes) -> Ruleset:
    """Make every value. `guest_key`: that of guest ids. Raises ValueError as the policy's constructors do."""
    config = compiled.config
    regions = {name: compiled.hosts_of_site(name).region for name in compiled.sites}
    return Ruleset(
        front=FrontRules(
            sites=compiled.site_table,
            rules={name: site.rules for name, site in compiled.sites.items()},
            regions=regions,
            trusted=TrustedProxies(config.server.trusted_proxies),
            body_limits=BodyLimits(config.server.body_timeout_s, config.server.body_min_bytes_per_s),
            concurrent_requests=config.limits.concurrent_requests,
        ),
        desks={name: _desk(compiled, site) for name, site in compiled.sites.items()},
        throttle=_throttle(config.limits),
        sockets=SocketSettings(
            {name: _socket_site(compiled, site, guest_key) for name, site in compiled.sites.items()},
            SocketCaps(config.limits.sockets, config.limits.sockets_per_site, config.limits.sockets_per_guest),
            SocketBounds(idle_s=config.limits.socket_idle_s),
        ),
        credentials=credentials_of(compiled),
        backends=tuple(backend_rules(compiled.backends.values())),
        quota=QuotaRules(config.limits.quota_headroom_percent / 100, config.limits.quota_guest_percent / 100),
        tokens={(o.name, c.name): c.tokens for o in compiled.orgs.values() for c in o.clients.values()},
        hosts={name: org.hosts for name, org in compiled.orgs.items()},
    )


def _desk(compiled: Compiled, site: CompiledSite) -> SiteDesk:
    org = compiled.orgs[site.rules.org]
    return SiteDesk(
        book=SiteBook(
            site.name,
            site.rules.org,
            site.session,
            site.anonymous,
            subject=site.subject,
            step_up=site.step_up,
            genesys_login=site.genesys_login,
            lookup_s=site.lookup_s,
            dpop=site.dpop,
        ),
        issuers=site.issuers,
        on_failure="anonymous" if site.anonymous_on_failure else "refuse",
        region=org.hosts.region,
        organization_id=org.organization_id,
        deployment_id=site.rules.deployment_id,
    )


def _throttle(limits: Limits) -> ThrottleRules:
    return ThrottleRules(
        per_address=Limit.per_minute(limits.requests_per_address_per_min),
        per_origin=Limit.per_minute(limits.requests_per_origin_per_min),
        per_guest=Limit.per_minute(limits.requests_per_guest_per_min),
        per_site=Limit.per_minute(limits.requests_per_site_per_min),
        sessions_per_address=Limit.per_minute(limits.sessions_per_address_per_min),
    )


def _socket_site(compiled: Compiled, site: CompiledSite, guest_key: bytes) -> SocketSite:
    return SocketSite(
        url=compiled.hosts_of_site(site.name).webmessaging,
        rules=_with_derived_guests(site, guest_key, compiled.config.keys.guest_version),
        application=APPLICATION,
        connects_per_min=compiled.config.limits.connects_per_deployment_per_min,
    )


def _with_derived_guests(site: CompiledSite, key: bytes, version: int) -> SocketRules:
    """Where sockets need no ticket, the client's own token is the guest: the same token resumes the same thread."""
    if not site.rules.anonymous_socket:
        return site.socket
    name, org = site.name, site.rules.org

    def derive(token: str) -> SocketGuest:
        subject = issuer_subject(SOCKET_SUBJECT, token)
        guest = anonymous_id(site.subject, IdKey(key, version, org, name), token, SOCKET_SUBJECT)
        context = GuestContext(guest, False, name, None, None)
        attributes = tuple(context_attributes(site.socket.context, context).items())
        return SocketGuest(upstream_token(key, name, subject), attributes, verified=False)

    return replace(site.socket, derive_guest=derive)


def credentials_of(compiled: Compiled) -> tuple[ClientCredentials, ...]:
    return tuple(
        ClientCredentials(
            org=org.name,
            region=org.hosts.region,
            login_url=org.hosts.login,
            client=client.name,
            client_id=client.id,
            secret=client.secrets[0].reveal(),
            previous_secret=client.secrets[1].reveal() if len(client.secrets) > 1 else None,
            organization_id=org.organization_id,
            tokens=client.tokens,
        )
        for org in compiled.orgs.values()
        for client in org.clients.values()
    )
