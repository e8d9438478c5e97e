"""The storage host: the address, its signature, its end, and the headers that must be repeated."""

from uuid import uuid4

import aiohttp
import pytest

from gateway.mock.server import RunningMock
from tests.mock.conftest import GuestMaker, Json


@pytest.fixture
async def presigned(guest: GuestMaker) -> Json:
    one = await guest()
    answer = await one.ask(
        "onAttachment", attachmentId=str(uuid4()), fileName="a.txt", fileType="text/plain", errorsAsJson=True
    )
    body: Json = answer["body"]
    return body


async def status(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> int:
    async with http.put(url, data=b"x", headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("case", ["tag", "type", "signature", "expires", "over", "bearer", "other way", "no expiry"])
async def test_whatever_differs_from_what_was_signed_is_denied(
    mock: RunningMock, http: aiohttp.ClientSession, presigned: Json, case: str
) -> None:
    url, headers = presigned["url"], {**presigned["headers"], "Content-Type": "text/plain"}
    if case == "tag":
        headers["x-amz-tagging"] = "x=y"
    elif case == "type":
        headers["Content-Type"] = "image/png"
    elif case == "signature":
        url += "0"
    elif case == "expires":
        url = url.replace("expires=1", "expires=2")
    elif case == "over":
        mock.world.clock.advance(600)
    elif case == "bearer":
        headers["Authorization"] = "Bearer x"
    elif case == "other way":
        async with http.get(url.replace("/upload/", "/download/")) as answer:
            assert answer.status == 403
        return
    elif case == "no expiry":
        url = url.partition("?")[0]
    assert await status(http, url, headers) == 403


async def test_an_address_takes_one_upload(http: aiohttp.ClientSession, presigned: Json) -> None:
    headers = {**presigned["headers"], "Content-Type": "text/plain"}
    assert await status(http, presigned["url"], headers) == 200
    assert await status(http, presigned["url"], headers) == 403


async def test_browsers_may_put_across_origins(http: aiohttp.ClientSession, presigned: Json) -> None:
    headers = {
        "Origin": "http://localhost",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-amz-tagging",
    }
    async with http.options(presigned["url"], headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost"
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
