"""Guest sessions: resume, start new, sign in, step up, expiry, log-out, the limit of connections."""

from uuid import uuid4

import pytest

from gateway.mock import guest_jwt, guest_sessions
from gateway.mock.model import DEFAULT_DEPLOYMENT, GuestGrant
from gateway.mock.server import RunningMock
from tests.mock.conftest import Guest, GuestMaker, Json


def signed_in(mock: RunningMock, subject: str, life_s: int = 900, deployment: str = DEFAULT_DEPLOYMENT) -> str:
    """A JWT as the exchange would have given it."""
    world = mock.world
    grant = GuestGrant(world.new_id(), deployment, subject, {"name": subject.title()}, world.now() + 86_400)
    world.grants[grant.id] = grant
    claims = {"sub": subject, "grant": grant.id, "deploymentId": deployment}
    return world.sign_guest_jwt(guest_jwt.AUTHENTICATED, claims, life_s)[0]


async def authenticate(one: Guest, code: str, **members: object) -> Json:
    return await one.ask(
        "configureAuthenticatedSession", deploymentId=DEFAULT_DEPLOYMENT, data={"code": code}, **members
    )


async def test_the_token_alone_resumes_the_session(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("hello")
    two = await guest(one.token, configure=False)
    assert (await two.configure())["body"]["newSession"] is False
    assert len(mock.world.sessions) == 1


async def test_the_token_counts_in_any_case(guest: GuestMaker) -> None:
    one = await guest()
    two = await guest(one.token.upper(), configure=False)
    assert (await two.configure())["body"]["newSession"] is False


async def test_start_new_clears_the_session_and_tells_the_others(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("hello")
    two = await guest(one.token)
    body = (await two.configure(startNew=True))["body"]
    assert (body["newSession"], body["clearedExistingSession"]) == (True, True)
    assert (await one.receive())["class"] == "SessionClearedEvent"
    (conversation,) = mock.world.conversations.values()
    assert not conversation.active


async def test_a_fourth_connection_closes_the_oldest(guest: GuestMaker) -> None:
    one = await guest()
    others = [await guest(one.token) for _ in range(3)]
    frame = await one.receive()
    assert (frame["class"], frame["body"]["reason"]) == ("ConnectionClosedEvent", "tooManyConnections")
    await one.socket.receive(timeout=30)
    assert one.socket.closed
    assert (await others[0].ask("getJwt"))["code"] == 200


async def test_an_expired_session_says_4006_and_startnew_begins_again(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    mock.world.clock.advance(72 * 3600)
    assert (await one.ask("getJwt"))["code"] == 4006
    assert (await one.configure())["code"] == 4006
    assert (await one.configure(startNew=True))["body"]["newSession"] is True


async def test_a_message_prolongs_the_session(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    mock.world.clock.advance(71 * 3600)
    await one.say("still here")
    mock.world.clock.advance(71 * 3600)
    assert (await one.ask("getJwt"))["code"] == 200


async def test_a_sweep_tells_open_connections_of_the_expiry(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    await one.say("hello")
    mock.world.clock.advance(72 * 3600)
    await guest_sessions.sweep(mock.world)
    frame = await one.next_of("SessionExpiredEvent")
    assert (frame["type"], frame["body"]) == ("response", {})
    (conversation,) = mock.world.conversations.values()
    assert conversation.ended_by == "expiry"


async def test_a_signed_in_guest_is_verified(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    assert (await authenticate(one, signed_in(mock, "ana")))["body"]["newSession"] is True
    (session,) = mock.world.sessions.values()
    assert (session.subject, session.claims) == ("ana", {"name": "Ana"})


async def test_the_session_follows_the_person_to_another_device(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    await authenticate(one, signed_in(mock, "ana"))
    two = await guest(configure=False)
    assert (await authenticate(two, signed_in(mock, "ana")))["body"]["newSession"] is False
    await two.say("from the phone")
    assert (await one.receive())["body"]["text"] == "from the phone"


async def test_a_signed_in_token_cannot_go_back_to_anonymous(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    await authenticate(one, signed_in(mock, "ana"))
    assert (await one.configure())["code"] == 4017


async def test_a_token_of_another_person_is_refused(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    await authenticate(one, signed_in(mock, "ana"))
    two = await guest(one.token, configure=False)
    frame = await authenticate(two, signed_in(mock, "eve"))
    assert frame["code"] == 403
    assert frame["body"].startswith("Forbidden: Session authentication failed")


async def test_step_up_keeps_the_conversation_and_closes_other_tabs(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest()
    two = await guest(one.token)
    await one.say("anonymous first")
    assert (await authenticate(one, signed_in(mock, "ana")))["body"]["newSession"] is False
    assert (await two.next_of("ConnectionClosedEvent"))["body"]["reason"] == "signedIn"
    (session,) = mock.world.sessions.values()
    assert session.verified
    assert session.transcript[-1]["events"][0]["presence"]["type"] == "SignIn"


async def test_step_up_must_be_allowed_by_the_deployment(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].allow_session_upgrade = False
    one = await guest()
    assert (await authenticate(one, signed_in(mock, "ana")))["code"] == 403


async def test_an_expired_jwt_is_401_and_a_fresh_one_goes_on(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    code = signed_in(mock, "ana", life_s=60)
    await authenticate(one, code)
    mock.world.clock.advance(60)
    assert (await one.say("late"))["code"] == 401
    assert (await authenticate(one, code))["code"] == 401
    assert (await authenticate(one, signed_in(mock, "ana")))["code"] == 200
    assert (await one.say("again"))["code"] == 200


@pytest.mark.parametrize("case", ["garbage", "history jwt", "other deployment", "authentication off"])
async def test_a_wrong_jwt_needs_full_authorization(guest: GuestMaker, mock: RunningMock, case: str) -> None:
    one = await guest()
    code = {
        "garbage": "x.y.z",
        "history jwt": (await one.ask("getJwt"))["body"]["jwt"],
        "other deployment": signed_in(mock, "ana", deployment=str(uuid4())),
        "authentication off": signed_in(mock, "ana"),
    }[case]
    mock.world.deployments[DEFAULT_DEPLOYMENT].auth_enabled = case != "authentication off"
    frame = await authenticate(one, code)
    assert frame["code"] == 403
    assert "Session authentication failed" in frame["body"]


async def test_logging_out_tells_all_connections(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    await authenticate(one, signed_in(mock, "ana"))
    session = next(iter(mock.world.sessions.values()))
    await guest_sessions.log_out(mock.world, session)
    assert (await one.receive())["class"] == "LogoutEvent"
    assert (await one.say("x"))["code"] == 4007


async def test_identity_resolution_links_the_person_to_one_contact(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].resolve_identities = True
    one = await guest()
    await one.say("anonymous first")
    await authenticate(one, signed_in(mock, "ana"))
    (contact,) = mock.world.contacts.values()
    assert contact.identifiers == [{"type": "ExternalId", "value": "ana"}]
    (conversation,) = mock.world.conversations.values()
    assert conversation.external_contact_id == contact.id
    await authenticate(await guest(configure=False), signed_in(mock, "ana"))
    assert len(mock.world.contacts) == 1


async def test_journey_context_is_kept(guest: GuestMaker, mock: RunningMock) -> None:
    one = await guest(configure=False)
    await one.configure(journeyContext={"customer": {"id": "c", "idType": "cookie"}})
    (session,) = mock.world.sessions.values()
    assert session.journey == {"customer": {"id": "c", "idType": "cookie"}}
