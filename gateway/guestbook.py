"""Guest sessions as a service: who opens, renews, upgrades and ends them, and what their handles stand for.

What may happen to a session is `policy/guests.py`; where it is kept is `store/`. A verified handle is known from a
near-cache with one look-up, until its own short expiry or a revocation. Rule kept: the store sees digests and
sealed values only, and when it does not answer, nobody new is let in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from gateway import errors
from gateway.errors import Refusal
from gateway.policy import guests, handles
from gateway.policy.dpop import check_binding
from gateway.policy.guests import Act, GuestSession, Person, SessionRules
from gateway.policy.handles import HandleKind
from gateway.policy.subjects import IdKey, SubjectRules, anonymous_id, person_key, visitor_id
from gateway.store.base import TOMBSTONE_S, Clock, OnceState, Store
from gateway.store.known import Entry, KnownSessions, SessionEnd, ttl_s
from gateway.store.records import HandleRecord, SessionRecord, seal_handle, seal_session
from gateway.store.sealing import Entropy, SealBroken, Sealer

__all__ = ["Admission", "GuestKeys", "Guestbook", "History", "Identity", "SessionEnd", "SiteBook", "Ticket"]

TICKET_S = 30.0
_HANDLE_TOMBSTONE_S = 600.0
_GUEST_BAN_S = 2_592_000.0
_WRITES = 4


@dataclass(frozen=True, slots=True)
class GuestKeys:
    """The key of guest ids and upstream tokens, and its version."""

    key: bytes = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class SiteBook:
    """What the guestbook must know of a site. `anonymous`: visitors without proof may open sessions.

    `step_up`: signing in keeps the conversation. `genesys_login`: verified visitors sign in at Genesys too.
    `lookup_s`: how long `who_is` can tell whom a guest id stands for; 0: never. `dpop`: new sessions are bound to a key
    of the browser.
    """

    name: str
    org: str
    rules: SessionRules
    anonymous: bool
    subject: SubjectRules = field(default_factory=SubjectRules)
    step_up: bool = True
    genesys_login: bool = False
    lookup_s: float = 0.0
    dpop: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """The outcome of a call to /session. `ended`: the session that gave way to this one, when `act` is REPLACE."""

    session: GuestSession
    handle: str = field(repr=False)
    handle_expires_at: float
    act: Act
    ended: GuestSession | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a guest id stands for: who vouched, and the visitor's identifier there."""

    issuer: str
    subject: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A one-use socket ticket."""

    handle: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class History:
    """What a history handle stands for: the session, and the guest's short Genesys JWT, which stays in here."""

    session: GuestSession
    jwt: str = field(repr=False)
    expires_at: float


