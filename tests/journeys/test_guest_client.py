"""A client that knows only Genesys' Guest API, on `/v1?deploymentId=` without a ticket, as native apps come."""

from __future__ import annotations

from uuid import UUID, uuid4

import aiohttp
import pytest

from tests.journeys.guest_client import GuestClient, SocketClosed, connected
from tests.journeys.stage import DEPLOYMENT, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


async def test_a_guest_configures_writes_and_is_answered(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Configure, write, get the own message back and the agent's answer; typing and echo on the way."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        opened = (await guest.configure())["body"]
        assert opened["connected"] is True
        assert opened["newSession"] is True
        assert opened["readOnly"] is False
        echo = await guest.ask("StructuredMessage", "echo", message={"type": "Text", "text": "ping"})
        assert (echo["type"], echo["body"]["text"]) == ("response", "ping")
        await guest.type()
        mine = await guest.say("Hello from an app")
        assert (mine["type"], mine["body"]["direction"]) == ("message", "Inbound")
        assert await guest.agent_says() == "You said: Hello from an app"
        typed = [one for one in guest.frames if isinstance(one["body"], dict) and one["body"].get("events")]
        assert typed[-1]["body"]["events"][0]["eventType"] == "Typing"
        assert stage.conversation().custom_attributes["gateway.verified"] == "false"


async def test_the_guests_own_token_is_not_the_one_that_genesys_knows(
    stage: Stage, http: aiohttp.ClientSession
) -> None:
    """A token guessed or stolen here opens nothing at Genesys."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        (known,) = stage.mock.world.session_by_token
        assert str(UUID(known)) == known
        assert known != guest.token
        assert known not in str(guest.frames)


async def test_get_configuration_tells_what_the_deployment_allows(stage: Stage, http: aiohttp.ClientSession) -> None:
    """The answer passes as it is."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        answer = await guest.ask("GetConfigurationResponse", "getConfiguration", deploymentId=DEPLOYMENT)
        assert answer["body"]["maxCustomDataBytes"] == 2048


async def test_a_file_is_uploaded_sent_read_again_and_deleted(stage: Stage, http: aiohttp.ClientSession) -> None:
    """The bytes go straight to where Genesys says; the frames come through us."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        done = await guest.upload(http)
        attachment_id = done["body"]["attachmentId"]
        content = [{"contentType": "Attachment", "attachment": {"id": attachment_id}}]
        await guest.say("My receipt", content=content)
        (said,) = [one for one in stage.conversation().messages if one.get("content")]
        assert said["content"][0]["attachment"]["id"] == attachment_id
        place = await guest.ask("PresignedUrlResponse", "getAttachment", attachmentId=attachment_id)
        async with http.get(place["body"]["url"]) as answer:
            assert answer.status == 200
        second = (await guest.upload(http, "second.pdf"))["body"]["attachmentId"]
        gone = await guest.ask("AttachmentDeletedResponse", "deleteAttachment", attachmentId=second)
        assert gone["body"]["attachmentId"] == second


async def test_history_comes_over_rest_with_a_handle_that_works_nowhere_else(
    stage: Stage, http: aiohttp.ClientSession
) -> None:
    """`getJwt` gives a handle of ours, on a session opened and recorded for it; two questions, one session."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.say("First")
        await guest.agent_says()
        for _ in range(2):
            texts = [one.get("text") for one in await guest.history(http, stage.url, stage.origin)]
            assert texts[:2] == ["You said: First", "First"]
        jwts = [one["body"]["jwt"] for one in guest.frames if one["class"] == "JwtResponse"]
        assert all(jwt.startswith("gwh_") for jwt in jwts)
        headers = {"Authorization": f"bearer {jwts[0]}", "Origin": stage.origin}
        async with http.get(f"{stage.mock.endpoints.api}/api/v2/webmessaging/messages", headers=headers) as answer:
            assert answer.status == 401  # at Genesys itself the handle is nothing
        issued = await stage.settled_audit("session.issued")
        assert [one["gateway.auth.method"] for one in issued] == ["anonymous"]


async def test_history_is_asked_again_after_its_session_ended(stage: Stage, http: aiohttp.ClientSession) -> None:
    """The session behind a history handle may idle out while the socket lives; the next question opens another."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.say("First")
        await guest.agent_says()
        first = await guest.ask("JwtResponse", "getJwt")
        stage.clock.ahead_s += 3600  # well beyond idle_s of the shipped configuration
        second = await guest.ask("JwtResponse", "getJwt")
        assert first["body"]["jwt"] != second["body"]["jwt"]
        issued = await stage.settled_audit("session.issued")
        assert len(issued) == 2


async def test_the_same_token_on_a_new_connection_goes_on_with_the_session(
    stage: Stage, http: aiohttp.ClientSession
) -> None:
    """As after a lost network; the history is still there, and the conversation is the same."""
    token = str(uuid4())
    async with connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as guest:
        await guest.configure()
        await guest.say("Before the tunnel")
        await guest.agent_says()
    async with connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as guest:
        assert (await guest.configure())["body"]["newSession"] is False
        await guest.say("After the tunnel")
        assert await guest.agent_says() == "You said: After the tunnel"
        texts = [one.get("text") for one in await guest.history(http, stage.url, stage.origin)]
        assert "Before the tunnel" in texts
    assert len(stage.mock.world.conversations) == 1


async def test_another_token_is_another_guest(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Nobody sees anybody else's messages."""
    async with (
        connected(http, stage.url, DEPLOYMENT, stage.origin) as ada,
        connected(http, stage.url, DEPLOYMENT, stage.origin) as grace,
    ):
        await ada.configure()
        await grace.configure()
        await ada.say("For my eyes only")
        await grace.say("Hello")
        texts = [one.get("text") for one in await grace.history(http, stage.url, stage.origin)]
        assert "Hello" in texts
        assert "For my eyes only" not in texts


async def test_clearing_the_conversation_ends_the_session_on_every_connection(
    stage: Stage, http: aiohttp.ClientSession
) -> None:
    """`Presence: Clear` is how the Guest API clears; then the same connection may configure anew."""
    token = str(uuid4())
    async with (
        connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as one,
        connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as other,
    ):
        await one.configure()
        await one.say("Forget this")
        await one.agent_says()
        await other.configure()
        await one.event({"eventType": "Presence", "presence": {"type": "Clear"}})
        await one.until("SessionClearedEvent")
        await other.until("SessionClearedEvent")
        assert (await one.configure())["body"]["newSession"] is True


async def test_close_session_is_told_to_every_connection(stage: Stage, http: aiohttp.ClientSession) -> None:
    """ConnectionClosedEvent on all of them, when all were meant."""
    token = str(uuid4())
    async with (
        connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as one,
        connected(http, stage.url, DEPLOYMENT, stage.origin, token=token) as other,
    ):
        await one.configure()
        await other.configure()
        await one.send("closeSession", closeAllConnections=True)
        await one.until("ConnectionClosedEvent")
        await other.until("ConnectionClosedEvent")


@pytest.mark.parametrize("code", [1000, 1011, 4006])
async def test_genesys_close_code_reaches_the_guest(stage: Stage, http: aiohttp.ClientSession, code: int) -> None:
    """With its own number, so that the client can act on it."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        stage.mock.world.faults.add("webmessaging", "frame_close", status=code)
        await guest.send("onMessage", message={"type": "Text", "text": "Going"})
        assert await closing(guest) == code


async def test_the_guests_close_code_is_on_record(stage: Stage, http: aiohttp.ClientSession) -> None:
    """Who closed, and with what."""
    async with connected(http, stage.url, DEPLOYMENT, stage.origin) as guest:
        await guest.configure()
        await guest.socket.close(code=4321)
    await stage.stop()
    (record,) = stage.audit("ws.closed")
    assert (record["gateway.ws.code"], record["gateway.ws.initiator"]) == (4321, "client")


async def closing(guest: GuestClient) -> int | None:
    """Read until the close, and return its code."""
    while True:
        try:
            await guest.receive()
        except SocketClosed as closed:
            return closed.code
