"""The near-cache: one look-up for what is known, the store for the rest, and no belief in what came too late."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import GuestSession
from gateway.store.base import Revocation
from gateway.store.known import KnownSessions, SessionEnd
from gateway.store.memory import MemoryStore
from gateway.store.records import HandleRecord, SessionRecord, seal_handle, seal_session
from gateway.store.sealing import Sealer

SEALER = Sealer({1: b"k" * 32}, os.urandom)
NOW = 1_000_000.0


def session(session_id: str = "s1", guest: str = "g1") -> GuestSession:
    return GuestSession(session_id, "shop", "acme", guest, False, None, None, NOW, NOW, NOW + 43_200, 1800, "token")


class SteppedStore(MemoryStore):
    """A memory store that lets the test step in between a read and its arrival."""

    def __init__(self) -> None:
        self.now = NOW
        super().__init__(lambda: self.now)
        self.reads = 0
        self.after_read: list[Callable[[], None]] = []

    async def get_session(self, session_id: str) -> bytes | None:
        self.reads += 1
        value = await super().get_session(session_id)
        if self.after_read:
            self.after_read.pop()()
        return value


async def filled(store: SteppedStore, record: SessionRecord) -> KnownSessions:
    await store.put_session(record.session.id, seal_session(record, SEALER), 1800)
    value = HandleRecord("shop", record.session.id, record.generation, NOW + 900)
    await store.put("session", "d1", seal_handle(value, "session", "d1", SEALER), 900)
    return KnownSessions(store, SEALER, lambda: store.now, 1000)


async def test_a_handle_is_asked_of_the_store_once() -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))
    assert known.recall("d1", "shop") is None
    for _ in range(5):
        assert (await known.by_handle("d1", "shop")).session.id == "s1"
    assert known.recall("d1", "shop") is not None
    assert known.recall("d1", "other") is None
    assert store.reads == 1


async def test_a_ticket_that_came_twice_is_told_and_ends_no_session() -> None:
    known = await filled(SteppedStore(), SessionRecord(session(), 1, NOW))
    told: list[tuple[str, str]] = []
    ends: list[SessionEnd] = []
    known.on_replay(lambda session_id, ticket: told.append((session_id, ticket)))
    known.on_end(ends.append)
    await known.by_handle("d1", "shop")
    assert not known.was_replayed("d9")
    known.revoked(Revocation("ticket:s1/d9", NOW, NOW + 60))
    assert known.was_replayed("d9")
    assert (told, ends) == ([("s1", "d9")], [])
    assert known.recall("d1", "shop") is not None


@pytest.mark.parametrize("subject", ["session:s1", "handles:s1", "guest:g1"])
async def test_a_revocation_makes_the_store_be_asked_again_and_is_passed_on(subject: str) -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))
    ends: list[SessionEnd] = []
    known.on_end(ends.append)
    await known.by_handle("d1", "shop")
    known.revoked(Revocation(subject, NOW, NOW + 60))
    assert known.recall("d1", "shop") is None
    assert not known.is_live(session())
    assert ends == [SessionEnd(None, "g1") if subject.startswith("guest") else SessionEnd("s1", None)]
    await known.by_handle("d1", "shop")
    assert store.reads == 2


async def test_a_revocation_of_something_else_is_nothing_to_us() -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))
    await known.by_handle("d1", "shop")
    known.revoked(Revocation("backend:crm", NOW, NOW + 60))
    assert known.recall("d1", "shop") is not None


async def test_what_was_read_before_a_revocation_is_read_again() -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))

    def sign_in_elsewhere() -> None:
        record = SessionRecord(session(guest="g2"), 2, NOW)
        store._sessions.put("s1", seal_session(record, SEALER), NOW + 1800, NOW)
        known.revoked(Revocation("handles:s1", NOW, NOW + 60))

    store.after_read.append(sign_in_elsewhere)
    with pytest.raises(Refusal) as refused:
        await known.by_handle("d1", "shop")
    assert refused.value.reason is errors.SESSION_INVALID
    assert store.reads == 2
    assert (await known.by_id("s1")).session.guest_id == "g2"


async def test_a_session_that_never_holds_still_is_not_believed() -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))
    store.after_read += [lambda: known.revoked(Revocation("handles:s1", NOW, NOW + 60))] * 9
    with pytest.raises(Refusal) as refused:
        await known.by_id("s1")
    assert refused.value.reason is errors.STORE_UNAVAILABLE


async def test_a_guest_that_was_ended_stays_out_until_it_signs_in_again() -> None:
    store = SteppedStore()
    known = await filled(store, SessionRecord(session(), 1, NOW))
    await store.revoke("guest:g1", 60)
    with pytest.raises(Refusal):
        await known.by_handle("d1", "shop")
    store.now += 1
    await store.put_session("s2", seal_session(SessionRecord(session("s2"), 1, NOW + 1), SEALER), 1800)
    assert (await known.by_id("s2")).session.guest_id == "g1"


async def test_a_record_under_a_lost_key_is_no_session() -> None:
    store = SteppedStore()
    await filled(store, SessionRecord(session(), 1, NOW))
    known = KnownSessions(store, Sealer({1: b"x" * 32}, os.urandom), lambda: store.now, 10)
    for asked in (known.by_handle("d1", "shop"), known.by_id("s1")):
        with pytest.raises(Refusal) as refused:
            await asked
        assert refused.value.reason is errors.SESSION_INVALID


async def test_a_flood_of_unknown_handles_stays_within_its_bound() -> None:
    store = SteppedStore()
    known = KnownSessions(store, SEALER, lambda: store.now, 200)
    for number in range(500):
        with pytest.raises(Refusal):
            await known.by_handle(f"{number}", "shop")
    assert len(known._unknown) <= 20
