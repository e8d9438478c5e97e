"""One running gateway: its parts, built in the order in which they need each other, and stopped in the other one.

Listeners are `running.py`'s. The rule: a part gets what it needs when it is made; nothing looks anything up later.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from gateway.admission import Admissions, SiteDesk
from gateway.app.audit_setup import audit_log, audit_settings
from gateway.app.feeding import StoreMetrics, feed_secrets, feed_sockets
from gateway.app.login_records import LoginRecords
from gateway.app.observers import LegMetrics, TokenWatch
from gateway.app.own_keys import own_key
from gateway.app.ruleset import make_ruleset
from gateway.app.scripts import render_scripts, static_dir
from gateway.app.secret_ends import secret_names
from gateway.app.stores import make_store, shared
from gateway.app.tracing import make_spans, make_tracing
from gateway.config import genesys
from gateway.config.compile import Compiled
from gateway.gate import Gate
from gateway.guestbook import Guestbook, GuestKeys
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from gateway.provider.backends import Backends
from gateway.provider.build import assertion_audiences, bearer_audiences, key_ring, lives_of, relying_parties
from gateway.provider.key_files import KeyRingFault
from gateway.provider.own_codes import OwnCodes
from gateway.provider.parties import RelyingParties
from gateway.provider.people import BookSessions
from gateway.provider.provider import Provider
from gateway.store.sealing import Sealer
from gateway.upstream.bearer import Bearer, ClientCredentials, token_name
from gateway.upstream.breaker import Breaker
from gateway.upstream.budget import RetryBudget
from gateway.upstream.guest_login import GuestLogins
from gateway.upstream.http import HttpLeg
from gateway.upstream.jwks import IssuerKeys
from gateway.upstream.login import LoginDesk
from gateway.upstream.ownership import ConversationOwners, OwnerQuestion
from gateway.upstream.quota import QuotaGovernor
from gateway.upstream.rest import RestRelay
from gateway.upstream.self_check import TokenOwner, whose_token
from gateway.upstream.tokens import TokenBroker
from gateway.upstream.websocket import SocketRelay
from gateway.upstream.ws_dial import SocketDialer
from gateway.web.admin_guests import AdminGuests
from gateway.web.assets import Assets
from gateway.web.beacons import Beacons
from gateway.web.beliefs import BeliefDesk
from gateway.web.bootstrap import Bootstrap
from gateway.web.callers import Callers
from gateway.web.front import Front
from gateway.web.oauth import OAuth
from gateway.web.proxy import RestProxy
from gateway.web.sessions import Sessions
from gateway.web.shim_table import labels_of, read_table
from gateway.web.socket import GuestSocket, SocketSessions, SocketWatch
from gateway.web.throttle import Throttle

log = structlog.get_logger(__name__)
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a gateway takes from the world: the clock, random bytes, and where relative paths begin."""

    directory: Path
    clock: Clock = time.time
    entropy: Callable[[int], bytes] = os.urandom
    node: str = "node"


