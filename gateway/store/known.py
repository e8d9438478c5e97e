"""Sessions and handles as this process knows them: a near-cache over the store, kept true by revocations.

Reads only (opening and changing sessions is `gateway.guestbook`). Rules kept: a handle known here answers with one
look-up until its own short expiry; whatever a revocation touched is asked of the store again; nothing is believed
that was read before a revocation and arrives after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession
from gateway.store.base import Clock, Revocation, Store
from gateway.store.expiry import ExpiryMap
from gateway.store.records import HandleRecord, SessionRecord, open_handle, open_session_record
from gateway.store.sealing import SealBroken, Sealer

_UNKNOWN_S = 5.0
_DISTURBED_S = 60.0
_READS = 3
_TOUCH_PART = 0.1


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Sockets to close: those of a session (all its handles are void), or of every session of a guest."""

    session_id: str | None
    guest_id: str | None


class Entry:
    """A session known here, shared by all its handles. `gone`: the store must be asked again."""

    __slots__ = ("gone", "last_used_at", "raw", "record", "touched_at")

    def __init__(self, record: SessionRecord, raw: bytes, now: float) -> None:
        self.record = record
        self.raw = raw
        self.touched_at = now
        self.last_used_at = now
        self.gone = False

    @property
    def session(self) -> GuestSession:
        """The session itself."""
        return self.record.session

    def is_alive(self, now: float) -> bool:
        """Is it neither revoked nor past its idle or absolute end?"""
        session = self.record.session
        return not self.gone and now < min(self.last_used_at + session.idle_s, session.expires_at)


