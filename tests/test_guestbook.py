"""Guest sessions as a service: opened, renewed, upgraded, ended; handles, tickets and history handles."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.guestbook import Guestbook, GuestKeys, SessionEnd, SiteBook
from gateway.policy import handles
from gateway.policy.guests import Act, Person, SessionRules
from gateway.policy.handles import HandleKind
from gateway.store.memory import MemoryStore
from gateway.store.sealing import Sealer

SHOP = SiteBook("shop", "acme", SessionRules(idle_s=1800, absolute_s=43_200, handle_s=900), anonymous=True)
STRICT = replace(SHOP, name="strict", anonymous=False)
ANN = Person("zendesk", "ann", "Ann", "ann@shop.example")
BOB = Person("zendesk", "bob", "Bob")


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class CountedStore(MemoryStore):
    """A memory store that counts its reads, can be switched off, and lets a test step in during a read."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.reads = 0
        self.down = False
        self.after_read: Callable[[], None] | None = None

    async def get(self, kind: str, digest: str) -> bytes | None:
        self._check()
        return await super().get(kind, digest)

    async def get_session(self, session_id: str) -> bytes | None:
        self._check()
        value = await super().get_session(session_id)
        if self.after_read is not None:
            step, self.after_read = self.after_read, None
            step()
        return value

    async def renew_session(self, session_id: str, ttl_s: float) -> bool:
        self._check()
        return await super().renew_session(session_id, ttl_s)

    def _check(self) -> None:
        self.reads += 1
        if self.down:
            raise Refusal(errors.STORE_UNAVAILABLE)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def store(clock: Hand) -> CountedStore:
    return CountedStore(clock)


def node(store: MemoryStore, clock: Hand) -> Guestbook:
    """One more node over the same store."""
    sealer = Sealer({1: b"s" * 32}, os.urandom)
    return Guestbook(store, keys=GuestKeys(b"g" * 32, 1), sealer=sealer, entropy=os.urandom, clock=clock)


@pytest.fixture
def book(store: CountedStore, clock: Hand) -> Guestbook:
    return node(store, clock)


async def refused(awaitable: object) -> Reason:
    with pytest.raises(Refusal) as caught:
        await awaitable  # type: ignore[misc]  # any awaitable: the tests hand in coroutines of several types
    return caught.value.reason


async def test_an_anonymous_visitor_gets_a_session_and_a_handle_that_finds_it(book: Guestbook, clock: Hand) -> None:
    admission = await book.admit(SHOP, None, None)
    assert admission.act is Act.OPEN
    assert handles.kind_of(admission.handle) is HandleKind.SESSION
    assert admission.handle_expires_at == clock.now + 900
    assert await book.session_of(admission.handle, "shop") == admission.session
    assert book.recall(handles.digest(admission.handle), "shop") == admission.session
    assert not admission.session.verified


async def test_a_site_that_wants_a_proof_opens_nothing_without_one(book: Guestbook) -> None:
    assert await refused(book.admit(STRICT, None, None)) is errors.VISITOR_MISSING
    admission = await book.admit(STRICT, None, ANN)
    assert (admission.act, admission.session.verified) == (Act.OPEN, True)
    assert (await book.admit(STRICT, admission.handle, None)).act is Act.RENEW


async def test_the_same_person_is_the_same_guest_and_others_are_not(book: Guestbook) -> None:
    first, again = await book.admit(SHOP, None, ANN), await book.admit(SHOP, None, ANN)
    bob, nobody = await book.admit(SHOP, None, BOB), await book.admit(SHOP, None, None)
    assert first.session.guest_id == again.session.guest_id
    assert first.session.id != again.session.id
    assert len({a.session.guest_id for a in (first, bob, nobody)}) == 3
    assert len({a.session.upstream_token for a in (first, bob, nobody)}) == 3


