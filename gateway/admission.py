"""Who is let in: a visitor's proof, or none, into a guest session; recorded before the visitor holds it.

Judging a token is `policy/visitors.py`, keeping the session `guestbook.py`. What a failed proof becomes is the site's
declared rule, never an accident: refused, or an anonymous session that says so in its record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from gateway import errors
from gateway.errors import Refusal
from gateway.gate import Gate, Trail
from gateway.guestbook import Admission, Guestbook, SiteBook
from gateway.observe.audit import records
from gateway.observe.metrics import Metrics
from gateway.policy.decision import Guest
from gateway.policy.guests import Act, GuestSession, Person
from gateway.policy.jws import VerificationKey, open_token
from gateway.policy.visitors import IssuerRules, Visitor, select_issuer, verify_visitor
from gateway.provider.answers import Asked
from gateway.provider.people import Admitted
from gateway.store.base import Store

log = structlog.get_logger(__name__)
VERIFICATION_RESULTS: Final = {
    "visitor.expired": "expired",
    "visitor.not_yet_valid": "not_yet_valid",
    "visitor.bad_signature": "bad_signature",
    "visitor.alg_not_allowed": "alg_not_allowed",
    "visitor.unknown_kid": "unknown_kid",
    "visitor.wrong_issuer": "wrong_issuer",
    "visitor.wrong_audience": "wrong_audience",
    "visitor.malformed": "malformed",
    "visitor.replayed": "replayed",
    "visitor.missing": "missing",
    "visitor.too_large": "too_large",
    "visitor.keys_unavailable": "jwks_unavailable",
}


class KeySource(Protocol):
    """Where an OpenID issuer's keys come from."""

    async def keys(self, rules: IssuerRules, kid: str | None) -> Sequence[VerificationKey]:
        """The issuer's keys, with `kid` among them if the issuer has it. Raises Refusal(VISITOR_KEYS_UNAVAILABLE)."""


@dataclass(frozen=True, slots=True)
class SiteDesk:
    """What admission must know of one site."""

    book: SiteBook
    issuers: tuple[IssuerRules, ...]
    on_failure: Literal["refuse", "anonymous"]
    region: str
    organization_id: str | None
    deployment_id: str


