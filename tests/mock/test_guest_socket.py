"""The guest socket: upgrade, configuration of the connection, the small actions, limits and faults of frames."""

from uuid import uuid4

import aiohttp
import pytest

from gateway.mock.limits import Rate
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import ORIGIN, GuestMaker


async def refused_status(
    http: aiohttp.ClientSession,
    mock: RunningMock,
    deployment: str = DEFAULT_DEPLOYMENT,
    origin: str | None = ORIGIN,
    headers: dict[str, str] | None = None,
) -> int:
    url = f"{mock.endpoints.webmessaging}/v1?deploymentId={deployment}"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url, origin=origin, headers=headers)
    return refused.value.status


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_a_strange_or_missing_origin_is_refused_with_403(
    mock: RunningMock, http: aiohttp.ClientSession, origin: str | None
) -> None:
    assert await refused_status(http, mock, origin=origin) == 403


async def test_the_mobile_clients_bare_host_is_taken_as_origin(guest: GuestMaker) -> None:
    await guest(origin="webmessaging.mypurecloud.ie")


async def test_an_unknown_or_inactive_deployment_is_refused_with_403(
    mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    assert await refused_status(http, mock, deployment=str(uuid4())) == 403
    mock.world.deployments[DEFAULT_DEPLOYMENT].status = "Inactive"
    assert await refused_status(http, mock) == 403


async def test_a_bearer_at_the_upgrade_is_refused(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    assert await refused_status(http, mock, headers={"Authorization": "Bearer x"}) == 401


async def test_too_many_connections_in_a_minute_are_refused(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    mock.world.rates["connections_per_deployment"] = Rate(1, 60)
    await guest()
    assert await refused_status(http, mock) == 429
    mock.world.clock.advance(60)
    await guest()


async def test_a_plain_get_is_asked_to_upgrade(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    url = mock.endpoints.webmessaging.replace("ws", "http", 1) + f"/v1?deploymentId={DEFAULT_DEPLOYMENT}"
    async with http.get(url, headers={"Origin": ORIGIN}) as answer:
        assert answer.status == 426


async def test_nothing_goes_before_configure(guest: GuestMaker) -> None:
    one = await guest(configure=False)
    assert (await one.ask("getJwt"))["code"] == 4007


async def test_the_session_answer_tells_the_limits(guest: GuestMaker) -> None:
    one = await guest(configure=False)
    body = (await one.configure())["body"]
    assert (body["connected"], body["newSession"], body["readOnly"]) == (True, True, False)
    assert body["maxCustomDataBytes"] == 2048
    assert body["durationSeconds"] == 72 * 3600
    assert body["expirationDate"] == 1_800_000_000 + 72 * 3600
    assert body["allowedMedia"]["inbound"]["maxFileSizeKB"] == 10_240


async def test_configuring_again_resumes_and_another_token_is_refused(guest: GuestMaker) -> None:
    one = await guest()
    assert (await one.configure())["body"]["newSession"] is False
    one.token = str(uuid4())
    assert (await one.configure())["code"] == 400
    assert (await one.ask("getJwt"))["code"] == 4007


async def test_another_deployment_in_the_body_is_refused(guest: GuestMaker) -> None:
    one = await guest(configure=False)
    assert (await one.ask("configureSession", deploymentId=str(uuid4())))["code"] == 400


async def test_echo_answers_as_response_twice_a_minute(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    for _ in range(2):
        frame = await one.ask("echo", message={"type": "Text", "text": "ping"})
        assert (frame["type"], frame["class"], frame["body"]["text"]) == ("response", "StructuredMessage", "ping")
        assert frame["body"]["metadata"]["durationSeconds"] == str(72 * 3600)
    frame = await one.ask("echo", message={"type": "Text", "text": "ping"})
    assert (frame["class"], frame["body"]["retryAfter"]) == ("TooManyRequestsErrorMessage", 60)
    mock.world.clock.advance(60)
    assert (await one.ask("echo", message={"type": "Text", "text": "ping"}))["code"] == 200
    assert (await one.ask("echo", message={"type": "Event"}))["code"] == 4020


async def test_more_than_sixty_requests_a_minute_are_refused(guest: GuestMaker) -> None:
    one = await guest()
    for _ in range(59):
        assert (await one.ask("getJwt"))["code"] == 200
    assert (await one.ask("getJwt"))["code"] == 429


async def test_configuring_too_often_is_refused(mock: RunningMock, guest: GuestMaker) -> None:
    mock.world.rates["configure_per_session"] = Rate(1, 60)
    one = await guest()
    assert (await one.configure())["code"] == 429


async def test_get_configuration_tells_what_the_deployment_allows(guest: GuestMaker) -> None:
    one = await guest()
    frame = await one.ask("getConfiguration", deploymentId=DEFAULT_DEPLOYMENT)
    assert frame["class"] == "GetConfigurationResponse"
    assert set(frame["body"]) == {
        "allowedMedia",
        "blockedExtensions",
        "maxCustomDataBytes",
        "messageRoutingEnabled",
        "sessionDurationSeconds",
    }
    assert (await one.ask("getConfiguration", deploymentId="other"))["code"] == 400


async def test_what_only_the_schema_names_is_not_offered(guest: GuestMaker) -> None:
    one = await guest()
    assert (await one.ask("resumeToken"))["code"] == 4000
    assert (await one.ask("disconnectCustomer"))["code"] == 4000
    assert (await one.configure(resumeToken="x"))["code"] == 4000


async def test_close_session_tells_the_connections_and_leaves_them_unconfigured(guest: GuestMaker) -> None:
    one = await guest()
    two = await guest(one.token)
    await one.send("closeSession", closeAllConnections=False)
    assert (await one.receive())["class"] == "ConnectionClosedEvent"
    assert (await one.ask("getJwt"))["code"] == 4007
    assert (await two.ask("getJwt"))["code"] == 200
    await one.configure()
    await two.send("closeSession", closeAllConnections=True)
    for connection in (one, two):
        assert (await connection.receive())["class"] == "ConnectionClosedEvent"


async def test_garbage_and_unknown_actions_are_answered_not_closed(guest: GuestMaker) -> None:
    one = await guest()
    await one.socket.send_str("not json")
    assert (await one.receive())["code"] == 400
    assert (await one.ask("sendMessage"))["code"] == 400


async def test_binary_frames_close_with_1003(guest: GuestMaker) -> None:
    one = await guest()
    await one.socket.send_bytes(b"\x00")
    assert (await one.socket.receive(timeout=30)).type is aiohttp.WSMsgType.CLOSE
    assert one.socket.close_code == 1003


async def test_too_large_frames_close_with_1009(guest: GuestMaker) -> None:
    one = await guest()
    await one.socket.send_str("x" * (128 * 1024 + 1))
    await one.socket.receive(timeout=30)
    assert one.socket.close_code == 1009


@pytest.mark.parametrize(
    ("kind", "status", "kind_of_answer", "code"),
    [
        ("frame_error", None, "string", 5000),
        ("frame_error", 4006, "string", 4006),
        ("frame_429", None, "TooManyRequestsErrorMessage", 429),
    ],
)
async def test_ordered_refusals_answer_one_frame(
    mock: RunningMock, guest: GuestMaker, kind: str, status: int | None, kind_of_answer: str, code: int
) -> None:
    one = await guest()
    mock.world.faults.add("webmessaging", kind, match="FRAME getJwt", status=status)
    frame = await one.ask("getJwt")
    assert (frame["class"], frame["code"]) == (kind_of_answer, code)
    assert (await one.ask("getJwt"))["class"] == "JwtResponse"
    assert [entry.fault for entry in mock.world.recorder.entries if entry.path == "getJwt"] == [kind, None]


async def test_an_ordered_close_uses_its_code(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    mock.world.faults.add("webmessaging", "frame_close", status=4321)
    await one.send("getJwt")
    await one.socket.receive(timeout=30)
    assert one.socket.close_code == 4321


async def test_an_ordered_reset_cuts_the_line(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    mock.world.faults.add("webmessaging", "frame_reset")
    await one.send("getJwt")
    assert (await one.socket.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_huge_and_binary_frames_can_be_ordered(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    mock.world.faults.add("webmessaging", "frame_huge")
    await one.send("getJwt")
    assert len((await one.socket.receive(timeout=30)).data) == 2 * 1024 * 1024 + 2
    mock.world.faults.add("webmessaging", "frame_binary")
    await one.send("getJwt")
    assert (await one.socket.receive(timeout=30)).type is aiohttp.WSMsgType.BINARY


async def test_garbage_silence_and_slowness_can_be_ordered(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    mock.world.faults.add("webmessaging", "frame_garbage")
    await one.send("getJwt")
    assert (await one.socket.receive(timeout=30)).data == '{"type": "message", "class": '
    mock.world.faults.add("webmessaging", "frame_drop")
    mock.world.faults.add("webmessaging", "frame_slow", seconds=0.0, match="FRAME echo")
    await one.send("getJwt")
    assert (await one.ask("echo", message={"type": "Text", "text": "after"}))["body"]["text"] == "after"


async def test_a_refused_upgrade_can_be_ordered(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    mock.world.faults.add("webmessaging", "refuse_upgrade", status=503)
    assert await refused_status(http, mock) == 503


async def test_the_upgrade_is_recorded_with_101(mock: RunningMock, guest: GuestMaker) -> None:
    await guest()
    upgrade = next(entry for entry in mock.world.recorder.entries if entry.path == "/v1")
    assert (upgrade.status, upgrade.headers["Origin"]) == (101, ORIGIN)


async def test_frames_are_recorded_without_the_token(mock: RunningMock, guest: GuestMaker) -> None:
    one = await guest()
    frame = mock.world.recorder.entries[-1]
    assert (frame.method, frame.path) == ("FRAME", "configureSession")
    assert one.token not in str(frame.view())
