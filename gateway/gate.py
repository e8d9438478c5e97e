"""The one door: decide, record, count, in one method each.

`permit` and `permit_socket` are the only callers of the deciding functions; whatever they say, yes or no, is recorded
and counted here. The rule: no room in the audit log, no permit; a refusal is given in any case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from gateway.errors import Refusal
from gateway.observe.audit import records
from gateway.observe.audit.records import Record, Subject
from gateway.observe.metrics import Metrics
from gateway.observe.tracing import Trace
from gateway.policy.decision import (
    Backend,
    Caller,
    Facts,
    Guest,
    Permit,
    SiteRules,
    SocketPermit,
    decide,
    decide_socket,
)

SUBJECTS_KEPT: Final = 20_000
"""Subjects (whom records are about) that are kept built; a guest makes many calls."""
DAY_S: Final = 86_400

ORIGIN_RESULTS: Final = {
    "origin.missing": "missing",
    "origin.null": "null",
    "origin.malformed": "malformed",
    "origin.insecure": "insecure_scheme",
    "origin.not_allowed": "not_listed",
}
OAUTH_SURFACES: Final = frozenset({"oauth_token", "oidc", "auth_code"})
"""Surfaces that give out codes and tokens: their refusals are records of refused tokens."""
LIMITERS: Final = {"limit.rate": "address", "limit.overloaded": "connections", "socket.too_many": "connections"}
"""The limit behind a code, where the trail does not name it."""


class AuditSink(Protocol):
    """What the gate needs of the audit log; the classes are those of docs/audit.md."""

    async def grant(self, record: Record) -> None:
        """Class A: returns when durable. Raises Refusal(AUDIT_UNAVAILABLE)."""

    async def use(self, record: Record) -> None:
        """Class B: queued, waiting briefly for room. Raises Refusal(AUDIT_UNAVAILABLE)."""

    def try_use(self, record: Record) -> bool:
        """Class B without waiting; False when the queue is full."""

    def end(self, record: Record) -> None:
        """Class B when it is over: never raises, never waits; a declared gap at worst."""

    def refuse(self, record: Record) -> None:
        """Class C: never raises."""

    @property
    def has_room(self) -> bool:
        """Would a class B record find room now?"""

    async def room(self, site: str | None = None) -> None:
        """Returns when a class B record of the site would find room. Raises Refusal(AUDIT_UNAVAILABLE) after 250 ms."""

    @property
    def has_subject_keys(self) -> bool:
        """May the pseudonym of a guest change at any moment?"""

    async def meet(self, site: str, subject: str) -> None:
        """Has the pseudonym of a guest at hand, where each has a key of its own. Never raises."""

    def pseudonym(self, site: str, subject: str, now: float) -> str | None:
        """The pseudonym of a guest in the epoch of `now`; None where `meet` could not have it."""

    def client_ref(self, address: str, now: float) -> str:
        """The day's reference of a client address."""

    def ref(self, kind: str, secret: str) -> str:
        """The reference of a handle or token."""

    def conversation(self, conversation_id: str) -> str:
        """What records call a conversation: its id, or a reference."""


@dataclass(slots=True)
class Trail:
    """What is known of one request, for its records: filled as it is found out. Nothing secret has a place here.

    `surface` is the row of the public surface (a metric label); `route` the name of a configured route; `client` the
    relying party or backend that an OAuth endpoint authenticated, `grant` the grant_type that it asked with;
    `token_ref` the reference of the credential that was injected last; `trace` is there for sampled and debugged
    requests only; `refused_as` is the code of its refusal, `limiter` the limit that it met.
    """

    request_id: str
    surface: str
    method: str
    client_ip: str
    started: float
    site: str | None = None
    route: str | None = None
    template: str | None = None
    origin: str | None = None
    region: str | None = None
    caller: Caller | None = None
    issuer: str | None = None
    responder: Literal["gateway", "upstream"] = "gateway"
    trace_id: str | None = None
    upstream_s: float = 0.0
    conversation: str | None = None
    client: str | None = None
    grant: str | None = None
    token_ref: str | None = None
    trace: Trace | None = field(default=None, repr=False)
    refused_as: str | None = None
    limiter: str | None = None
    who: Subject | None = field(default=None, repr=False)