async def test_a_renewed_session_keeps_both_handles_until_their_own_end(book: Guestbook, clock: Hand) -> None:
    first = await book.admit(SHOP, None, None)
    clock.now += 600
    second = await book.admit(SHOP, first.handle, None)
    assert (second.act, second.session.id) == (Act.RENEW, first.session.id)
    assert second.handle != first.handle
    assert (await book.session_of(first.handle, "shop")).id == first.session.id
    clock.now += 300
    assert await refused(book.session_of(first.handle, "shop")) is errors.SESSION_EXPIRED
    assert (await book.session_of(second.handle, "shop")).id == first.session.id


async def test_signing_in_keeps_the_conversation_and_voids_every_older_handle(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    planted = await book.admit(SHOP, None, None)
    kept_by_attacker = await book.admit(SHOP, planted.handle, None)
    other_node = node(store, clock)
    await other_node.session_of(kept_by_attacker.handle, "shop")
    ticket = await book.issue_ticket(planted.session)
    signed_in = await book.admit(SHOP, planted.handle, ANN)
    assert signed_in.act is Act.UPGRADE
    assert signed_in.session.id == planted.session.id
    assert signed_in.session.upstream_token == planted.session.upstream_token
    assert signed_in.session.verified
    for old in (planted.handle, kept_by_attacker.handle):
        for where in (book, other_node):
            assert where.recall(handles.digest(old), "shop") is None
            assert await refused(where.session_of(old, "shop")) is errors.SESSION_INVALID
    assert await refused(book.redeem_ticket(ticket.handle, "shop")) is errors.TICKET_INVALID
    assert (await other_node.session_of(signed_in.handle, "shop")).verified


async def test_another_persons_proof_replaces_the_session(book: Guestbook) -> None:
    ann = await book.admit(SHOP, None, ANN)
    bob = await book.admit(SHOP, ann.handle, BOB)
    assert (bob.act, bob.ended) == (Act.REPLACE, ann.session)
    assert bob.session.id != ann.session.id
    assert bob.session.upstream_token != ann.session.upstream_token
    assert await refused(book.session_of(ann.handle, "shop")) is errors.SESSION_INVALID


async def test_a_verified_session_is_never_lowered(book: Guestbook) -> None:
    ann = await book.admit(SHOP, None, ANN)
    again = await book.admit(SHOP, ann.handle, None)
    assert again.session.verified
    assert again.session.guest_id == ann.session.guest_id


async def test_two_people_who_sign_in_on_one_anonymous_session_do_not_share_it(book: Guestbook) -> None:
    anonymous = await book.admit(SHOP, None, None)
    ann, bob = await asyncio.gather(book.admit(SHOP, anonymous.handle, ANN), book.admit(SHOP, anonymous.handle, BOB))
    assert ann.session.id != bob.session.id
    assert {a.act for a in (ann, bob)} == {Act.UPGRADE, Act.OPEN}
    assert (await book.session_of(ann.handle, "shop")).external_ref == "ann"
    assert (await book.session_of(bob.handle, "shop")).external_ref == "bob"


async def test_an_ended_session_is_dead_on_every_node_at_once(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    admission = await book.admit(SHOP, None, ANN)
    other_node = node(store, clock)
    await other_node.session_of(admission.handle, "shop")
    ends: list[SessionEnd] = []
    other_node.on_end(ends.append)
    assert await book.end(admission.handle, "shop") == admission.session
    assert ends == [SessionEnd(admission.session.id, None)]
    for where in (book, other_node):
        assert await refused(where.session_of(admission.handle, "shop")) is errors.SESSION_INVALID
    assert await book.end(admission.handle, "shop") is None


async def test_ending_a_guest_ends_its_sessions_and_a_new_sign_in_works(book: Guestbook, clock: Hand) -> None:
    anonymous = await book.admit(SHOP, None, None)
    first, second = await book.admit(SHOP, None, ANN), await book.admit(SHOP, None, ANN)
    clock.now += 1
    await book.end_guest(first.session.guest_id)
    for dead in (first, second):
        assert await refused(book.session_of(dead.handle, "shop")) is errors.SESSION_INVALID
    clock.now += 1
    assert (await book.admit(SHOP, anonymous.handle, ANN)).session.guest_id == first.session.guest_id
    fresh = await book.admit(SHOP, None, ANN)
    assert (await book.session_of(fresh.handle, "shop")).id == fresh.session.id


async def test_a_session_ends_after_its_idle_time_and_not_before(book: Guestbook, clock: Hand) -> None:
    long = replace(SHOP, rules=SessionRules(idle_s=1800, absolute_s=43_200, handle_s=43_200))
    admission = await book.admit(long, None, None)
    for _ in range(10):
        clock.now += 1700
        await book.session_of(admission.handle, "shop")
    clock.now += 1800 * 1.1
    assert await refused(book.session_of(admission.handle, "shop")) is errors.SESSION_EXPIRED


async def test_a_session_ends_at_its_absolute_end_however_much_it_is_used(book: Guestbook, clock: Hand) -> None:
    admission = await book.admit(SHOP, None, None)
    handle = admission.handle
    while clock.now + 600 < admission.session.expires_at:
        clock.now += 600
        handle = (await book.admit(SHOP, handle, None)).handle
    clock.now = admission.session.expires_at
    assert await refused(book.session_of(handle, "shop")) in (errors.SESSION_EXPIRED, errors.SESSION_INVALID)
    assert (await book.admit(SHOP, handle, None)).session.id != admission.session.id


async def test_use_on_one_node_keeps_the_session_alive_for_another(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    long = replace(SHOP, rules=SessionRules(idle_s=1800, absolute_s=43_200, handle_s=43_200))
    admission = await book.admit(long, None, None)
    other_node = node(store, clock)
    await other_node.session_of(admission.handle, "shop")
    for _ in range(3):
        clock.now += 1000
        await book.session_of(admission.handle, "shop")
    assert (await other_node.session_of(admission.handle, "shop")).id == admission.session.id


async def test_a_known_handle_asks_the_store_nothing(store: CountedStore, book: Guestbook) -> None:
    admission = await book.admit(SHOP, None, None)
    store.reads = 0
    for _ in range(100):
        assert book.recall(handles.digest(admission.handle), "shop") is not None
        await book.session_of(admission.handle, "shop")
    assert store.reads == 0


async def test_an_unknown_handle_is_asked_of_the_store_once(store: CountedStore, book: Guestbook) -> None:
    stray = handles.mint(HandleKind.SESSION, os.urandom(32))
    for _ in range(10):
        assert await refused(book.session_of(stray, "shop")) is errors.SESSION_INVALID
    assert store.reads == 1


async def test_known_sessions_go_on_while_the_store_is_down_and_nobody_new_gets_in(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    known, ticketed = await book.admit(SHOP, None, ANN), await book.admit(SHOP, None, BOB)
    stranger = await node(store, clock).admit(SHOP, None, None)
    store.down = True
    clock.now += 500
    assert (await book.session_of(known.handle, "shop")).id == known.session.id
    assert await refused(book.session_of(stranger.handle, "shop")) is errors.STORE_UNAVAILABLE
    clock.now += 401
    assert await refused(book.session_of(ticketed.handle, "shop")) is errors.STORE_UNAVAILABLE
    store.down = False
    fresh = await book.admit(SHOP, None, None)
    assert (await book.session_of(fresh.handle, "shop")).id == fresh.session.id


async def test_a_handle_of_another_site_or_kind_is_refused(book: Guestbook) -> None:
    admission = await book.admit(SHOP, None, None)
    ticket = await book.issue_ticket(admission.session)
    assert book.recall(handles.digest(admission.handle), "strict") is None
    assert await refused(book.session_of(admission.handle, "strict")) is errors.SESSION_INVALID
    assert await refused(book.session_of(ticket.handle, "shop")) is errors.HANDLE_WRONG_KIND
    assert await refused(book.session_of("eyJhbGciOi", "shop")) is errors.PLATFORM_TOKEN
    assert await refused(book.redeem_ticket(ticket.handle, "strict")) is errors.TICKET_INVALID


async def test_of_twenty_who_redeem_a_ticket_on_two_nodes_exactly_one_gets_in(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    admission = await book.admit(SHOP, None, ANN)
    ticket = await book.issue_ticket(admission.session)
    nodes = [book, node(store, clock)]
    results = await asyncio.gather(
        *(nodes[n % 2].redeem_ticket(ticket.handle, "shop") for n in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    reasons = {result.reason for result in results if isinstance(result, Refusal)}
    assert reasons == {errors.TICKET_INVALID}


async def test_a_late_ticket_says_that_it_is_late_and_a_dead_sessions_is_void(book: Guestbook, clock: Hand) -> None:
    admission = await book.admit(SHOP, None, None)
    late, void = await book.issue_ticket(admission.session), await book.issue_ticket(admission.session)
    await book.end(admission.handle, "shop")
    assert await refused(book.redeem_ticket(void.handle, "shop")) is errors.TICKET_INVALID
    clock.now += 30
    assert await refused(book.redeem_ticket(late.handle, "shop")) is errors.TICKET_EXPIRED
    assert await refused(book.issue_ticket(admission.session)) is errors.SESSION_INVALID


async def test_a_history_handle_stands_for_the_jwt_and_shows_it_nowhere(book: Guestbook, clock: Hand) -> None:
    admission = await book.admit(SHOP, None, ANN)
    handle = await book.keep_history(admission.session, "the.genesys.jwt", clock.now + 60)
    history = await book.history_of(handle, "shop")
    assert (history.jwt, history.session.id) == ("the.genesys.jwt", admission.session.id)
    assert "genesys" not in repr(history)
    assert await refused(book.history_of(handle, "strict")) is errors.SESSION_INVALID
    await book.end(admission.handle, "shop")
    assert await refused(book.history_of(handle, "shop")) is errors.SESSION_INVALID
    clock.now += 60
    assert await refused(book.history_of(handle, "shop")) is errors.SESSION_INVALID


async def test_the_store_holds_no_token_no_handle_and_no_person(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    admission = await book.admit(SHOP, None, ANN)
    ticket = await book.issue_ticket(admission.session)
    history = await book.keep_history(admission.session, "the.genesys.jwt", clock.now + 60)
    content = repr((store._sessions.entries, store._values.entries, store._once.entries))
    private = (admission.session.upstream_token, "ann@shop.example", "the.genesys.jwt")
    for secret in (*private, admission.handle, ticket.handle, history):
        assert secret not in content


async def test_whoever_writes_to_the_store_cannot_make_a_session_verified(store: CountedStore, book: Guestbook) -> None:
    admission = await book.admit(SHOP, None, None)
    raw = await MemoryStore.get_session(store, admission.session.id)
    assert raw is not None
    forged = raw.replace(b'"verified":false', b'"verified":true')
    assert forged != raw
    await store.put_session(admission.session.id, forged, 60)
    book._known.forget(admission.session.id)
    assert await refused(book.session_of(admission.handle, "shop")) is errors.SESSION_INVALID


async def test_a_session_read_before_its_end_and_arriving_after_it_is_not_believed(
    store: CountedStore, book: Guestbook, clock: Hand
) -> None:
    admission = await book.admit(SHOP, None, ANN)
    other_node = node(store, clock)

    def end_meanwhile() -> None:
        store._sessions.pop(admission.session.id)
        step = store.revoke(f"session:{admission.session.id}", 60)
        with pytest.raises(StopIteration):
            step.send(None)

    store.after_read = end_meanwhile
    assert await refused(other_node.session_of(admission.handle, "shop")) is errors.SESSION_INVALID
