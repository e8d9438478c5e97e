"""The control port's page."""

import aiohttp

from gateway.mock.model import SUPPORT_QUEUE
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer, GuestMaker
from tests.mock.test_guest_sessions import authenticate, signed_in


async def page(http: aiohttp.ClientSession, mock: RunningMock) -> str:
    async with http.get(f"{mock.endpoints.control}/") as answer:
        assert answer.content_type == "text/html"
        return await answer.text()


async def test_an_empty_page_says_what_it_is(mock: RunningMock, http: aiohttp.ClientSession) -> None:
    text = await page(http, mock)
    assert "This is not Genesys Cloud" in text
    assert "None yet." in text
    assert '<link rel="icon" href="data:,">' in text, "its console must not tell of an icon that is missing"


async def test_it_shows_transcript_participant_data_and_the_verified_guest_escaped(
    mock: RunningMock, http: aiohttp.ClientSession, guest: GuestMaker
) -> None:
    one = await guest(configure=False)
    await authenticate(one, signed_in(mock, "ana"))
    await one.say("<script>alert(1)</script>", channel={"metadata": {"customAttributes": {"pl<an": "go<ld"}}})
    text = await page(http, mock)
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "signed in at Genesys: ana" in text
    assert "context.pl&lt;an" in text


async def test_it_shows_requests_with_injected_headers_and_no_secret(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer
) -> None:
    headers = await bearer("reader")
    mock.world.faults.add("api", "503")
    async with http.get(f"{mock.endpoints.api}/api/v2/routing/queues/{SUPPORT_QUEUE}", headers=headers):
        pass
    text = await page(http, mock)
    assert "client reader" in text
    assert "<span class=tag>503</span>" in text
    assert headers["Authorization"].split()[1] not in text
