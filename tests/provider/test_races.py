"""A hundred redeem the same code or ticket at once, over both stores: exactly one succeeds."""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.errors import Refusal
from gateway.guestbook import Guestbook, GuestKeys, SiteBook
from gateway.policy import handles
from gateway.policy.guests import GuestSession, Person, SessionRules
from gateway.store.base import Store
from gateway.store.sealing import Sealer
from tests.provider.parts import Bench, Clock

HUNDRED = 100


async def test_of_a_hundred_redemptions_of_a_code_one_succeeds_and_the_second_use_ends_what_it_gave(
    bench: Bench,
) -> None:
    code = (await bench.page_code())["authCode"]
    outcomes = await asyncio.gather(*(bench.redeem(str(code)) for _ in range(HUNDRED)), return_exceptions=True)
    won = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    lost = [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
    assert len(won) == 1
    assert lost == ["oauth.code_replayed"] * (HUNDRED - 1)
    with pytest.raises(Refusal) as refused:
        await bench.userinfo(str(won[0]["access_token"]))
    assert refused.value.code == "oauth.invalid_token"


async def test_of_a_hundred_redemptions_of_a_ticket_one_succeeds(store: Store, clock: Clock) -> None:
    book = Guestbook(
        store, keys=GuestKeys(b"g" * 32, 1), sealer=Sealer({1: b"s" * 32}, os.urandom), entropy=os.urandom, clock=clock
    )
    shop = SiteBook("shop", "acme", SessionRules(), True)
    session = (await book.admit(shop, None, Person("zendesk", "ann"))).session
    ticket = await book.issue_ticket(session)
    outcomes = await asyncio.gather(
        *(book.redeem_ticket(ticket.handle, "shop") for _ in range(HUNDRED)), return_exceptions=True
    )
    assert [o.id for o in outcomes if isinstance(o, GuestSession)] == [session.id]
    assert {o.code for o in outcomes if isinstance(o, Refusal)} == {"ticket.invalid"}
    assert await store.revoked_at([f"ticket:{session.id}/{handles.digest(ticket.handle)}"]) != (None,)
