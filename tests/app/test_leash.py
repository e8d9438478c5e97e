"""What is said at one end is heard at the other, and the end of one is heard too."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.app.leash import MAX_BYTES, Leash


async def ends() -> tuple[Leash, Leash]:
    one, other = socket.socketpair()
    return await Leash.over(one), await Leash.over(other)


async def test_messages_come_whole_and_in_order() -> None:
    one, other = await ends()
    large = {"do": "prepare", "text": "x" * 300_000}
    saying = asyncio.create_task(one.say(large))
    assert await other.hear() == large
    await saying
    await one.say({"do": "take"})
    await one.say({"do": "reject"})
    assert [await other.hear(), await other.hear()] == [{"do": "take"}, {"do": "reject"}]
    await one.close()
    await other.close()


async def test_the_end_of_the_other_process_is_heard() -> None:
    one, other = await ends()
    await one.close()
    assert await other.hear() is None
    await other.say({"says": "ready"})  # nobody is there: no fault of the one who says it
    await other.say({"says": "ready"})
    await other.close()


@pytest.mark.parametrize(
    "sent", [b"\x00\x00\x00\x05{}", (MAX_BYTES + 1).to_bytes(4, "big"), b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x02[]"]
)
async def test_what_is_no_message_is_an_end(sent: bytes) -> None:
    one, raw = socket.socketpair()
    leash = await Leash.over(one)
    raw.sendall(sent)
    raw.close()
    assert await leash.hear() is None
    await leash.close()