class Gateway:
    """All parts of one process. `start` before traffic; `drain` and `stop` at the end."""

    def __init__(self, compiled: Compiled, surroundings: Surroundings) -> None:
        """Build. Raises ConfigFault or ValueError for what the checks could not know."""
        config, clock, entropy = compiled.config, surroundings.clock, surroundings.entropy
        self.surroundings = surroundings
        keys_dir = surroundings.directory / config.keys.dir
        self._guest_key = own_key(compiled.guest_key, keys_dir, "guest", dev=config.dev)
        self.compiled = compiled
        self.rules = make_ruleset(compiled, self._guest_key)
        self.metrics = Metrics(_scope(compiled))
        self.store = make_store(compiled, clock)
        sealer = Sealer({config.keys.guest_version: self._guest_key}, entropy)
        if (common := shared(self.store)) is not None:
            common.watch = StoreMetrics(self.metrics)
        self.audit = audit_log(compiled, surroundings.directory, surroundings.node, self.metrics, self.store, sealer)
        self.spans = make_spans(compiled, surroundings.node)
        self.tracing = make_tracing(compiled, self.spans, clock)
        self.gate = Gate(self.audit, self.metrics, clock)
        feed_secrets(self.metrics, compiled, compiled.secrets.directory)
        self.guestbook = Guestbook(
            self.store,
            keys=GuestKeys(self._guest_key, config.keys.guest_version),
            sealer=sealer,
            entropy=entropy,
            clock=clock,
        )
        self.beliefs = BeliefDesk(genesys.beliefs(), genesys.catalogue(), self.metrics)
        self.token_watch = TokenWatch(self.metrics, self.gate, clock)
        self._legs: dict[tuple[str, str], HttpLeg] = {}
        self._desks: dict[str, LoginDesk] = {}
        self.tokens = TokenBroker(
            self.rules.credentials,
            self._login_desk,
            check=self._token_owner,
            observer=self.token_watch,
            reference_of=partial(self.audit.ref, "token"),
            record=self.token_watch.record,
        )
        self.quota = QuotaGovernor(
            self.rules.quota, self.rules.tokens,
            gauge=lambda token, share: self.metrics.upstream_quota_used.child(token).set(share),
        )  # fmt: skip
        self.owners = ConversationOwners(
            self._api_leg, self._owners_bearer, self._ownership_client, clock,
            carried=partial(self.token_watch.own_call, "/api/v2/conversations/{conversationId}"),
            rejected=self.tokens.reject,
        )  # fmt: skip
        self.relay = RestRelay(self._api_leg, self.tokens, quota=self.quota, refuge_of=self._refuge)
        self.throttle = Throttle(self.rules.throttle, clock)
        self.backends = Backends(self.rules.backends, self.store, entropy, *_audiences(compiled))
        self.parties = RelyingParties(relying_parties(compiled.parties.values()))
        self.ring = key_ring(config.oidc, surroundings.directory)
        self.issuer_keys = IssuerKeys(self._issuer_leg, time.monotonic, http_too=config.dev)
        self.admissions = Admissions(
            self._desk, self.guestbook, self.store, self.gate, self.metrics, self.issuer_keys, clock
        )
        self.provider = self._make_provider(compiled)
        codes = OwnCodes(lambda: self.provider, lambda site: self.rules.desks[site].book.genesys_login, entropy, clock)
        self.logins = GuestLogins(self._site_leg, codes, clock, watch=LoginRecords(self.gate, self._region, clock))
        self.guestbook.on_end(self.logins.on_end)
        self.assets = Assets(static_dir())
        render_scripts(compiled, self.assets)
        self.sockets: SocketRelay | None = None
        self.front: Front | None = None

    async def start(self) -> None:
        """Open log and store, and begin to watch clocks. Raises what the audit log raises without a place to write."""
        surroundings = self.surroundings
        await self.audit.open()
        await self.store.start()
        try:
            self.ring.ensure(surroundings.clock())
        except KeyRingFault as fault:
            log.error("oidc.no_signing_key", fault=str(fault))  # readiness tells it, and chats without sign-in go on
        watch = SocketWatch(self.gate, self.metrics, self._region, surroundings.clock, self.tracing)
        self.sockets = SocketRelay(
            self.rules.sockets, self.guestbook, self.store,
            SocketDialer(surroundings.entropy, observer_of=self._dial_metrics), watch,
            surroundings.clock, entropy=surroundings.entropy, login=self.logins,
            sessions=SocketSessions(self.admissions, self._region),
        )  # fmt: skip
        await self.sockets.start()
        feed_sockets(self.metrics, self.sockets.traffic)
        self.metrics.sessions_active.child().ask(lambda: float(self.guestbook.known_sessions))
        self.front = self._make_front(self.sockets)

    def _make_front(self, sockets: SocketRelay) -> Front:
        clock = self.surroundings.clock
        callers = Callers(self.guestbook, lambda: self.backends, self.throttle, self.store, clock)
        sessions = Sessions(
            self.admissions, self.guestbook, callers, self.gate, clock,
            sets_cookie=lambda: self.compiled.config.oidc.session_cookie,
        )  # fmt: skip
        proxy = RestProxy(
            callers,
            self.gate,
            lambda: self.relay,
            self.throttle,
            self.metrics,
            self.owners,
            self.beliefs.of_headers,
            self.tracing,
        )
        bootstrap = Bootstrap(self.assets)
        oauth = OAuth(
            lambda: self.provider,
            self._deployment,
            self.admissions,
            self.guestbook,
            callers,
            self.gate,
            self.throttle,
            clock,
        )
        handlers = {
            "widget": bootstrap.widget,
            "static": bootstrap.payload,
            "origin": bootstrap.origin,
            "session": sessions.session,
            "ticket": sessions.ticket,
            "beacon": Beacons(self.metrics, _legacy_calls()).beacon,
            "rest_proxy": proxy.handle,
            "websocket": GuestSocket(sockets, self.guestbook, self.gate, self.metrics).handle,
            "oauth_token": self.beliefs.at_token_endpoint(oauth.token),
            "oidc": oauth.oidc,
            "auth_code": oauth.auth_code,
        }
        return Front(
            self.rules.front,
            handlers,
            self.gate,
            self.metrics,
            self.throttle.admit,
            explain=self.beliefs.explain,
            tracing=self.tracing,
        )

    def admin_guests(self) -> AdminGuests:
        """The admin calls about guests."""
        clock = self.surroundings.clock
        return AdminGuests(self.guestbook, self.gate.granted, self.audit, lambda: self.compiled.sites, clock)

    def _make_provider(self, compiled: Compiled) -> Provider:
        """The OpenID provider of a configuration: cheap, its state is in the store and in the parts it shares."""
        grants = self.metrics.oauth_grants
        return Provider(
            issuer_of(compiled),
            lives_of(compiled.config.oidc),
            backends=self.backends,
            parties=self.parties,
            ring=self.ring,
            store=self.store,
            sessions=BookSessions(self.guestbook),
            admits=self.admissions,
            trail=self.audit,
            entropy=self.surroundings.entropy,
            count=lambda word: grants.child(word).inc(),
            response_iss=compiled.config.oidc.response_iss,
            advice=self.beliefs.advice,
        )

    def apply(self, compiled: Compiled) -> None:
        """Put another configuration in force for all that comes from now on. Raises before anything has changed."""
        rules = make_ruleset(compiled, self._guest_key)
        parties = relying_parties(compiled.parties.values())
        RelyingParties(parties)  # raises before anything has changed
        self.backends.replace(rules.backends, *_audiences(compiled))
        self.parties.replace(parties)
        render_scripts(compiled, self.assets)
        self.compiled, self.rules = compiled, rules
        self.audit.apply(audit_settings(compiled, self.surroundings.directory, self.surroundings.node))
        self.metrics.rescope(_scope(compiled))
        feed_secrets(self.metrics, compiled, compiled.secrets.directory)
        self.provider = self._make_provider(compiled)
        self.tokens.replace(rules.credentials)
        self.relay.forget_answers()
        self.quota.replace(rules.quota, rules.tokens)
        self.throttle.reload(rules.throttle)
        if self.sockets is not None:
            self.sockets.reload(rules.sockets)
        if self.front is not None:
            self.front.reload(rules.front)

    async def drain(self, within_s: float) -> None:
        """Take no new sockets and close the open ones, spread over the time."""
        if self.front is not None:
            self.front.draining = True
        if self.sockets is not None:
            await self.sockets.drain(within_s)

    async def stop(self) -> None:
        """Close everything, the audit log last but for the store, which witnesses its last checkpoint."""
        if self.sockets is not None:
            await self.sockets.close()
        await self.owners.close()
        await self.logins.close()
        await self.issuer_keys.close()
        await self.tokens.close()
        for leg in self._legs.values():
            await leg.close()
        try:
            await self.audit.close()
        finally:
            await self.store.close()
            if self.spans is not None:
                await asyncio.to_thread(self.spans.close)

    def _desk(self, site: str) -> SiteDesk:
        return self.rules.desks[site]

    def _deployment(self, site: str) -> str:
        return self.rules.desks[site].deployment_id

    def _region(self, site: str) -> str:
        return self.rules.front.regions[site]

    def _leg(self, upstream: str, base_url: str, region: str) -> HttpLeg:
        leg = self._legs.get((upstream, base_url))
        if leg is None:
            leg = HttpLeg(
                base_url, observer=LegMetrics(self.metrics, upstream, region), breaker=Breaker(), budget=RetryBudget()
            )
            for state in ("idle", "active"):
                self.metrics.upstream_connections.child(upstream, state).ask(
                    partial(self._connections, upstream, state)
                )
            self._legs[upstream, base_url] = leg
        return leg

    def _dial_metrics(self, base_url: str) -> LegMetrics:
        """Who counts the dials to a Guest-API host."""
        region = next((hosts.region for hosts in self.rules.hosts.values() if hosts.webmessaging == base_url), "none")
        return LegMetrics(self.metrics, "messaging_ws", region)

    async def _token_owner(self, credentials: ClientCredentials, bearer: Bearer) -> TokenOwner | None:
        """Whose token it is, before it is used for anything else."""
        owner = await whose_token(self._api_leg(credentials.org), bearer)
        self.token_watch.own_call("/api/v2/tokens/me", bearer, None if owner is None else 200)
        if owner is not None:
            self.token_watch.owner_told(bearer.key, owner)
        return owner

    def _api_leg(self, org: str) -> HttpLeg:
        hosts = self.rules.hosts[org]
        return self._leg("api", hosts.api, hosts.region)

    async def _owners_bearer(self, question: OwnerQuestion, client: str, deadline: float) -> Bearer:
        """A bearer to find out an owner with, out of the quota of whoever made the question needed."""
        org = question.org
        slot = self.quota.take(org, client, question.site, is_guest=question.by_guest)
        return await self.tokens.bearer(org, client, deadline, slot)

    def _refuge(self, org: str) -> tuple[str, str] | None:
        other = self.compiled.orgs[org].failover
        return None if other is None else (other, self.rules.hosts[other].region)

    def _ownership_client(self, org: str) -> str | None:
        return self.compiled.orgs[org].ownership_client

    def _site_leg(self, site: str) -> HttpLeg:
        return self._api_leg(self.rules.desks[site].book.org)

    def _issuer_leg(self, base_url: str) -> HttpLeg:
        """A leg to an OpenID issuer, counted under the first organisation's region: it belongs to none."""
        return self._leg("jwks", base_url, next(iter(self.rules.hosts.values())).region)

    def _connections(self, upstream: str, state: str) -> float:
        """How many connections the legs of one kind have in a state."""
        return float(sum(getattr(leg.stats(), state) for (kind, _), leg in self._legs.items() if kind == upstream))

    def _login_desk(self, credentials: ClientCredentials) -> LoginDesk:
        desk = self._desks.get(credentials.login_url)
        if desk is None:
            desk = LoginDesk(self._leg("login", credentials.login_url, credentials.region))
            self._desks[credentials.login_url] = desk
        return desk


