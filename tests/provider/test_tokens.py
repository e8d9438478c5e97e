"""Tokens: their lives, their narrowing, and everything that ends them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.handles import HandleKind, digest, mint
from gateway.policy.openid import SCOPES
from gateway.provider.codes import bind
from gateway.provider.tokens import Lives, Tokens
from gateway.store.base import Store
from tests.provider.parts import ANNA, ISSUER, NOW, Clock, Entropy, People, refused, ring_in

BINDING = bind(ANNA, "grant-1", "genesys-client", "deployment", SCOPES)


@pytest.fixture
def tokens(store: Store, people: People, entropy: Entropy, tmp_path: Path) -> Tokens:
    return made(store, people, entropy, tmp_path, Lives())


def made(store: Store, people: People, entropy: Entropy, tmp_path: Path, lives: Lives) -> Tokens:
    ring = ring_in(tmp_path / "keys")
    ring.ensure(NOW)
    return Tokens(ISSUER, lives, store=store, ring=ring, sessions=people, entropy=entropy)


def test_an_access_token_lives_as_long_as_the_guest_jwt_of_genesys() -> None:
    assert Lives().access_token_s >= 900


async def test_tokens_live_as_configured(tokens: Tokens) -> None:
    issued = await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)
    assert issued.access_token.startswith("gwa_")
    assert issued.refresh_token is not None
    assert issued.refresh_token.startswith("gwr_")
    assert (issued.access_expires_at, issued.id_expires_at, issued.refresh_expires_at) == (
        NOW + 900,
        NOW + 900,
        NOW + 43_200,
    )
    assert "gwa_" not in repr(issued)


async def test_nothing_outlives_the_session(tokens: Tokens) -> None:
    short = replace(ANNA, ends_at=NOW + 100)
    issued = await tokens.issue(BINDING, short, NOW, scopes=SCOPES)
    assert {issued.access_expires_at, issued.id_expires_at, issued.refresh_expires_at} == {NOW + 100}


async def test_no_refresh_token_without_offline_access_or_where_none_are_given(
    tokens: Tokens, store: Store, people: People, entropy: Entropy, tmp_path: Path
) -> None:
    online = replace(BINDING, scopes=("openid",))
    assert (await tokens.issue(online, ANNA, NOW, scopes=("openid",))).refresh_token is None
    none_given = made(store, people, entropy, tmp_path, Lives(refresh_s=0))
    assert (await none_given.issue(BINDING, ANNA, NOW, scopes=SCOPES)).refresh_token is None


async def test_an_access_token_stands_for_its_visitor_until_it_ends(tokens: Tokens, clock: Clock) -> None:
    token = (await tokens.issue(BINDING, ANNA, NOW, scopes=("openid",))).access_token
    clock.now = NOW + 899
    binding, person = await tokens.by_access_token(token, clock.now)
    assert (binding.sub, binding.scopes, person) == (ANNA.sub, ("openid",), ANNA)
    clock.now = NOW + 900
    assert await refused(tokens.by_access_token(token, clock.now)) is errors.ACCESS_TOKEN_INVALID


@pytest.mark.parametrize("change", ["ended", "other visitor", "other site"])
async def test_a_token_dies_with_its_session(tokens: Tokens, people: People, change: str) -> None:
    issued = await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)
    if change == "ended":
        people.alive.clear()
    else:
        other = replace(ANNA, sub="somebody-else") if change == "other visitor" else replace(ANNA, site="blog")
        people.alive[ANNA.session_id] = other
    assert await refused(tokens.by_access_token(issued.access_token, NOW)) is errors.ACCESS_TOKEN_INVALID
    assert await refused(tokens.live_person(BINDING, NOW)) is errors.GRANT_SESSION_OVER


async def test_a_store_that_does_not_answer_is_not_taken_for_a_bad_token(tokens: Tokens, people: People) -> None:
    token = (await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)).access_token

    async def down(session_id: str, now: float) -> None:
        raise Refusal(errors.STORE_UNAVAILABLE)

    people.signed_in = down  # type: ignore[method-assign]  # the store goes away meanwhile
    assert await refused(tokens.by_access_token(token, NOW)) is errors.STORE_UNAVAILABLE


async def test_other_words_are_no_tokens(tokens: Tokens, store: Store, entropy: Entropy) -> None:
    unreadable = mint(HandleKind.ACCESS, entropy(32))
    await store.put("access", digest(unreadable), b"[]", 60)
    for word in (
        "",
        "gwa_cut",
        mint(HandleKind.ACCESS, entropy(32)),
        mint(HandleKind.REFRESH, entropy(32)),
        unreadable,
    ):
        assert await refused(tokens.by_access_token(word, NOW)) is errors.ACCESS_TOKEN_INVALID
        assert await refused(tokens.start_refresh(word, "genesys-client", None, NOW)) is errors.GRANT_INVALID
        assert await tokens.revoke(word, "genesys-client", NOW) is None


async def test_a_scope_that_is_refused_does_not_use_the_refresh_token_up(tokens: Tokens) -> None:
    token = (await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)).refresh_token
    assert token is not None
    assert await refused(tokens.start_refresh(token, "genesys-client", "admin", NOW)) is errors.SCOPE_INVALID
    record, scopes = await tokens.start_refresh(token, "genesys-client", "openid", NOW + 3600)
    assert (record.used_at, scopes) == (None, ("openid",))


async def test_the_grace_counts_from_the_first_use_and_is_not_renewed_by_others(tokens: Tokens) -> None:
    token = (await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)).refresh_token
    assert token is not None
    for later in (0, 30, 60):
        await tokens.start_refresh(token, "genesys-client", None, NOW + later)
    assert await refused(tokens.start_refresh(token, "genesys-client", None, NOW + 61)) is errors.REFRESH_REPLAYED


async def test_revoking_ends_what_it_should_and_no_more(tokens: Tokens) -> None:
    issued = await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)
    assert issued.refresh_token is not None
    assert await tokens.revoke(issued.access_token, "other-client", NOW) is None
    assert await tokens.by_access_token(issued.access_token, NOW)
    ended = await tokens.revoke(issued.access_token, "genesys-client", NOW)
    assert ended is not None
    assert ended.kind is HandleKind.ACCESS
    assert await refused(tokens.by_access_token(issued.access_token, NOW)) is errors.ACCESS_TOKEN_INVALID
    await tokens.start_refresh(issued.refresh_token, "genesys-client", None, NOW)
    assert await tokens.revoke(issued.access_token, "genesys-client", NOW) is None


async def test_revoking_a_refresh_token_ends_the_whole_grant(tokens: Tokens) -> None:
    first = await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)
    second = await tokens.issue(BINDING, ANNA, NOW, scopes=SCOPES)
    other = await tokens.issue(replace(BINDING, grant_id="grant-2"), ANNA, NOW, scopes=SCOPES)
    assert first.refresh_token is not None
    assert second.refresh_token is not None
    assert await tokens.revoke(first.refresh_token, "genesys-client", NOW)
    assert await refused(tokens.by_access_token(second.access_token, NOW)) is errors.ACCESS_TOKEN_INVALID
    assert (
        await refused(tokens.start_refresh(second.refresh_token, "genesys-client", None, NOW)) is errors.GRANT_INVALID
    )
    assert await tokens.by_access_token(other.access_token, NOW)


def test_a_revocation_is_remembered_longer_than_anything_lives() -> None:
    assert Lives(access_token_s=5000, refresh_s=10).longest_s > 5000
    assert Lives().longest_s > 43_200