class KnownSessions:
    """The near-cache. It subscribes to the store's revocations and passes them on to its own listeners."""

    def __init__(self, store: Store, sealer: Sealer, clock: Clock, max_entries: int) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._handles: ExpiryMap[str, Entry] = ExpiryMap(max_entries, evict=True)
        self._entries: ExpiryMap[str, Entry] = ExpiryMap(max_entries, evict=True)
        self._unknown: ExpiryMap[str, Refusal] = ExpiryMap(max(max_entries // 10, 16), evict=True)
        self._disturbed: ExpiryMap[str, int] = ExpiryMap(max_entries, evict=True)
        self._event = 0
        self._replayed: ExpiryMap[str, bool] = ExpiryMap(max_entries, evict=True)
        self._listeners: list[Callable[[SessionEnd], None]] = []
        self._replay_listeners: list[Callable[[str, str], None]] = []
        store.subscribe(self.revoked)

    @property
    def sessions(self) -> int:
        """How many sessions are known and have not passed their time."""
        self._entries.sweep(self._clock(), self._entries.max_entries)
        return len(self._entries)

    def on_end(self, listener: Callable[[SessionEnd], None]) -> None:
        """Have `listener` called for each revocation of a session, of its handles, or of a guest."""
        self._listeners.append(listener)

    def on_replay(self, listener: Callable[[str, str], None]) -> None:
        """Have `listener` called with session id and digest of each ticket that came a second time."""
        self._replay_listeners.append(listener)

    def was_replayed(self, ticket: str) -> bool:
        """Did the ticket of this digest come a second time, as far as this process has heard?"""
        return self._replayed.get(ticket, self._clock()) is not None

    def recall(self, digest: str, site: str) -> GuestSession | None:
        """The session of a handle, when no store need be asked; else None."""
        now = self._clock()
        entry = self._handles.get(digest, now)
        if entry is None or not entry.is_alive(now):
            return None
        session = entry.record.session
        if session.site != site or now - entry.touched_at > session.idle_s * _TOUCH_PART:
            return None
        entry.last_used_at = now
        return session

    def is_live(self, session: GuestSession) -> bool:
        """Is the session known here, alive, and still the same guest's?"""
        now = self._clock()
        entry = self._entries.get(session.id, now)
        return entry is not None and entry.is_alive(now) and entry.session.guest_id == session.guest_id

    async def by_handle(self, digest: str, site: str | None) -> Entry:
        """The living session of a handle, used now; `site` None: of whichever site.

        Raises SESSION_INVALID, SESSION_EXPIRED, STORE_UNAVAILABLE.
        """
        now = self._clock()
        entry = self._handles.get(digest, now)
        if entry is None or not entry.is_alive(now):
            entry = await self._load_handle(digest, now)
        if site is not None and entry.session.site != site:
            raise Refusal(errors.SESSION_INVALID)
        await self._use(entry, now)
        return entry

    async def by_id(self, session_id: str) -> Entry:
        """The living session of this id, used now. Raises as `by_handle`."""
        now = self._clock()
        entry = self._entries.get(session_id, now)
        if entry is None or not entry.is_alive(now):
            entry = await self._load_session(session_id, now)
        await self._use(entry, now)
        return entry

    def remember(self, record: SessionRecord, raw: bytes) -> Entry:
        """Know a session that was just read or written; an older entry of it counts no more."""
        now = self._clock()
        self.forget(record.session.id)
        entry = Entry(_used(record, now), raw, now)
        self._entries.put(record.session.id, entry, record.session.expires_at, now)
        return entry

    def remember_handle(self, digest: str, entry: Entry, expires_at: float) -> None:
        """Know a handle that was just given out or looked up."""
        self._handles.put(digest, entry, expires_at, self._clock())

    def forget(self, session_id: str) -> None:
        """Ask the store when this session is wanted next."""
        entry = self._entries.pop(session_id)
        if entry is not None:
            entry.gone = True

    def revoked(self, revocation: Revocation) -> None:
        """Drop what was revoked, and tell who holds sockets."""
        sort, _, name = revocation.subject.partition(":")
        if sort == "ticket":
            self._ticket_replayed(name)
            return
        if sort not in ("session", "handles", "guest"):
            return
        now = self._clock()
        self._event += 1
        self._disturbed.put(name, self._event, now + _DISTURBED_S, now)
        if sort == "guest":
            for session_id in self._entries:
                entry = self._entries.get(session_id, now)
                if entry is not None and entry.session.guest_id == name:
                    self.forget(session_id)
        else:
            self.forget(name)
        end = SessionEnd(None, name) if sort == "guest" else SessionEnd(name, None)
        for listener in self._listeners:
            listener(end)

    def _ticket_replayed(self, name: str) -> None:
        session_id, _, digest = name.partition("/")
        now = self._clock()
        self._replayed.put(digest, True, now + _DISTURBED_S, now)
        for listener in self._replay_listeners:
            listener(session_id, digest)

    def read_handle(self, value: bytes, kind: str, digest: str) -> HandleRecord | None:
        """What a handle stands for; None when the value was not sealed by us for this place."""
        try:
            return open_handle(value, kind, digest, self._sealer)
        except (SealBroken, ValueError, TypeError):
            return None

    async def _load_handle(self, digest: str, now: float) -> Entry:
        refusal = self._unknown.get(digest, now)
        if refusal is not None:
            raise Refusal(refusal.reason, refusal.detail)
        try:
            value = await self._store.get("session", digest)
            record = None if value is None else self.read_handle(value, "session", digest)
            if record is None:
                raise Refusal(errors.SESSION_INVALID)
            if record.expires_at <= now:
                raise Refusal(errors.SESSION_EXPIRED, "the handle was not renewed in time")
            entry = await self.by_id(record.session_id)
            if entry.record.generation != record.generation:
                raise Refusal(errors.SESSION_INVALID, "the visitor has signed in since; use the newer handle")
        except Refusal as exc:
            if exc.reason is not errors.STORE_UNAVAILABLE:
                self._unknown.put(digest, Refusal(exc.reason, exc.detail), now + _UNKNOWN_S, now)
            raise
        self.remember_handle(digest, entry, record.expires_at)
        return entry

    async def _load_session(self, session_id: str, now: float) -> Entry:
        for _ in range(_READS):
            event = self._event
            raw = await self._store.get_session(session_id)
            if raw is None:
                (ended_at,) = await self._store.revoked_at([f"session:{session_id}"])
                raise Refusal(errors.SESSION_EXPIRED if ended_at is None else errors.SESSION_INVALID)
            try:
                record = open_session_record(raw, session_id, self._sealer)
            except (SealBroken, ValueError, KeyError, TypeError) as exc:
                raise Refusal(errors.SESSION_INVALID, "the session was kept under another key") from exc
            if record.session.expires_at <= now:
                raise Refusal(errors.SESSION_EXPIRED)
            guest_id = record.session.guest_id
            (banned_at,) = await self._store.revoked_at([f"guest:{guest_id}"])
            if banned_at is not None and record.bound_at <= banned_at:
                raise Refusal(errors.SESSION_INVALID)
            if all((self._disturbed.get(name, now) or 0) <= event for name in (session_id, guest_id)):
                return self.remember(record, raw)
        raise Refusal(errors.STORE_UNAVAILABLE, "the session is being changed", retry_after_s=1)

    async def _use(self, entry: Entry, now: float) -> None:
        """Note a use; a tenth of the idle time after the last note the store learns of it too."""
        entry.last_used_at = now
        session = entry.session
        if now - entry.touched_at <= session.idle_s * _TOUCH_PART:
            return
        entry.touched_at = now
        entry.record = _used(entry.record, now)
        try:
            exists = await self._store.renew_session(session.id, ttl_s(session, now))
        except Refusal:
            return  # a known session goes on without the store, until its handle's short expiry
        if not exists:
            self.forget(session.id)
            raise Refusal(errors.SESSION_INVALID)


def ttl_s(session: GuestSession, now: float) -> float:
    """How long the store keeps a session: its idle time and the slack of a touch, never past its absolute end."""
    return max(min(session.idle_s * (1 + _TOUCH_PART), session.expires_at - now), 1.0)


def _used(record: SessionRecord, now: float) -> SessionRecord:
    """The record with its session used now; that it lives was seen by `Entry.is_alive` or the store."""
    return replace(record, session=replace(record.session, last_used_at=now))
