"""Who counts as signed in, asked of a real guest book."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.guestbook import Guestbook, GuestKeys, SiteBook
from gateway.policy.guests import Person, SessionRules
from gateway.provider.people import BookSessions, person_of
from gateway.store.base import Store
from gateway.store.sealing import Sealer
from tests.provider.parts import NOW, Clock, Entropy

SITE = SiteBook("shop", "acme", SessionRules(idle_s=1800, absolute_s=43_200, handle_s=900), anonymous=True)
ANNA = Person("zendesk-messaging", "anna-42", "Anna", "anna@shop.example")


@pytest.fixture
def book(store: Store, clock: Clock, entropy: Entropy) -> Guestbook:
    key = b"k" * 32
    return Guestbook(store, keys=GuestKeys(key, 1), sealer=Sealer({1: key}, entropy), entropy=entropy, clock=clock)


async def test_a_verified_visitor_of_a_live_session_is_signed_in(book: Guestbook) -> None:
    session = (await book.admit(SITE, None, ANNA)).session
    person = await BookSessions(book).signed_in(session.id, NOW)
    assert person is not None
    assert (person.site, person.sub, person.auth_time, person.ends_at) == ("shop", session.guest_id, NOW, NOW + 43_200)
    assert (person.name, person.email) == ("Anna", "anna@shop.example")
    assert "anna" not in repr(person).lower()
    assert session.id not in repr(person)


async def test_an_anonymous_session_is_not_signed_in(book: Guestbook) -> None:
    session = (await book.admit(SITE, None, None)).session
    assert await BookSessions(book).signed_in(session.id, NOW) is None


async def test_an_ended_an_unknown_and_an_expired_session_are_nobody(book: Guestbook, clock: Clock) -> None:
    ended, idle = (await book.admit(SITE, None, ANNA)).session, (await book.admit(SITE, None, ANNA)).session
    await book.end_session(ended)
    sessions = BookSessions(book)
    assert await sessions.signed_in(ended.id, NOW) is None
    assert await sessions.signed_in("unknown", NOW) is None
    clock.now = NOW + 2000
    assert await sessions.signed_in(idle.id, clock.now) is None
    assert person_of(idle, clock.now) is None


async def test_asking_counts_as_use(book: Guestbook, clock: Clock) -> None:
    session = (await book.admit(SITE, None, ANNA)).session
    sessions = BookSessions(book)
    for _ in range(3):
        clock.now += 1000
        assert await sessions.signed_in(session.id, clock.now) is not None


async def test_a_store_that_does_not_answer_is_not_taken_for_nobody(book: Guestbook) -> None:
    class Down:
        async def touch(self, session_id: str) -> None:
            raise Refusal(errors.STORE_UNAVAILABLE)

    with pytest.raises(Refusal) as caught:
        await BookSessions(Down()).signed_in("any", NOW)  # type: ignore[arg-type]  # only touch is asked
    assert caught.value.reason is errors.STORE_UNAVAILABLE