class Gate:
    """Decides by the policy, records in the audit log, counts in the metrics."""

    def __init__(self, audit: AuditSink, metrics: Metrics, clock: Callable[[], float]) -> None:
        """`clock`: seconds since the epoch."""
        self._audit = audit
        self._metrics = metrics
        self._clock = clock
        self._allowed = metrics.origin_checks.child("allowed")
        self._subjects: OrderedDict[tuple[str, str, str], Subject] = OrderedDict()
        self._day = -1.0

    def permit_at_once(self, facts: Facts, rules: SiteRules, trail: Trail) -> Permit | None:
        """Leave for one REST call, when nothing need be waited for; None: ask `permit`. Raises as `permit`."""
        if not self._audit.has_room or self._audit.has_subject_keys:
            return None
        trail.caller = facts.caller
        permit = decide(facts, rules, self._clock())
        self._allowed.value += 1.0
        trail.route = permit.route.name
        trail.template = permit.route.match.path
        return permit

    async def permit(self, facts: Facts, rules: SiteRules, trail: Trail) -> Permit:
        """Leave for one REST call. Raises Refusal; the web room hands it back to `refused`.

        The record of the call itself is written by `carried`, when its outcome is known; room for it is made sure here.
        """
        trail.caller = facts.caller
        permit = decide(facts, rules, self._clock())
        self._allowed.value += 1.0
        trail.caller = permit.caller
        await self.meet(permit.caller)
        trail.route = permit.route.name
        trail.template = permit.route.match.path
        if not self._audit.has_room:
            await self._audit.room(trail.site)
        return permit

    async def permit_socket(
        self, facts: Facts, rules: SiteRules, deployment_id: str | None, trail: Trail
    ) -> SocketPermit:
        """Leave for one guest socket. Raises Refusal."""
        trail.caller = facts.caller
        permit = decide_socket(facts, rules, deployment_id, self._clock())
        self._allowed.value += 1.0
        await self.meet(facts.caller)
        if not self._audit.has_room:
            await self._audit.room(trail.site)
        return permit

    def carry(
        self, trail: Trail, status: int, request_bytes: int, response_bytes: int, duration_s: float
    ) -> Record | None:
        """Record that a permitted call was carried (class B), without waiting; a record that found no room comes back,
        and is for `used` to wait with.
        """
        at, caller, conversation = self._clock(), trail.caller, trail.conversation
        record = records.proxy_allowed(  # by position: once per proxied call
            at, trail.who or self._subject_at(trail, at), trail.request_id, trail.route or trail.surface, trail.method,
            trail.template or "", status, request_bytes, response_bytes, trail.region or "none", trail.responder,
            duration_s, trail.upstream_s, None if conversation is None else self._audit.conversation(conversation),
            caller.name if isinstance(caller, Backend) else None, trail.token_ref, trail.trace_id,
        )  # fmt: skip
        return None if self._audit.try_use(record) else record

    async def carried(
        self, trail: Trail, *, status: int, request_bytes: int, response_bytes: int, duration_s: float
    ) -> None:
        """Record that a permitted call was carried, waiting for room where there is none. Raises as `used`."""
        record = self.carry(trail, status, request_bytes, response_bytes, duration_s)
        if record is not None:
            await self._audit.use(record)

    def injected(self, trail: Trail, reference: str) -> None:
        """A credential is about to be sent to Genesys. One that it replaces was refused there: that is recorded now."""
        if trail.token_ref is not None:
            self.note_use(
                records.proxy_upstream_error(
                    at=self._clock(), who=self.subject(trail), error="token.rejected",
                    route=trail.route or trail.surface, method=trail.method, path=trail.template, status=401,
                    region=trail.region, backend=trail.caller.name if isinstance(trail.caller, Backend) else None,
                    token_ref=trail.token_ref, request_id=trail.request_id, trace_id=trail.trace_id,
                )
            )  # fmt: skip
        trail.token_ref = reference

    def answered(self, trail: Trail, *, status: int) -> None:
        """Record that an OAuth or OpenID endpoint was asked and what it said (class B, waited for by nobody).

        What it granted has a record of its own; this one tells whether the other side called at all.
        """
        self.note_use(
            records.proxy_allowed(
                at=self._clock(), who=self.subject(trail), request_id=trail.request_id, route=trail.surface,
                method=trail.method, path=trail.template or "", status=status, request_bytes=0, response_bytes=0,
                region=trail.region or "none", responder="gateway", duration_s=0.0, upstream_s=0.0,
                backend=trail.client, trace_id=trail.trace_id,
            )
        )  # fmt: skip

    async def meet(self, caller: Caller | None) -> None:
        """Have the name of a guest at hand, before the first record of it is made. Never raises."""
        if isinstance(caller, Guest):
            await self._audit.meet(caller.session.site, caller.session.guest_id)

    async def granted(self, record: Record) -> None:
        """Record a grant durably before it takes effect (class A). Raises Refusal(AUDIT_UNAVAILABLE)."""
        await self._audit.grant(record)

    async def used(self, record: Record) -> None:
        """Record the use of a grant (class B). Raises Refusal(AUDIT_UNAVAILABLE)."""
        if not self._audit.try_use(record):
            await self._audit.use(record)

    def note_use(self, record: Record) -> None:
        """Record the end of a use, which cannot be refused any more (class B); without room it is a declared gap."""
        self._audit.end(record)

    def note(self, record: Record) -> None:
        """Record what nobody waits for and nothing hangs on (class C)."""
        self._audit.refuse(record)

    def refused(self, refusal: Refusal, trail: Trail) -> None:
        """Record and count a refusal or fault; never raises."""
        code = trail.refused_as = refusal.code
        self._metrics.refusals.child(code).inc()
        if code in ORIGIN_RESULTS:
            self._metrics.origin_checks.child(ORIGIN_RESULTS[code]).inc()
        if code in LIMITERS:
            self._metrics.rate_limited.child(trail.limiter or LIMITERS[code]).inc()
        record = self._refusal_record(refusal, trail)
        if record.action.failure_class == "B":
            self._audit.end(record)
        else:
            self._audit.refuse(record)

    def _refusal_record(self, refusal: Refusal, trail: Trail) -> Record:
        """The record that belongs to the room of the code: the part before its dot."""
        at, who, code = self._clock(), self.subject(trail), refusal.code
        room = code.partition(".")[0]
        common = {"request_id": trail.request_id, "trace_id": trail.trace_id}
        backend = trail.caller.name if isinstance(trail.caller, Backend) else None
        if room == "origin":
            return records.origin_denied(
                at=at, who=who, reason=code, origin=trail.origin, route=trail.surface, method=trail.method,
                status=refusal.status, **common,
            )  # fmt: skip
        if room in {"visitor", "session", "handle", "dpop"}:
            return records.session_denied(
                at=at,
                who=who,
                reason=code,
                auth_method=trail.issuer,
                route=trail.surface,
                status=refusal.status,
                **common,
            )
        if room in {"token", "oauth"} and trail.surface in OAUTH_SURFACES:
            return records.token_refused(
                at=at,
                who=who,
                reason=code,
                status=refusal.status,
                client=trail.client,
                grant=trail.grant,
                backend=backend,
                **common,
            )
        if code in LIMITERS:
            return records.ratelimit_blocked(
                at=at, who=who, limiter=trail.limiter or LIMITERS[code], reason=code, route=trail.surface,
                method=trail.method, status=refusal.status, **common,
            )  # fmt: skip
        if room in {"upstream", "token"}:
            return records.proxy_upstream_error(
                at=at, who=who, error=code, route=trail.route or trail.surface, method=trail.method,
                path=trail.template, status=refusal.status, region=trail.region, backend=backend,
                token_ref=trail.token_ref, request_id=trail.request_id, trace_id=trail.trace_id,
            )  # fmt: skip
        return records.proxy_denied(
            at=at, who=who, reason=code, route=trail.route or trail.surface, method=trail.method, path=trail.template,
            status=refusal.status, backend=backend, **common,
        )  # fmt: skip

    def reference(self, kind: str, secret: str) -> str:
        """The reference of a session or handle in the records: tells two apart, gives neither away."""
        return self._audit.ref(kind, secret)

    def subject(self, trail: Trail) -> Subject:
        """Whom the records of this request are about; built once per guest, address and day."""
        return trail.who or self._subject_at(trail, self._clock())

    def _subject_at(self, trail: Trail, at: float) -> Subject:
        if at // DAY_S != self._day:  # references of addresses change daily
            self._subjects.clear()
            self._day = at // DAY_S
        caller = trail.caller
        # By guest and not by session alone: who signs in stays in the session and becomes another guest.
        session = caller.session if isinstance(caller, Guest) else None
        if session is not None:
            key = (session.id, session.guest_id, trail.client_ip)
        else:
            key = ("", trail.site or "", trail.client_ip)
        found = self._subjects.get(key)
        if found is None or (self._audit.has_subject_keys and found.fields.get("user.id") != self._name_of(caller)):
            found = self._make_subject(trail, self._name_of(caller))
            self._subjects[key] = found
            if len(self._subjects) > SUBJECTS_KEPT:
                self._subjects.popitem(last=False)
        trail.who = found
        return found

    def _name_of(self, caller: Caller | None) -> str | None:
        """The pseudonym of a guest, as it is now: it may have been destroyed, or begun, since the last record."""
        if not isinstance(caller, Guest):
            return None
        return self._audit.pseudonym(caller.session.site, caller.session.guest_id, self._clock())

    def _make_subject(self, trail: Trail, name: str | None) -> Subject:
        now, caller = self._clock(), trail.caller
        if isinstance(caller, Guest):
            session = caller.session
            return records.subject(
                site=session.site,
                client_ip=trail.client_ip,
                client_ref=self._audit.client_ref(trail.client_ip, now),
                user=name,
                session_ref=self._audit.ref("session", session.id),
            )
        return records.subject(
            site=trail.site, client_ip=trail.client_ip, client_ref=self._audit.client_ref(trail.client_ip, now)
        )
