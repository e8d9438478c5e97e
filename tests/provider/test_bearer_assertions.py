"""Assertions as bearers: who signed, for which site, until when, and everything that ends them earlier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.assertions import read_public_key, verify_assertion
from gateway.policy.decision import Backend
from gateway.provider.bearer_assertions import KEPT, BearerAssertions, Signer
from gateway.store.memory import MemoryStore
from tests.provider.parts import ISSUER, NOW, Clock

SIGNER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEY = read_public_key(SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
CRM = Backend("crm", frozenset({"shop", "outlet"}), frozenset({"close"}))
SIGNERS = {"crm-id": Signer(CRM, KEY), "keyed-id": Signer(Backend("keyed", frozenset(), frozenset()), None)}
SHOP = f"{ISSUER}/sites/shop"
AUDIENCES = {ISSUER: frozenset({"shop", "outlet"}), SHOP: frozenset({"shop"})}


class CountingStore(MemoryStore):
    """Counts how often it is asked for revocations, and can be told to do something else meanwhile."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked: list[tuple[str, ...]] = []
        self.meanwhile: list[Any] = []

    async def revoked_at(self, subjects: Sequence[str]) -> tuple[float | None, ...]:
        self.asked.append(tuple(subjects))
        found = await super().revoked_at(subjects)
        if self.meanwhile:
            await self.meanwhile.pop()()
        return found


@dataclass
class Room:
    clock: Clock
    store: CountingStore
    bearers: BearerAssertions

    async def caller(self, bearer: str, site: str = "shop") -> Backend | None:
        return await self.bearers.caller(bearer, site, self.clock.now)

    async def why_not(self, bearer: str, site: str = "shop") -> str:
        with pytest.raises(Refusal) as caught:
            await self.caller(bearer, site)
        assert caught.value.reason is errors.BACKEND_INVALID
        return caught.value.detail


@pytest.fixture
def room() -> Room:
    clock = Clock()
    store = CountingStore(clock)
    return Room(clock, store, BearerAssertions(store, SIGNERS, AUDIENCES))


def signed(key: Any = SIGNER, algorithm: str = "EdDSA", **changes: Any) -> str:
    claims = {"iss": "crm-id", "sub": "crm-id", "aud": ISSUER, "exp": NOW + 60, "jti": "one"} | changes
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm)


@pytest.mark.parametrize("jti", ["one", None])
async def test_an_assertion_names_its_backend_as_often_as_it_comes_and_is_checked_once(
    room: Room, jti: str | None
) -> None:
    bearer = signed(jti=jti)
    assert [await room.caller(bearer) for _ in range(5)] == [CRM] * 5
    assert len(room.store.asked) == 1


async def test_it_is_good_until_its_end_and_not_longer(room: Room) -> None:
    bearer = signed()
    room.clock.now = NOW + 89
    assert await room.caller(bearer) is CRM
    room.clock.now = NOW + 90
    assert "expired" in await room.why_not(bearer)


@pytest.mark.parametrize(
    ("bearer", "says"),
    [
        (signed(exp=NOW - 31), "expired"),
        (signed(exp=NOW + 331), "longer than 300"),
        (signed(exp=None), "exp"),
        (signed(aud="https://elsewhere.example"), "aud"),
        (signed(aud=None), "aud"),
        (signed(aud=f"{ISSUER}/oauth/token"), "aud"),
        (signed(STRANGER), "not signed"),
        (signed("", "none"), "not signed"),
        (signed("a-secret-of-more-than-thirty-two-bytes", "HS256"), "not signed"),
        (signed(iss="keyed-id", sub="keyed-id"), ""),
    ],
)
async def test_a_wrong_assertion_of_a_known_backend_is_refused_each_time(room: Room, bearer: str, says: str) -> None:
    for _ in range(2):
        assert says in await room.why_not(bearer)
    assert room.store.asked == []


@pytest.mark.parametrize(
    "bearer",
    ["word", "a.b", "a.b.c", "..", "a.b.c.d", signed(iss="nobody", sub="nobody"), signed(iss="issuer"),
     signed(sub=None), signed() + "x" * 4096],
)  # fmt: skip
async def test_what_claims_to_be_of_no_known_backend_is_none_of_ours(room: Room, bearer: str) -> None:
    assert await room.caller(bearer) is None