class Guestbook:
    """Sessions and handles over one store, which the caller starts and closes.

    It records nothing: whoever hands out an `Admission` or a ticket has it audited first, and ends the session when
    that fails.
    """

    def __init__(
        self,
        store: Store,
        *,
        keys: GuestKeys,
        sealer: Sealer,
        entropy: Entropy,
        clock: Clock,
        near_entries: int = 100_000,
    ) -> None:
        self._store = store
        self._keys = keys
        self._sealer = sealer
        self._entropy = entropy
        self._clock = clock
        self._known = KnownSessions(store, sealer, clock, near_entries)

    def on_end(self, listener: Callable[[SessionEnd], None]) -> None:
        """Have `listener` called when sessions end or their handles become void, on whichever node that was done."""
        self._known.on_end(listener)

    @property
    def known_sessions(self) -> int:
        """Sessions that this process knows, of whichever node: used here lately, and not yet ended."""
        return self._known.sessions

    # --- who is calling -----------------------------------------------------------------------------------------

    def recall(self, digest: str, site: str) -> GuestSession | None:
        """The session of the handle of this digest known here, without waiting; None means: ask `session_of`."""
        return self._known.recall(digest, site)

    def on_replay(self, listener: Callable[[str, str], None]) -> None:
        """Have `listener` called with session id and digest of each ticket that came twice, on whichever node."""
        self._known.on_replay(listener)

    def was_replayed(self, ticket: str) -> bool:
        """Did the ticket of this digest come a second time?"""
        return self._known.was_replayed(ticket)

    def is_live(self, session: GuestSession) -> bool:
        """Is the session known here, alive, and still this guest's? Soon after `touch` this is the last word."""
        return self._known.is_live(session)

    async def session_of(self, handle: str, site: str | None) -> GuestSession:
        """The session that a handle stands for, used now; `site` None: of whichever site.

        Raises Refusal: SESSION_INVALID, SESSION_EXPIRED, HANDLE_WRONG_KIND, PLATFORM_TOKEN, STORE_UNAVAILABLE.
        """
        return (await self._known.by_handle(handles.expect(handle, HandleKind.SESSION), site)).session

    # --- the calls of /session ----------------------------------------------------------------------------------

    async def admit(
        self,
        site: SiteBook,
        handle: str | None,
        person: Person | None,
        failed: Refusal | None = None,
        proof_key: str | None = None,
    ) -> Admission:
        """Open, renew, upgrade or replace a session, as `guests.MOVES` says, and give out a fresh handle.

        `handle`: the one that came along; a dead one counts as none. `failed`: why the proof that came along did not
        hold, at a site whose visitors then go on as nobody; a verified session never does, and gets the refusal itself.
        `proof_key`: of the browser's key that was shown to be held. Raises Refusal: VISITOR_MISSING where the site
        wants a proof, DPOP_*, STORE_UNAVAILABLE, `failed`, and those of a word that is no session handle at all.
        """
        for _ in range(_WRITES):
            now = self._clock()
            entry = await self._entry_if_alive(handle, site.name)
            session = None if entry is None else entry.session
            check_binding(None if session is None else session.proof_key, proof_key, required=site.dpop)
            act, _state = guests.next_move(session, person, now, proof_failed=failed is not None, step_up=site.step_up)
            if act is Act.REFUSE and failed is not None:
                raise failed
            if act is Act.OPEN or entry is None or session is None:
                if person is None and not site.anonymous:
                    raise Refusal(errors.VISITOR_MISSING)
                return await self._give_handle(await self._open(site, person, proof_key), site, Act.OPEN, None)
            if act is Act.REPLACE:
                await self.end_session(session)
                return await self._give_handle(await self._open(site, person, proof_key), site, act, session)
            changed = entry if person is None else await self._rewrite(entry, site, act, person)
            if changed is not None:
                return await self._give_handle(changed, site, act, None)
        raise Refusal(errors.STORE_UNAVAILABLE, "the session was changed by others at the same time", retry_after_s=1)

    async def end(self, handle: str, site: str) -> GuestSession | None:
        """End the session of a handle on every node; None when the handle stands for none any more."""
        entry = await self._entry_if_alive(handle, site)
        if entry is None:
            return None
        await self.end_session(entry.session)
        return entry.session

    async def end_session(self, session: GuestSession) -> None:
        """End a session on every node. Raises Refusal(STORE_UNAVAILABLE): then it has not ended."""
        left_s = max(session.expires_at - self._clock(), 1.0)
        await self._store.end_session(session.id, left_s)
        self._known.forget(session.id)

    async def end_guest(self, guest_id: str) -> None:
        """End every session that a guest has until now, on every node."""
        await self._store.revoke(f"guest:{guest_id}", _GUEST_BAN_S)

    async def who_is(self, site: str, guest: str) -> Identity | None:
        """Whom a guest id of a site stands for; None when it is unknown, anonymous, or kept no longer.

        Whoever asks has it on record first. Raises Refusal(STORE_UNAVAILABLE).
        """
        digest = _way_back(site, guest)
        sealed = await self._store.get("subject", digest)
        if sealed is None:
            return None
        try:
            issuer, subject = orjson.loads(self._sealer.open(sealed, f"subject\0{digest}".encode("ascii")))
        except (SealBroken, ValueError):
            return None
        return Identity(issuer, subject)

    # --- tickets and history ------------------------------------------------------------------------------------

    async def issue_ticket(self, session: GuestSession) -> Ticket:
        """A one-use ticket for one socket of this session. Raises Refusal(SESSION_INVALID) when it has ended."""
        entry = await self._known.by_id(session.id)
        expires_at = self._clock() + TICKET_S
        handle = handles.mint(HandleKind.TICKET, self._entropy(handles.ENTROPY_BYTES))
        digest = handles.digest(handle)
        record = HandleRecord(session.site, session.id, entry.record.generation, expires_at)
        await self._store.put_once("ticket", digest, seal_handle(record, "ticket", digest, self._sealer), TICKET_S)
        return Ticket(handle, expires_at)

    async def redeem_ticket(self, handle: str, site: str) -> GuestSession:
        """Spend a ticket: of any number of callers, on any node, exactly one gets the session. When it comes again,
        somebody else has it too, and nobody can say who came first: the socket that it opened is closed everywhere.

        Raises Refusal: TICKET_INVALID, TICKET_EXPIRED, HANDLE_WRONG_KIND, PLATFORM_TOKEN, STORE_UNAVAILABLE.
        """
        digest = handles.expect(handle, HandleKind.TICKET)
        taken = await self._store.take_once("ticket", digest)
        if taken.state is OnceState.EXPIRED:
            raise Refusal(errors.TICKET_EXPIRED)
        record = None if taken.value is None else self._known.read_handle(taken.value, "ticket", digest)
        if record is None or record.site != site:
            raise Refusal(errors.TICKET_INVALID)
        if taken.state is not OnceState.TAKEN:
            if not self._known.was_replayed(digest):
                await self._store.revoke(f"ticket:{record.session_id}/{digest}", TOMBSTONE_S)
            raise Refusal(errors.TICKET_INVALID)
        try:
            entry = await self._known.by_id(record.session_id)
        except Refusal as exc:
            if exc.reason in (errors.SESSION_INVALID, errors.SESSION_EXPIRED):
                raise Refusal(errors.TICKET_INVALID, "its session has ended") from exc
            raise
        if entry.record.generation != record.generation:
            raise Refusal(errors.TICKET_INVALID, "it was given out before the visitor signed in")
        return entry.session

    async def keep_history(self, session: GuestSession, jwt: str, expires_at: float) -> str:
        """Keep the guest's Genesys JWT until `expires_at`; returns the history handle that stands for it outside."""
        now = self._clock()
        entry = await self._known.by_id(session.id)
        handle = handles.mint(HandleKind.HISTORY, self._entropy(handles.ENTROPY_BYTES))
        digest = handles.digest(handle)
        record = HandleRecord(session.site, session.id, entry.record.generation, expires_at, jwt)
        value = seal_handle(record, "history", digest, self._sealer)
        await self._store.put("history", digest, value, max(expires_at - now, 1.0))
        return handle

    async def history_of(self, handle: str, site: str) -> History:
        """What a history handle stands for.

        Raises Refusal: SESSION_INVALID, SESSION_EXPIRED, HANDLE_WRONG_KIND, PLATFORM_TOKEN, STORE_UNAVAILABLE.
        """
        digest = handles.expect(handle, HandleKind.HISTORY)
        value = await self._store.get("history", digest)
        record = None if value is None else self._known.read_handle(value, "history", digest)
        if record is None or record.site != site:
            raise Refusal(errors.SESSION_INVALID, "the history handle is unknown or has expired; ask getJwt again")
        if record.expires_at <= self._clock():
            raise Refusal(errors.SESSION_EXPIRED, "the history handle has expired; ask getJwt again")
        entry = await self._known.by_id(record.session_id)
        if entry.record.generation != record.generation:
            raise Refusal(errors.SESSION_INVALID)
        return History(entry.session, record.secret, record.expires_at)

    async def touch(self, session_id: str) -> GuestSession:
        """Note that a session is in use, by an open socket for instance, and return it as it now stands.

        Raises Refusal(SESSION_INVALID | SESSION_EXPIRED) when it has ended, STORE_UNAVAILABLE when nobody knows.
        """
        return (await self._known.by_id(session_id)).record.session

    # --- within ---------------------------------------------------------------------------------------------------

    async def _entry_if_alive(self, handle: str | None, site: str) -> Entry | None:
        if handle is None:
            return None
        try:
            return await self._known.by_handle(handles.expect(handle, HandleKind.SESSION), site)
        except Refusal as exc:
            if exc.reason in (errors.SESSION_INVALID, errors.SESSION_EXPIRED):
                return None
            raise

    async def _open(self, site: SiteBook, person: Person | None, proof_key: str | None) -> Entry:
        now = self._clock()
        session_id = self._entropy(16).hex()
        signs_in = person is not None and site.genesys_login
        subject = _subject(site, person, session_id)
        session = guests.open_session(
            session_id=session_id,
            site=site.name,
            org=site.org,
            guest=await self._guest_id(site, person, session_id),
            token=guests.upstream_token(self._keys.key, site.name, subject, signs_in=signs_in),
            person=person,
            rules=site.rules,
            now=now,
            proof_key=proof_key if site.dpop else None,
        )
        record = SessionRecord(session, 1, now)
        raw = seal_session(record, self._sealer)
        await self._store.put_session(session_id, raw, ttl_s(session, now))
        return self._known.remember(record, raw)

    async def _rewrite(self, entry: Entry, site: SiteBook, act: Act, person: Person) -> Entry | None:
        """Write an upgrade, or a renewal with a proof. None: somebody else changed the session first."""
        now = self._clock()
        old, session = entry.record, entry.session
        if act is Act.UPGRADE:
            guest = await self._guest_id(site, person, session.id)
            new = SessionRecord(guests.upgrade(session, guest, person, now), old.generation + 1, now)
        else:
            new = SessionRecord(guests.refresh_person(session, person, now), old.generation, old.bound_at)
        raw = seal_session(new, self._sealer)
        replaced = await self._store.replace_session(session.id, entry.raw, raw, ttl_s(new.session, now))
        self._known.forget(session.id)
        if not replaced:
            return None
        if act is Act.UPGRADE:
            # a handle planted before sign-in must be worth nothing after it, on any node: RFC 9700 section 4.7
            await self._store.revoke(f"handles:{session.id}", max(session.expires_at - now, 1.0))
        return self._known.remember(new, raw)

    async def _give_handle(self, entry: Entry, site: SiteBook, act: Act, ended: GuestSession | None) -> Admission:
        now = self._clock()
        session = entry.session
        expires_at = guests.handle_expires_at(session, site.rules, now)
        handle = handles.mint(HandleKind.SESSION, self._entropy(handles.ENTROPY_BYTES))
        digest = handles.digest(handle)
        record = HandleRecord(session.site, session.id, entry.record.generation, expires_at)
        value = seal_handle(record, "session", digest, self._sealer)
        await self._store.put("session", digest, value, expires_at - now + _HANDLE_TOMBSTONE_S)
        self._known.remember_handle(digest, entry, expires_at)
        return Admission(session, handle, expires_at, act, ended)

    async def _guest_id(self, site: SiteBook, person: Person | None, session_id: str) -> str:
        """The id of a guest, and where the site keeps a way back, that way. Raises Refusal: VISITOR_SUBJECT, ..."""
        key = IdKey(self._keys.key, self._keys.version, site.org, site.name)
        if person is None:
            return anonymous_id(site.subject, key, session_id)
        guest = visitor_id(site.subject, key, person.issuer, person.subject)
        if site.lookup_s:
            await self._keep_way_back(site, guest, person)
        return guest

    async def _keep_way_back(self, site: SiteBook, guest: str, person: Person) -> None:
        digest = _way_back(site.name, guest)
        value = orjson.dumps([person.issuer, person.subject])
        sealed = self._sealer.seal(value, f"subject\0{digest}".encode("ascii"))
        await self._store.put("subject", digest, sealed, site.lookup_s)


def _subject(site: SiteBook, person: Person | None, session_id: str) -> str:
    """Of whom the upstream token is made: the person, or this one anonymous session."""
    if person is None:
        return guests.issuer_subject("anonymous", session_id)
    return person_key(site.subject, person.issuer, person.subject)


def _way_back(site: str, guest: str) -> str:
    """The key under which the store keeps whom a guest id stands for."""
    return hashlib.sha256(f"{site}\0{guest}".encode()).hexdigest()
