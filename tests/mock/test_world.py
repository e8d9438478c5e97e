"""One organisation's state."""

import asyncio

import aiohttp
import pytest

from gateway.mock import guest_jwt
from gateway.mock.clock import frozen_clock
from gateway.mock.default_world import default_world
from gateway.mock.world import TaskOwner, basic_credentials


def test_an_authorization_names_its_owner() -> None:
    world = default_world(frozen_clock())
    reader = world.client_named("reader")
    assert reader is not None
    token = world.issue_token(reader)
    guest, _ = world.sign_guest_jwt(guest_jwt.HISTORY, {"session": "s-1"}, 60)
    assert world.owner_of(f"bearer {token.value}") == "client reader"
    assert world.owner_of(f"Bearer {guest}") == "guest s-1"
    assert world.owner_of(aiohttp.encode_basic_auth(reader.id, "any")) == "client reader"
    assert world.owner_of("Bearer unknown") is None
    world.clock.advance(61)
    assert world.owner_of(f"Bearer {guest}") == "guest s-1"


@pytest.mark.parametrize("header", ["", "Basic", "Basic %%%", "Bearer eDp5", "Basic eA=="])
def test_what_is_no_basic_header_has_no_credentials(header: str) -> None:
    assert basic_credentials(header) is None


def test_two_worlds_share_neither_tokens_nor_limits() -> None:
    one, two = default_world(), default_world()
    reader = one.client_named("reader")
    assert reader is not None
    token = one.issue_token(reader)
    assert one.live_token(token.value) is not None
    assert two.live_token(token.value) is None
    one.sizes["text_bytes"] = 1
    assert two.sizes["text_bytes"] == 4096


def test_revoking_forgets_all_tokens_of_one_client() -> None:
    world = default_world()
    reader, closer = world.client_named("reader"), world.client_named("closer")
    assert reader is not None
    assert closer is not None
    for client in (reader, reader, closer):
        world.issue_token(client)
    assert world.revoke_tokens(reader.id) == 2
    assert len(world.access_tokens) == 1


def test_a_second_rotation_does_not_prolong_the_first_overlap() -> None:
    world = default_world(frozen_clock(0.0))
    reader = world.client_named("reader")
    assert reader is not None
    world.rotate_secret(reader, "second", overlap_s=10)
    world.rotate_secret(reader, "third", overlap_s=100)
    world.clock.advance(10)
    assert [world.secret_matches(reader, one) for one in ("mock-secret-reader", "second", "third")] == [
        False,
        True,
        True,
    ]


def test_two_worlds_sign_with_different_keys() -> None:
    token, _ = default_world().sign_guest_jwt(guest_jwt.HISTORY, {}, 60)
    with pytest.raises(guest_jwt.JwtRefused):
        default_world().read_guest_jwt(guest_jwt.HISTORY, token)


async def test_background_work_is_waited_for_and_cancelled() -> None:
    owner, done = TaskOwner(), asyncio.Event()

    async def work() -> None:
        done.set()

    async def endless() -> None:
        await asyncio.Event().wait()

    owner.start(work())
    await owner.settle()
    assert done.is_set()
    owner.start(endless())
    await owner.stop()
    await owner.settle()
