"""Paging and listings."""

import aiohttp
import pytest

from gateway.mock.api_call import listing
from gateway.mock.server import RunningMock
from tests.mock.conftest import Bearer


def test_a_listing_holds_one_page_and_its_totals() -> None:
    page = listing([{"id": str(number)} for number in range(5)], 2, 3, "/x")
    assert page["entities"] == [{"id": "4"}]
    assert (page["total"], page["pageCount"], page["lastUri"]) == (5, 3, "/x?pageSize=2&pageNumber=3")


def test_an_empty_listing_has_one_page() -> None:
    assert listing([], 25, 1, "/x")["pageCount"] == 1


@pytest.mark.parametrize("query", ["pageSize=0", "pageSize=501", "pageNumber=x", "pageNumber=-1"])
async def test_odd_pages_are_refused(
    mock: RunningMock, http: aiohttp.ClientSession, bearer: Bearer, query: str
) -> None:
    url = f"{mock.endpoints.api}/api/v2/routing/queues?{query}"
    async with http.get(url, headers=await bearer("reader")) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "invalid.value")
