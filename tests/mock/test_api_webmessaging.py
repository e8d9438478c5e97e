"""History, revoke and push devices."""

import aiohttp

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import ORIGIN, Guest, GuestMaker, Json
from tests.mock.test_guest_sessions import authenticate, signed_in


async def history(
    http: aiohttp.ClientSession, mock: RunningMock, jwt: str, query: str = "", origin: str | None = ORIGIN
) -> tuple[int, Json]:
    headers = {"Authorization": f"bearer {jwt}"} | ({"Origin": origin} if origin else {})
    async with http.get(f"{mock.endpoints.api}/api/v2/webmessaging/messages{query}", headers=headers) as answer:
        return answer.status, await answer.json()


async def jwt_of(one: Guest) -> str:
    token: str = (await one.ask("getJwt"))["body"]["jwt"]
    return token


async def test_history_is_newest_first_and_paged(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest()
    for text in ("a", "b", "c"):
        await one.say(text)
    status, body = await history(http, mock, await jwt_of(one), "?pageSize=2&pageNumber=1")
    assert status == 200
    assert [message["text"] for message in body["entities"]] == ["c", "b"]
    assert (body["total"], body["pageCount"], body["pageSize"], body["pageNumber"]) == (3, 2, 2, 1)


async def test_the_short_jwt_dies_after_a_minute(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    token = await jwt_of(await guest())
    mock.world.clock.advance(60)
    assert (await history(http, mock, token))[0] == 401


async def test_history_needs_an_allowed_origin(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    token = await jwt_of(await guest())
    for origin in (None, "https://evil.example"):
        status, body = await history(http, mock, token, origin=origin)
        assert (status, body["code"]) == (403, "not.authorized")


async def test_history_is_limited_to_ten_a_minute(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    token = await jwt_of(await guest())
    assert [(await history(http, mock, token))[0] for _ in range(11)] == [200] * 10 + [429]


async def test_anonymous_history_ends_after_fifteen_days_and_signed_in_history_does_not(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].session_duration_s = 60 * 86_400
    one = await guest()
    await one.say("old")
    mock.world.clock.advance(15 * 86_400 + 1)
    await one.say("new")
    _, body = await history(http, mock, await jwt_of(one))
    assert [message["text"] for message in body["entities"]] == ["new"]
    await authenticate(one, signed_in(mock, "ana"))
    _, body = await history(http, mock, await jwt_of(one))
    assert [message.get("text") for message in body["entities"]] == [None, "new", "old"]


async def test_revoking_ends_the_sign_in_and_tells_its_connections(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest(configure=False)
    code = signed_in(mock, "ana")
    await authenticate(one, code)
    url, headers = f"{mock.endpoints.api}/api/v2/webdeployments/token/revoke", {"Authorization": f"bearer {code}"}
    async with http.delete(url, headers=headers) as answer:
        assert answer.status == 204
    assert (await one.receive())["class"] == "LogoutEvent"
    async with http.delete(url, headers=headers) as answer:
        assert answer.status == 401
    assert (await authenticate(one, code))["code"] == 403


async def test_push_devices_know_only_sessions_of_their_deployment(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest()
    base = f"{mock.endpoints.api}/api/v2/webmessaging/deployments"
    for path, status in (
        (f"{DEFAULT_DEPLOYMENT}/pushdevices/{one.token}", 204),
        (f"{DEFAULT_DEPLOYMENT}/pushdevices/unknown", 404),
        (f"other/pushdevices/{one.token}", 404),
    ):
        async with http.post(f"{base}/{path}", json={}) as answer:
            assert answer.status == status