def issuer_of(compiled: Compiled) -> str:
    """The issuer of our OpenID provider: [server] public_url without a trailing slash; empty when it is not set."""
    return (compiled.config.server.public_url or "").rstrip("/")


def _audiences(compiled: Compiled) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """What signed assertions may name: at the token endpoint, and as bearers."""
    issuer, sites = issuer_of(compiled), compiled.config.sites
    return assertion_audiences(issuer), bearer_audiences(issuer, {name: site.hosts for name, site in sites.items()})


def _scope(compiled: Compiled) -> Scope:
    """The label values that only the configuration knows."""
    regions = dict.fromkeys(org.hosts.region for org in compiled.orgs.values())
    tokens = dict.fromkeys(
        token_name(org.name, client.name, slot)
        for org in compiled.orgs.values()
        for client in org.clients.values()
        for slot in range(client.tokens)
    )
    return Scope(
        regions=tuple(regions),
        clients=tuple(tokens),
        secrets=secret_names(compiled.config),
        sites=tuple(compiled.sites),
        sinks=tuple(sink.name for sink in compiled.config.audit.sinks),
        legacy_calls=_legacy_calls(),
    )


def _legacy_calls() -> tuple[str, ...]:
    """Zendesk's calls that are counted by name."""
    return labels_of(read_table(static_dir()))
