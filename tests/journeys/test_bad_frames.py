"""Bad frames on an open guest socket: answered in Genesys' own shape or closed, recorded, and kept from Genesys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.journeys.guest_client import GuestClient, SocketClosed, connected
from tests.journeys.refusals import check_recorded
from tests.journeys.stage import DEPLOYMENT, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

OTHER_DEPLOYMENT = "00000000-0000-4000-8000-000000000000"
MIB = 1_048_576


def frame(guest: GuestClient, action: str = "onMessage", **members: Any) -> str:
    """A frame of the guest as text, with whatever members."""
    return json.dumps({"action": action, "token": guest.token, "tracingId": "00000000", **members})


def attribute_bomb(guest: GuestClient) -> str:
    """Ten thousand attributes on one message; Genesys takes 2048 bytes of them."""
    attributes = {f"key{number}": "x" for number in range(4000)}
    message = {"type": "Text", "text": "boom", "channel": {"metadata": {"customAttributes": attributes}}}
    return frame(guest, message=message)


def nested(guest: GuestClient) -> str:
    """Valid JSON, a thousand levels deep."""
    return frame(guest, message={"type": "Text", "text": "deep"})[:-1] + ', "x": ' + "[" * 1000 + "]" * 1000 + "}"


def repeated_key(guest: GuestClient) -> str:
    """Two readers may take different ones of a key that stands twice."""
    return frame(guest, message={"type": "Text", "text": "a"})[:-1] + ', "action": "getJwt"}'


# what is sent, our code, the number that existing clients know
BAD: dict[str, tuple[Callable[[GuestClient], str], str, int]] = {
    "malformed_json": (lambda guest: '{"action": "onMessage", ', "frame.malformed", 400),
    "no_object": (lambda guest: '["onMessage"]', "frame.malformed", 400),
    "deep_nesting": (nested, "frame.malformed", 400),
    "repeated_key": (repeated_key, "frame.malformed", 400),
    "unknown_action": (lambda guest: frame(guest, "dropEverything"), "frame.action_not_allowed", 403),
    "a_credential_of_genesys": (lambda guest: frame(guest, "resumeToken"), "frame.action_not_allowed", 403),
    "second_configure": (
        lambda guest: frame(guest, "configureSession", deploymentId=DEPLOYMENT), "frame.already_configured", 400,
    ),
    "wrong_deployment": (
        lambda guest: frame(guest, "getConfiguration", deploymentId=OTHER_DEPLOYMENT), "frame.wrong_deployment", 403,
    ),
    "another_guests_token": (lambda guest: frame(guest, "getJwt", token=str(uuid4())), "frame.token_changed", 403),
    "attribute_bomb": (attribute_bomb, "frame.attributes_too_large", 4013),
    "text_too_long": (
        lambda guest: frame(guest, message={"type": "Text", "text": "ß" * 2049}), "frame.text_too_long", 4011,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_frame_is_answered_and_the_chat_goes_on(
    stage: Stage, http: aiohttp.ClientSession, name: str
) -> None:
    make, code, number = BAD[name]
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        sent = len(frames_at_genesys(stage))
        await guest.socket.send_str(make(guest))
        answer = await guest.until_refused()
        assert (answer["class"], answer["code"]) == ("string", number)
        assert str(answer["body"]).startswith(f"{code}: ")
        assert len(frames_at_genesys(stage)) == sent
        await guest.say("Still here")
        assert await guest.agent_says() == "You said: Still here"
        await check_recorded(stage, code)


async def test_a_message_before_the_session_is_configured(stage: Stage, http: aiohttp.ClientSession) -> None:
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        answer = await guest.refusal("onMessage", message={"type": "Text", "text": "Too early"})
        assert (answer["code"], answer["body"].partition(":")[0]) == (4007, "frame.not_configured")
        assert frames_at_genesys(stage) == []
        await check_recorded(stage, "frame.not_configured")


async def test_a_configure_frame_for_another_deployment(stage: Stage, http: aiohttp.ClientSession) -> None:
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        answer = await guest.refusal("configureSession", deploymentId=OTHER_DEPLOYMENT)
        assert (answer["code"], answer["body"].partition(":")[0]) == (403, "frame.wrong_deployment")
        assert frames_at_genesys(stage) == []
        await check_recorded(stage, "frame.wrong_deployment")


async def test_messages_faster_than_genesys_takes_them(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Five a second; the sixth is told in the shape that Genesys has for it, with the time to wait."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        for number in range(6):
            await guest.send("onMessage", message={"type": "Text", "text": f"Quick {number}"})
        answer = await guest.until("TooManyRequestsErrorMessage")
        assert (answer["code"], answer["body"]["errorCode"]) == (429, 4029)
        assert answer["body"]["retryAfter"] >= 1
        assert answer["body"]["errorMessage"].startswith("frame.rate_limited: ")
        await check_recorded(stage, "frame.rate_limited")


@pytest.mark.parametrize(
    ("send", "close", "code"),
    [
        pytest.param(lambda socket: socket.send_bytes(b"\x00\x01\x02"), 1003, "frame.binary", id="binary"),
        pytest.param(lambda socket: socket.send_str("x" * MIB), 1009, "frame.too_large", id="1 MiB"),
    ],
)
async def test_a_frame_that_no_client_sends_closes_the_socket(
    stage: Stage, http: aiohttp.ClientSession, send: Any, close: int, code: str
) -> None:
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        sent = len(frames_at_genesys(stage))
        try:
            await send(guest.socket)
            with pytest.raises(SocketClosed) as closed:
                await guest.until("nothing more")
            assert closed.value.code == close
        except aiohttp.ClientConnectionResetError:
            pass  # the gateway may cut while a frame that it will not read is still being written
        assert len(frames_at_genesys(stage)) == sent
        await check_recorded(stage, code)


def frames_at_genesys(stage: Stage) -> list[str]:
    """The actions that reached the mock, in order."""
    return [one.path for one in stage.mock.world.recorder.entries if one.method == "FRAME"]
