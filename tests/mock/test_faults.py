"""Ordered faults: whom they hit, how often, and what the caller sees."""

import aiohttp
import pytest

from gateway.mock.faults import EXCHANGE_KINDS, FaultInvalid, Faults
from gateway.mock.model import DEFAULT_DEPLOYMENT, SUPPORT_QUEUE
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer

QUEUE = f"/api/v2/routing/queues/{SUPPORT_QUEUE}"


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        ({"target": "moon", "kind": "503"}, "target must be"),
        ({"target": "api", "kind": "hiccup"}, "kind must be"),
        ({"target": "api", "kind": "frame_close"}, "webmessaging only"),
        ({"target": "api", "kind": "503", "count": 0}, "count must be"),
    ],
)
def test_senseless_orders_are_refused(order: dict[str, object], fault: str) -> None:
    with pytest.raises(FaultInvalid, match=fault):
        Faults().add(**order)  # type: ignore[arg-type]  # wrong on purpose


def test_an_order_is_used_up_and_for_ever_is_not() -> None:
    faults = Faults()
    faults.add("api", "503", count=2)
    assert [faults.take("api", "GET", "/x") is not None for _ in range(3)] == [True, True, False]
    faults.add("api", "503", count=None)
    assert all(faults.take("api", "GET", "/x") for _ in range(5))
    faults.clear()
    assert faults.take("api", "GET", "/x") is None


def test_an_order_hits_only_its_listener_and_match() -> None:
    faults = Faults()
    faults.add("api", "503", match="PATCH /api/v2/conversations/*")
    assert faults.take("login", "PATCH", "/api/v2/conversations/1") is None
    assert faults.take("api", "GET", "/api/v2/conversations/1") is None
    assert faults.take("api", "PATCH", "/api/v2/conversations/1") is not None
    faults.add("api", "503", match="/api/v2/date")
    assert faults.take("api", "GET", "/api/v2/date") is not None


def test_frame_orders_do_not_hit_the_upgrade_nor_the_other_way_round() -> None:
    faults = Faults()
    faults.add("webmessaging", "frame_drop")
    assert faults.take("webmessaging", "GET", "/v1") is None
    assert faults.take("webmessaging", "FRAME", "echo") is not None
    faults.add("webmessaging", "503")
    assert faults.take("webmessaging", "FRAME", "echo") is None


async def get(http: aiohttp.ClientSession, mock: RunningMock, headers: dict[str, str]) -> tuple[int, str, str]:
    async with http.get(mock.endpoints.api + QUEUE, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.text(errors="replace")


async def test_429_and_503_have_the_platforms_bodies(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    mock.world.faults.add("api", "429", seconds=7)
    async with http.get(mock.endpoints.api + QUEUE, headers=headers) as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["Retry-After"], body["code"]) == (429, "7", "too.many.requests")
    mock.world.faults.add("api", "503")
    assert '"service.unavailable"' in (await get(http, mock, headers))[2]
    assert (await get(http, mock, headers))[0] == 200


async def test_garbage_html_empty_and_any_status(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    for kind in ("garbage", "html", "empty"):
        mock.world.faults.add("api", kind)
    assert (await get(http, mock, headers))[1] == "application/json"
    assert (await get(http, mock, headers))[:2] == (502, "text/html")
    status, _, text = await get(http, mock, headers)
    assert (status, text) == (200, "")
    mock.world.faults.add("api", "status", status=418)
    assert (await get(http, mock, headers))[0] == 418


@pytest.mark.parametrize("kind", ["reset", "reset_mid_body"])
async def test_resets_cut_the_line(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, kind: str) -> None:
    headers = await bearer("reader")
    # aiohttp repeats an idempotent request once when a kept connection was cut; so the order stands for both.
    mock.world.faults.add("api", kind, count=None)
    with pytest.raises(aiohttp.ClientError):
        await get(http, mock, headers)


async def test_an_expired_token_stays_refused_and_a_fresh_one_works(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    mock.world.faults.add("api", "expired_token")
    assert (await get(http, mock, headers))[0] == 401
    assert (await get(http, mock, headers))[0] == 401
    assert (await get(http, mock, await bearer("reader")))[0] == 200


async def test_a_wrong_region_answers_in_each_listeners_way(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    for target in ("login", "api", "cdn"):
        mock.world.faults.add(target, "wrong_region")
    form = {"grant_type": "client_credentials"}
    async with http.post(f"{mock.endpoints.login}/oauth/token", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_client")
    assert '"bad.credentials"' in (await get(http, mock, headers))[2]
    url = f"{mock.endpoints.cdn}/webdeployments/v1/deployments/{DEFAULT_DEPLOYMENT}/config.json"
    async with http.get(url) as answer:
        assert answer.status == 403


async def test_a_hostile_upstream_throws_the_bearer_back(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    mock.world.faults.add("api", "hostile_echo")
    async with http.get(mock.endpoints.api + QUEUE, headers={**headers, "Cookie": "a=b"}) as answer:
        assert answer.headers["X-Echo-Authorization"] == headers["Authorization"]
        assert answer.headers["Cookie"] == "a=b"
        assert "upstream_session" in answer.headers["Set-Cookie"]
        assert (await answer.json())["access_token"] == headers["Authorization"]


async def test_the_login_host_can_be_empty_and_the_answer_huge(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    mock.world.faults.add("login", "empty")
    async with http.post(f"{mock.endpoints.login}/oauth/token", data={"grant_type": "x"}) as answer:
        assert (answer.status, await answer.text()) == (200, "")
    headers = await bearer("reader")
    mock.world.faults.add("api", "huge")
    async with http.get(mock.endpoints.api + QUEUE, headers=headers) as answer:
        assert len(await answer.content.readexactly(1_000_000)) == 1_000_000


async def test_a_slow_answer_is_the_true_one(mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer) -> None:
    headers = await bearer("reader")
    mock.world.faults.add("api", "slow", seconds=0.01)
    assert (await get(http, mock, headers))[0] == 200
    assert mock.world.recorder.entries[-1].fault == "slow"


def test_every_kind_of_the_contract_exists() -> None:
    contract = (
        "slow 429 503 garbage html empty reset reset_mid_body expired_token wrong_region hostile_echo refuse_upgrade"
    )
    assert set(contract.split()) <= EXCHANGE_KINDS.keys()
