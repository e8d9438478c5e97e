"""Authorization codes: one use, one minute, and whose they are; over every store."""

from __future__ import annotations

import asyncio

import pytest

from gateway import errors
from gateway.policy.handles import HandleKind, digest, mint
from gateway.provider.codes import CodeReplayed, Codes
from gateway.store.base import Store
from gateway.store.redis import RedisStore
from tests.provider.parts import ANNA, NOW, REDIRECT, Clock, Entropy, refused
from tests.store.conftest import RedisServer


@pytest.fixture
def codes(store: Store, entropy: Entropy) -> Codes:
    return Codes(store, entropy, 60)


async def make(codes: Codes) -> str:
    return await codes.mint(
        ANNA, client_id="genesys-client", redirect_uri=REDIRECT, deployment_id="deployment", scopes=("openid",),
        nonce="n-1", challenge=None,
    )  # fmt: skip


async def test_a_code_brings_back_what_it_was_made_for(codes: Codes) -> None:
    code = await make(codes)
    assert code.startswith("gwc_")
    bound = await codes.take(code)
    assert (bound.redirect_uri, bound.nonce, bound.challenge) == (REDIRECT, "n-1", None)
    binding = bound.binding
    assert (binding.client_id, binding.site, binding.deployment_id) == ("genesys-client", "shop", "deployment")
    assert (binding.sub, binding.session_id, binding.auth_time) == (ANNA.sub, ANNA.session_id, int(NOW) - 60)
    assert binding.grant_id == digest(code)


async def test_each_code_is_another(codes: Codes) -> None:
    assert len({await make(codes) for _ in range(20)}) == 20


async def test_a_second_use_says_what_the_first_gave(codes: Codes) -> None:
    code = await make(codes)
    first = await codes.take(code)
    with pytest.raises(CodeReplayed) as caught:
        await codes.take(code)
    assert caught.value.bound == first
    assert caught.value.reason is errors.CODE_REPLAYED


async def test_a_code_ends_after_its_minute(codes: Codes, clock: Clock) -> None:
    early, late = await make(codes), await make(codes)
    clock.now = NOW + 59.9
    await codes.take(early)
    clock.now = NOW + 60
    assert await refused(codes.take(late)) is errors.CODE_EXPIRED


async def test_other_words_are_no_codes(codes: Codes, entropy: Entropy) -> None:
    for word in ("", "gwc_cut", "word", mint(HandleKind.CODE, entropy(32)), mint(HandleKind.SESSION, entropy(32))):
        assert await refused(codes.take(word)) is errors.GRANT_INVALID


async def test_a_record_that_does_not_read_back_is_no_code(codes: Codes, store: Store, entropy: Entropy) -> None:
    code = mint(HandleKind.CODE, entropy(32))
    await store.put_once("code", digest(code), b"{}", 60)
    assert await refused(codes.take(code)) is errors.GRANT_INVALID


async def test_of_twenty_redeemers_at_once_exactly_one_gets_the_code(store: Store, entropy: Entropy) -> None:
    nodes = [Codes(store, entropy, 60) for _ in range(4)]
    code = await make(nodes[0])
    outcomes = await asyncio.gather(*(nodes[i % 4].take(code) for i in range(20)), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, CodeReplayed) for outcome in outcomes) == 19


async def test_two_nodes_with_their_own_connections_race_for_a_code(
    redis_server: RedisServer, entropy: Entropy, clock: Clock
) -> None:
    stores = [RedisStore(redis_server.url, clock, timeout_s=2.0) for _ in range(2)]
    nodes = [Codes(store, entropy, 60) for store in stores]
    for _ in range(10):
        code = await make(nodes[0])
        outcomes = await asyncio.gather(*(node.take(code) for node in nodes), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CodeBinding", "CodeReplayed"]
    for store in stores:
        await store.close()


async def test_the_store_sees_neither_code_nor_anything_personal(entropy: Entropy) -> None:
    seen: list[object] = []

    class Watching:
        async def put_once(self, *arguments: object) -> None:
            seen.extend(arguments)

    code = await make(Codes(Watching(), entropy, 60))  # type: ignore[arg-type]  # only put_once is asked
    assert digest(code) in seen
    assert code not in repr(seen)