class Admissions:
    """Lets visitors in."""

    def __init__(
        self,
        desks: Callable[[str], SiteDesk],
        guestbook: Guestbook,
        store: Store,
        gate: Gate,
        metrics: Metrics,
        keys: KeySource,
        clock: Callable[[], float],
    ) -> None:
        """`desks`: the rules in force of a site, by its name."""
        self._desks = desks
        self._guestbook = guestbook
        self._store = store
        self._gate = gate
        self._metrics = metrics
        self._keys = keys
        self._clock = clock

    async def come(
        self,
        site: str,
        handle: str | None,
        token: str | None,
        issuer: str | None,
        trail: Trail,
        proof_key: str | None = None,
    ) -> Admission:
        """Open, renew, upgrade or replace a session. `handle`: the one that came along; `token`: the visitor's proof;
        `proof_key`: the browser's key that was shown to be held.

        Raises Refusal: VISITOR_*, DPOP_*, HANDLE_WRONG_KIND, PLATFORM_TOKEN, STORE_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        desk = self._desks(site)
        visitor, failed = await self._visitor(desk, token, issuer, trail)
        admission = await self._guestbook.admit(desk.book, handle, _person(visitor), failed, proof_key)
        if failed is not None:
            self._gate.refused(failed, trail)  # on record, though the visitor goes on as nobody
        trail.issuer = visitor.kind if visitor is not None else admission.session.issuer or "anonymous"
        trail.caller = Guest(admission.session)
        trail.who = None
        await self._record(admission, visitor, trail)
        return admission

    async def admit(self, site: str, visitor_token: str, asked: Asked) -> Admitted:
        """Open a session for a server that vouches for its visitor (RFC 8693 token exchange). Raises as `come`."""
        desk = self._desks(site)
        trail = Trail(
            request_id=asked.request_id or "", surface="oauth_token", method="POST", client_ip=asked.client_ip or "",
            started=0.0, site=site, region=desk.region,
        )  # fmt: skip
        admission = await self.come(site, None, visitor_token, None, trail)
        session = admission.session
        return Admitted(
            handle=admission.handle,
            expires_in_s=round(admission.handle_expires_at - self._clock()),
            guest_id=session.guest_id,
            verified=session.verified,
            organization_id=desk.organization_id,
            region=desk.region,
            deployment_id=desk.deployment_id,
        )

    async def leave(self, site: str, handle: str, trail: Trail) -> GuestSession | None:
        """End a session; None when there is none any more. Raises Refusal: STORE_UNAVAILABLE, AUDIT_UNAVAILABLE."""
        session = await self._guestbook.end(handle, site)
        if session is not None:
            trail.caller = Guest(session)
            await self._gate.used(self._ended(session, "logout", trail))
        return session

    async def _visitor(
        self, desk: SiteDesk, token: str | None, issuer: str | None, trail: Trail
    ) -> tuple[Visitor | None, Refusal | None]:
        """The visitor of a proof that holds; or, where the site lets them go on as nobody, why it does not."""
        if token is None:
            return None, None
        try:
            return await self._timed(desk, token, issuer, trail), None
        except Refusal as refusal:
            if desk.on_failure != "anonymous" or not refusal.code.startswith("visitor."):
                raise
            return None, refusal

    async def _timed(self, desk: SiteDesk, token: str, issuer: str | None, trail: Trail) -> Visitor:
        """As `_proved`, noted as a stage where the request is traced."""
        if trail.trace is None:
            return await self._proved(desk, token, issuer, trail)
        began = time.monotonic()
        try:
            return await self._proved(desk, token, issuer, trail)
        finally:
            kind = trail.issuer or "other"
            trail.trace.stage("verify visitor", "verify", "internal", began, gateway__auth__method=kind)

    async def _proved(self, desk: SiteDesk, token: str, issuer: str | None, trail: Trail) -> Visitor:
        method = "other"
        try:
            opened = open_token(token)
            rules = select_issuer(opened, desk.issuers, issuer)
            method = trail.issuer = rules.kind
            openid_keys = await self._keys.keys(rules, opened.kid) if rules.kind == "oidc" else ()
            visitor = verify_visitor(token, desk.issuers, self._clock(), issuer, openid_keys)
            await self._use_once(visitor, rules)
        except Refusal as refusal:
            self._metrics.visitor_verifications.child(method, VERIFICATION_RESULTS.get(refusal.code, "other")).inc()
            raise
        self._metrics.visitor_verifications.child(method, "ok").inc()
        self._metrics.visitor_key_uses.child(desk.book.name, "previous" if visitor.by_old_key else "current").inc()
        for code in visitor.findings:
            self._metrics.visitor_findings.child(desk.book.name, code).inc()
            log.warning("visitor.reported_only", site=desk.book.name, issuer=visitor.issuer, code=code)
        return visitor

    async def _use_once(self, visitor: Visitor, rules: IssuerRules) -> None:
        """Claim a token of a one-use issuer on all nodes. Raises Refusal(VISITOR_REPLAYED)."""
        if not visitor.one_use:
            return
        ttl_s = max(visitor.expires_at + rules.leeway_s - self._clock(), 1.0)
        if not await self._store.claim("visitor", visitor.replay_key, ttl_s):
            raise Refusal(errors.VISITOR_REPLAYED)

    async def _record(self, admission: Admission, visitor: Visitor | None, trail: Trail) -> None:
        """Write the grant to disk before the handle leaves; when that fails, a session that is new is ended again."""
        session = admission.session
        await self._gate.meet(trail.caller)
        record = records.session_issued(
            at=self._clock(),
            who=self._gate.subject(trail),
            auth_method=trail.issuer or "anonymous",
            session_ref=self._gate.reference("session", session.id),
            token_ref=self._gate.reference("token", admission.handle),
            kid=visitor.key if visitor is not None else None,
            issuer=visitor.issuer if visitor is not None else session.issuer,
            findings=visitor.findings if visitor is not None else (),
            expires_at=admission.handle_expires_at,
            request_id=trail.request_id,
            trace_id=trail.trace_id,
        )
        try:
            await self._gate.granted(record)
        except Refusal:
            if admission.act is not Act.RENEW:
                await self._guestbook.end_session(session)
            raise
        if admission.ended is not None:
            await self._gate.used(self._ended(admission.ended, "logout", trail))
        self._metrics.sessions_issued.child(trail.issuer or "anonymous").inc()

    def _ended(self, session: GuestSession, reason: Literal["logout"], trail: Trail) -> records.Record:
        return records.session_ended(
            at=self._clock(),
            who=self._gate.subject(trail),
            reason=reason,
            session_ref=self._gate.reference("session", session.id),
            duration_s=self._clock() - session.created_at,
            request_id=trail.request_id,
            trace_id=trail.trace_id,
        )


def _person(visitor: Visitor | None) -> Person | None:
    if visitor is None:
        return None
    return Person(visitor.issuer, visitor.subject, visitor.name, visitor.email)