async def test_the_url_of_a_site_opens_that_site_alone(room: Room) -> None:
    bearer = signed(aud=["https://elsewhere.example", SHOP])
    for _ in range(2):
        assert await room.caller(bearer, "shop") is CRM
        assert "another site" in await room.why_not(bearer, "outlet")
    assert await room.caller(signed(aud=[ISSUER, SHOP]), "outlet") is CRM


async def test_a_reload_takes_a_backend_its_key_and_an_audience_away(room: Room) -> None:
    bearer = signed()
    assert await room.caller(bearer) is CRM
    room.bearers.replace({}, AUDIENCES)
    assert await room.caller(bearer) is None
    room.bearers.replace({"crm-id": Signer(CRM, None)}, AUDIENCES)
    await room.why_not(bearer)
    room.bearers.replace(SIGNERS, {SHOP: frozenset({"shop"})})
    assert "aud" in await room.why_not(bearer)
    room.bearers.replace(SIGNERS, AUDIENCES)
    assert await room.caller(bearer) is CRM


async def test_what_was_spent_at_the_token_endpoint_is_no_bearer_any_more_on_any_node(room: Room) -> None:
    other = Room(room.clock, room.store, BearerAssertions(room.store, SIGNERS, AUDIENCES))
    bearer, unspent = signed(), signed(jti="two")
    assert await other.caller(bearer) is CRM
    assert await other.caller(unspent) is CRM
    await room.bearers.spend(verify_assertion(bearer, KEY, {ISSUER}, NOW))
    for node in (room, other):
        assert "spent" in await node.why_not(bearer)
        assert await node.caller(unspent) is CRM


async def test_an_assertion_for_the_token_endpoint_alone_is_announced_to_nobody(room: Room) -> None:
    heard: list[object] = []
    room.store.subscribe(heard.append)
    endpoint = f"{ISSUER}/oauth/token"
    await room.bearers.spend(verify_assertion(signed(aud=endpoint), KEY, {endpoint}, NOW))
    assert heard == []


async def test_revoking_a_backend_voids_what_it_signed_before(room: Room) -> None:
    before, after = signed(iat=NOW - 1), signed(iat=NOW + 1, jti="two")
    assert await room.caller(before) is CRM
    await room.store.revoke("session:crm", 600)
    await room.store.revoke("backend:other", 600)
    assert await room.caller(before) is CRM
    await room.store.revoke("backend:crm", 600)
    await room.why_not(before)
    room.clock.now = NOW + 2
    assert await room.caller(after) is CRM


async def test_a_reload_or_revocation_while_the_store_is_asked_is_not_missed(room: Room) -> None:
    async def reloaded() -> None:
        room.bearers.replace({}, AUDIENCES)

    async def revoked() -> None:
        await room.store.revoke("backend:crm", 600)

    room.store.meanwhile = [reloaded]
    assert await room.caller(signed()) is None
    room.bearers.replace(SIGNERS, AUDIENCES)
    room.store.meanwhile = [revoked]
    await room.why_not(signed())


async def test_what_is_known_is_bounded_and_what_ends_first_is_forgotten_first(room: Room) -> None:
    first = signed(exp=NOW + 5)
    await room.caller(first)
    others = [signed(jti=str(number)) for number in range(KEPT)]
    for bearer in others:
        await room.caller(bearer)
    assert len(room.store.asked) == KEPT + 1
    await room.caller(others[-1])
    assert len(room.store.asked) == KEPT + 1
    assert await room.caller(first) is CRM
    assert len(room.store.asked) == KEPT + 2


async def test_a_store_that_is_down_lets_nobody_in_and_only_known_ones_stay(room: Room) -> None:
    known = signed()
    assert await room.caller(known) is CRM

    async def down() -> None:
        raise Refusal(errors.STORE_UNAVAILABLE)

    room.store.meanwhile = [down]
    with pytest.raises(Refusal) as caught:
        await room.caller(signed(jti="two"))
    assert caught.value.reason is errors.STORE_UNAVAILABLE
    assert await room.caller(known) is CRM


async def test_many_first_calls_with_one_assertion_agree(room: Room) -> None:
    bearer = signed()
    assert set(await asyncio.gather(*(room.caller(bearer) for _ in range(20)))) == {CRM}


def test_nothing_shows_a_key() -> None:
    assert "Ed25519" not in repr(SIGNERS["crm-id"])
