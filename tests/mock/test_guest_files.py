"""Files of guests: announce, put, send, get, delete, and every refusal of the way."""

import hashlib
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import Guest, GuestMaker, Json


async def announce(one: Guest, name: str = "note.txt", kind: str = "text/plain", **members: Any) -> Json:
    fields = {"attachmentId": str(uuid4()), "fileName": name, "fileType": kind, "errorsAsJson": True, **members}
    return await one.ask("onAttachment", **fields)


async def put(http: aiohttp.ClientSession, body: Json, content: bytes) -> int:
    headers = {**body["headers"], "Content-Type": body["fileType"]}
    async with http.put(body["url"], data=content, headers=headers) as answer:
        return answer.status


async def test_a_file_goes_up_is_sent_and_comes_down(
    guest: GuestMaker, mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    one = await guest()
    presigned = (await announce(one, fileSize=5))["body"]
    assert await put(http, presigned, b"bytes") == 200
    uploaded = await one.receive()
    assert (uploaded["class"], uploaded["body"]["attachmentId"]) == ("UploadSuccessEvent", presigned["attachmentId"])
    content = [{"contentType": "Attachment", "attachment": {"id": presigned["attachmentId"]}}]
    # A message that holds only a file has no type and no text.
    sent = await one.ask("onMessage", message={"content": content})
    assert sent["body"]["content"][0]["attachment"]["filename"] == "note.txt"
    address = await one.ask("getAttachment", attachmentId=presigned["attachmentId"])
    async with http.get(address["body"]["url"]) as answer:
        assert await answer.read() == b"bytes"
        assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (await one.ask("deleteAttachment", attachmentId=presigned["attachmentId"]))["code"] == 400


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"name": "noextension"}, 4004),
        ({"name": "a/b.txt"}, 4004),
        ({"name": "x" * 1021 + ".txt"}, 4005),
        ({"name": "run.EXE"}, 4001),
        ({"kind": "application/zip"}, 4001),
        ({"fileSize": 0}, 4102),
        ({"fileSize": 10 * 1024 * 1024 + 1}, 4002),
    ],
)
async def test_an_unfit_file_gets_no_address(guest: GuestMaker, members: dict[str, Any], code: int) -> None:
    one = await guest()
    frame = await announce(one, **members)
    assert (frame["class"], frame["code"], frame["body"]["errorCode"]) == ("GenerateUrlError", 200, code)
    plain = await announce(one, **members, errorsAsJson=False)
    assert (plain["class"], plain["code"]) == ("string", code)


async def test_uploads_may_be_off(guest: GuestMaker, mock: RunningMock) -> None:
    mock.world.deployments[DEFAULT_DEPLOYMENT].uploads = False
    one = await guest()
    assert (await announce(one))["body"]["errorCode"] == 4000


@pytest.mark.parametrize(
    ("members", "content", "code"),
    [
        ({}, b"", 4102),
        ({"fileSize": 3}, b"four", 4002),
        ({}, b"MZ\x90", 4003),
        ({"fileMd5": "0" * 32}, b"other", 4003),
    ],
)
async def test_wrong_bytes_are_told_as_failure(
    guest: GuestMaker, http: aiohttp.ClientSession, members: dict[str, Any], content: bytes, code: int
) -> None:
    one = await guest()
    presigned = (await announce(one, **members))["body"]
    await put(http, presigned, content)
    frame = await one.receive()
    assert (frame["class"], frame["body"]["errorCode"]) == ("UploadFailureEvent", code)
    assert (await one.ask("getAttachment", attachmentId=presigned["attachmentId"]))["code"] == 4009


async def test_the_right_md5_is_taken(guest: GuestMaker, http: aiohttp.ClientSession) -> None:
    one = await guest()
    presigned = (await announce(one, fileMd5=hashlib.md5(b"abc").hexdigest()))["body"]
    await put(http, presigned, b"abc")
    assert (await one.receive())["class"] == "UploadSuccessEvent"


async def test_a_file_must_be_uploaded_fresh_and_the_guests_own(
    guest: GuestMaker, mock: RunningMock, http: aiohttp.ClientSession
) -> None:
    one, other = await guest(), await guest()
    presigned = (await announce(one))["body"]
    reference = [{"contentType": "Attachment", "attachment": {"id": presigned["attachmentId"]}}]
    assert (await one.ask("onMessage", message={"content": reference}))["code"] == 4010
    assert (await one.ask("getAttachment", attachmentId=presigned["attachmentId"]))["code"] == 4010
    await put(http, presigned, b"x")
    await one.receive()
    assert (await other.ask("onMessage", message={"content": reference}))["code"] == 4009
    assert (await other.ask("getAttachment", attachmentId=presigned["attachmentId"]))["code"] == 4009
    assert (await announce(other, attachmentId=presigned["attachmentId"]))["code"] == 4009
    two_files = await one.ask("onMessage", message={"content": reference * 2})
    assert two_files["code"] == 400
    mock.world.clock.advance(mock.world.sizes["attachment_s"])
    assert (await one.ask("onMessage", message={"content": reference}))["code"] == 4008


async def test_a_deleted_file_is_gone(guest: GuestMaker, http: aiohttp.ClientSession) -> None:
    one = await guest()
    presigned = (await announce(one))["body"]
    frame = await one.ask("deleteAttachment", attachmentId=presigned["attachmentId"])
    assert (frame["class"], frame["body"]["attachmentId"]) == ("AttachmentDeletedResponse", presigned["attachmentId"])
    assert await put(http, presigned, b"x") == 403
