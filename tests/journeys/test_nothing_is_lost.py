"""Two hundred signed-in guests, and every JWT lapses in mid conversation: nothing typed is lost or doubled."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.login_stack import SharedClock, login_stack, visitor_token
from tests.stack import DEPLOYMENT, PAGE, Stack

GUESTS = 200
ROUNDS = 3
FLAGS = {
    "sites.shop.visitors.genesys_login": True,
    "limits.sessions_per_address_per_min": 10_000,
    "limits.requests_per_address_per_min": 100_000,
    "sites.shop.session.idle_s": 7_200,
}


class Guest:
    """One visitor with an open socket; counts what Genesys confirms."""

    def __init__(self, name: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.name = name
        self.socket = socket
        self.token = str(uuid.uuid4())
        self.refused: list[object] = []

    async def say(self, **frame: object) -> None:
        """Send a frame and wait for the answer to it."""
        tracing_id = str(uuid.uuid4())
        await self.socket.send_json({"token": self.token, "tracingId": tracing_id, **frame})
        while True:
            answer = await self.socket.receive_json(timeout=20)
            if answer.get("tracingId") == tracing_id:
                if answer["class"] == "string":
                    self.refused.append(answer)
                return

    async def write(self, text: str) -> None:
        """Write a message."""
        await self.say(action="onMessage", message={"type": "Text", "text": f"{self.name}: {text}"})


async def arrive(stack: Stack, clock: SharedClock, name: str) -> Guest:
    """Sign in and configure a socket."""
    session = await stack.session(visitor_token(clock, name))
    async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        ticket = (await answer.json())["ticket"]
    socket = await stack.client.ws_connect(
        f"{stack.base}/v1?deploymentId={DEPLOYMENT}", origin=PAGE, protocols=("gateway.v1", f"ticket.{ticket}")
    )
    guest = Guest(name, socket)
    await guest.say(action="configureSession", deploymentId=DEPLOYMENT)
    return guest


@pytest.mark.timeout(90)
async def test_two_hundred_guests_lose_nothing_when_their_sign_ins_lapse(tmp_path: Path) -> None:
    clock = SharedClock()
    async with (
        login_stack(tmp_path, FLAGS, clock=clock) as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client,
    ):
        stack = replace(running, client=client)
        stack.mock.world.agent.enabled = False
        guests: list[Guest] = []
        for start in range(0, GUESTS, 20):  # the deployment takes so many connections a minute, not at once
            names = [f"guest-{number}" for number in range(start, start + 20)]
            guests += await asyncio.gather(*(arrive(stack, clock, name) for name in names))
        for round_ in range(ROUNDS):
            await asyncio.gather(*(guest.write(f"before {round_}") for guest in guests))
            clock.advance(905)  # longer than any JWT lives
            await asyncio.gather(*(guest.write(f"after {round_}") for guest in guests))
        said = Counter(
            message["text"]
            for conversation in stack.mock.world.conversations.values()
            for message in conversation.messages
            if message.get("direction") == "Inbound" and message.get("text")
        )
        expected = {f"{g.name}: {when} {n}" for g in guests for when in ("before", "after") for n in range(ROUNDS)}
        assert [guest.refused for guest in guests if guest.refused] == []
        assert set(said) == expected
        assert set(said.values()) == {1}
        asked = Counter(record["kind"] for record in stack.mock.world.exchanges)
        assert asked["refresh"] > 0
        for guest in guests:
            await guest.socket.close()
