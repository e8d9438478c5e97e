"""The store of one process: dictionaries with expiry, no I/O, no timer, no task.

For one node and for tests; several processes each see only their own. Rule kept: bounded; a full store refuses new
entries with STORE_UNAVAILABLE rather than forget somebody's living session.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from gateway import errors
from gateway.errors import Refusal
from gateway.store.base import (
    TOMBSTONE_S,
    Clock,
    LimitAsk,
    LimitResult,
    OnceResult,
    OnceState,
    Revocation,
    RevocationListener,
)
from gateway.store.counts import LocalCounts
from gateway.store.expiry import ExpiryMap

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class MemoryStore:
    """`Store` in this process's memory, with at most `max_entries` entries of each sort."""

    def __init__(self, clock: Clock, *, max_entries: int = 200_000) -> None:
        self._clock = clock
        self._sessions: ExpiryMap[str, bytes] = ExpiryMap(max_entries, evict=False)
        self._values: ExpiryMap[tuple[str, str], bytes] = ExpiryMap(max_entries, evict=False)
        self._once: ExpiryMap[tuple[str, str], tuple[float, bytes, bool]] = ExpiryMap(max_entries, evict=False)
        self._revocations: ExpiryMap[str, Revocation] = ExpiryMap(max_entries, evict=False)
        self._leases: ExpiryMap[str, tuple[str, int]] = ExpiryMap(max_entries, evict=False)
        self._fence = 0
        self._counts = LocalCounts(max_entries)
        self._listeners: list[RevocationListener] = []

    async def start(self) -> None:
        """Nothing to begin: revocations are told at once."""

    async def close(self) -> None:
        """Forget everything."""
        for entries in (self._sessions, self._values, self._once, self._revocations, self._leases):
            entries.clear()

    async def ready(self) -> str | None:
        """Always ready."""
        return None

    async def put_session(self, session_id: str, value: bytes, ttl_s: float) -> None:
        """Keep a new session."""
        self._keep(self._sessions, session_id, value, ttl_s)

    async def get_session(self, session_id: str) -> bytes | None:
        """The session's value, or None."""
        return self._sessions.get(session_id, self._clock())

    async def renew_session(self, session_id: str, ttl_s: float) -> bool:
        """Prolong a session that still exists."""
        value = self._sessions.get(session_id, self._clock())
        if value is None:
            return False
        self._keep(self._sessions, session_id, value, ttl_s)
        return True

    async def replace_session(self, session_id: str, old: bytes, new: bytes, ttl_s: float) -> bool:
        """Put `new` in the place of `old`; atomic because nothing is awaited."""
        if self._sessions.get(session_id, self._clock()) != old:
            return False
        self._keep(self._sessions, session_id, new, ttl_s)
        return True

    async def end_session(self, session_id: str, revoke_for_s: float) -> bool:
        """Delete and revoke the session."""
        existed = self._sessions.get(session_id, self._clock()) is not None
        await self.revoke(f"session:{session_id}", revoke_for_s)
        self._sessions.pop(session_id)
        return existed

    async def put_once(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a one-use value, and after that its tombstone."""
        expires_at = self._clock() + ttl_s
        self._keep(self._once, (kind, digest), (expires_at, value, False), ttl_s + TOMBSTONE_S)

    async def take_once(self, kind: str, digest: str) -> OnceResult:
        """Take a one-use value; atomic because nothing is awaited."""
        now = self._clock()
        entry = self._once.get((kind, digest), now)
        if entry is None:
            return OnceResult(OnceState.UNKNOWN)
        expires_at, value, used = entry
        if used:
            return OnceResult(OnceState.USED, value)
        if expires_at <= now:
            return OnceResult(OnceState.EXPIRED)
        self._keep(self._once, (kind, digest), (expires_at, value, True), TOMBSTONE_S)
        return OnceResult(OnceState.TAKEN, value)

    async def claim(self, kind: str, digest: str, ttl_s: float) -> bool:
        """True for the first caller."""
        key = (f"claim:{kind}", digest)
        if self._values.get(key, self._clock()) is not None:
            return False
        self._keep(self._values, key, b"1", ttl_s)
        return True

    async def put(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a value."""
        self._keep(self._values, (kind, digest), value, ttl_s)

    async def get(self, kind: str, digest: str) -> bytes | None:
        """A value kept by `put`, or None."""
        return self._values.get((kind, digest), self._clock())

    async def delete(self, kind: str, digest: str) -> bool:
        """Forget a value."""
        existed = self._values.get((kind, digest), self._clock()) is not None
        self._values.pop((kind, digest))
        return existed

    async def revoke(self, subject: str, ttl_s: float) -> None:
        """Note the revocation and tell the listeners at once."""
        now = self._clock()
        revocation = Revocation(subject, now, now + ttl_s)
        self._keep(self._revocations, subject, revocation, ttl_s)
        for listener in self._listeners:
            listener(revocation)

    async def revoked_at(self, subjects: Sequence[str]) -> tuple[float | None, ...]:
        """For each subject the time of its latest revocation, or None."""
        now = self._clock()
        found = (self._revocations.get(subject, now) for subject in subjects)
        return tuple(None if revocation is None else revocation.at for revocation in found)

    def subscribe(self, listener: RevocationListener) -> None:
        """Have `listener` called for each revocation."""
        self._listeners.append(listener)

    async def acquire_lease(self, name: str, owner: str, ttl_s: float) -> int | None:
        """Hold or extend a lease."""
        held = self._leases.get(name, self._clock())
        if held is not None and held[0] != owner:
            return None
        if held is None:
            self._fence += 1
        fence = self._fence if held is None else held[1]
        self._keep(self._leases, name, (owner, fence), ttl_s)
        return fence

    async def release_lease(self, name: str, owner: str) -> None:
        """Give a lease back if `owner` holds it."""
        held = self._leases.get(name, self._clock())
        if held is not None and held[0] == owner:
            self._leases.pop(name)

    async def take_limits(self, asks: Sequence[LimitAsk]) -> tuple[LimitResult, ...]:
        """Answer several limits in one step."""
        return self._counts.take(asks, self._clock(), local=False)

    def _keep(self, entries: ExpiryMap[K, V], key: K, value: V, ttl_s: float) -> None:
        now = self._clock()
        if not entries.put(key, value, now + ttl_s, now):
            raise Refusal(errors.STORE_UNAVAILABLE, "the memory store is full", retry_after_s=5)
