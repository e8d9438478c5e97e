"""What every listener does around its handlers."""

import aiohttp

from gateway.mock.server import RunningMock


async def test_every_request_is_recorded_with_its_answer(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    for url in (mock.endpoints.login + "/x", mock.endpoints.api + "/x", mock.endpoints.cdn + "/x"):
        async with http.get(url):
            pass
    seen = [(entry.target, entry.path, entry.status) for entry in mock.world.recorder.entries]
    assert seen == [("login", "/x", 404), ("api", "/x", 404), ("cdn", "/x", 403)]


async def test_answers_say_that_this_is_a_mock(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    for url in (mock.endpoints.login, mock.endpoints.api, mock.endpoints.cdn, mock.endpoints.upload):
        async with http.get(f"{url}/x") as answer:
            assert "mock" in answer.headers["X-Mock-Genesys"]
            assert answer.headers["ININ-Correlation-Id"]


async def test_html_error_pages_carry_no_cors_headers(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    mock.world.faults.add("api", "html")
    async with http.get(f"{mock.endpoints.api}/x", headers={"Origin": "http://localhost"}) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
    async with http.get(f"{mock.endpoints.api}/x", headers={"Origin": "http://localhost"}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost"


async def test_the_recorded_correlation_id_is_the_answers(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{mock.endpoints.api}/x") as answer:
        assert answer.headers["ININ-Correlation-Id"] == mock.world.recorder.entries[-1].correlation_id
