"""Every way in: sites, origins, preflights, bad requests; each refusal readable by the page, recorded and counted."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.web.conftest import PAGE, RunningFront

Start = Callable[..., Awaitable[RunningFront]]


async def ask(
    front: RunningFront, method: str, path: str, **headers: str
) -> tuple[aiohttp.ClientResponse, dict[str, object]]:
    """One request with its target as written, and the JSON that came back."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as client, client.request(method, front.url + path, headers=named) as answer:
        text = await answer.text()
        return answer, (await answer.json(content_type=None)) if text else {}


async def test_a_listed_page_is_served_with_its_cors_headers(start: Start) -> None:
    answer, body = await ask(await start(), "POST", "/sites/shop/session", Origin=PAGE)
    assert (answer.status, body["surface"]) == (200, "session")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["Server"] == "gateway"
    assert len(answer.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("https://evil.example", "origin.not_allowed"),
        ("https://club.example", "origin.not_allowed"),
        ("http://shop.example", "origin.insecure"),
        ("null", "origin.null"),
        ("shop.example", "origin.malformed"),
    ],
)
async def test_a_foreign_page_is_refused_recorded_and_counted(start: Start, origin: str, code: str) -> None:
    front = await start()
    answer, body = await ask(front, "POST", "/sites/shop/session", Origin=origin)
    assert (answer.status, body["code"]) == (403, code)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"
    assert front.audit.actions() == ["origin.denied"]
    assert front.audit.records[0].fields["event.reason"] == code
    assert front.refusals(code) == 1


async def test_a_call_without_origin_is_no_page(start: Start) -> None:
    answer, body = await ask(await start(), "POST", "/sites/shop/session")
    assert (answer.status, body["code"]) == (403, "origin.missing")


async def test_a_page_can_read_why_it_was_refused(start: Start) -> None:
    """Errors after the origin check carry the CORS headers too; else the page sees only `network error`."""
    front = await start()
    for path, status in (("/sites/shop/nothing", 404), ("/sites/shop/ticket", 500)):
        answer, body = await ask(front, "POST", path, Origin=PAGE)
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert body["request_id"] == answer.headers["X-Request-Id"]


async def test_a_fault_of_ours_tells_nothing_of_itself(start: Start) -> None:
    front = await start()
    answer, body = await ask(front, "POST", "/sites/shop/ticket", Origin=PAGE)
    assert (answer.status, body["code"]) == (500, "internal.error")
    assert "hunter2" not in str(body)


async def test_an_unknown_site_is_named_as_such(start: Start) -> None:
    answer, body = await ask(await start(), "POST", "/sites/nowhere/session", Origin=PAGE)
    assert (answer.status, body["code"]) == (404, "site.unknown")


async def test_a_site_is_found_by_its_host(start: Start) -> None:
    front = await start(hosts={"shop": ("chat.shop.example",)})
    answer, _ = await ask(front, "POST", "/session", Origin=PAGE, Host="chat.shop.example")
    assert answer.status == 200
    answer, body = await ask(front, "POST", "/session", Origin=PAGE, Host="other.example")
    assert (answer.status, body["code"]) == (404, "site.unknown")


async def test_a_wrong_method_is_refused_with_the_right_ones(start: Start) -> None:
    answer, body = await ask(await start(), "GET", "/sites/shop/session", Origin=PAGE)
    assert (answer.status, body["code"]) == (405, "request.method_not_allowed")
    assert answer.headers["Allow"] == "POST, DELETE"


async def test_a_preflight_of_a_listed_page_is_granted_without_credentials(start: Start) -> None:
    front = await start()
    answer, _ = await ask(
        front, "OPTIONS", "/sites/shop/session", Origin=PAGE, Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization", Access_Control_Request_Private_Network="true",
    )  # fmt: skip
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, DELETE"
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert 0 < int(answer.headers["Access-Control-Max-Age"]) <= 7200
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Private-Network" not in answer.headers
    assert front.audit.records == []


async def test_a_preflight_of_a_foreign_page_is_refused(start: Start) -> None:
    answer, body = await ask(
        await start(),
        "OPTIONS",
        "/sites/shop/session",
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
    )
    assert (answer.status, body["code"]) == (403, "origin.not_allowed")
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_may_not_call_what_is_for_servers(start: Start) -> None:
    answer, body = await ask(
        await start(), "OPTIONS", "/oauth/token", Origin=PAGE, Access_Control_Request_Method="POST"
    )
    assert (answer.status, body["code"]) == (403, "origin.not_allowed")


async def test_options_without_a_preflight_tells_the_methods(start: Start) -> None:
    answer, _ = await ask(await start(), "OPTIONS", "/sites/shop/session", Origin=PAGE)
    assert (answer.status, answer.headers["Allow"]) == (204, "POST, DELETE, OPTIONS")


async def test_payloads_may_be_read_by_any_page_and_never_with_credentials(start: Start) -> None:
    front = await start()
    for origin in (PAGE, "https://club.example", "https://evil.example"):
        answer, _ = await ask(front, "GET", "/static/client.0123.js", Origin=origin)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers


TRICKS = [
    "/sites/shop/../club/session",
    "/sites/shop/./session",
    "/sites/shop/%2e%2e/club/session",
    "/sites/shop%2fsession",
    "/sites/shop%2Fsession",
    "/sites/shop%5Csession",
    "/sites//shop/session",
    "//sites/shop/session",
    "/sites/shop/session;a=b",
    "/sites/shop/session%3Ba",
    "/sites/shop/session%23",
    "/sites/shop/session%00",
    "/sites/shop/session%0d%0aX:%20y",
    "/sites/shop/sess%69on",
    "/sites/shop/session\\",
    "/sites/shop/session/",
    "http://127.0.0.1/sites/shop/session",
    "http://evil.example/sites/shop/session",
    "sites/shop/session",
    "*",
]


@pytest.mark.parametrize("target", TRICKS)
async def test_a_path_in_any_other_spelling_is_refused(start: Start, target: str) -> None:
    front = await start()
    request = f"POST {target} HTTP/1.1\r\nHost: gw\r\nOrigin: {PAGE}\r\nContent-Length: 0\r\n\r\n".encode()
    answer = await front.raw(request)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b'"surface"' not in answer
    assert b"Vary: Origin" in answer
    assert front.audit.actions() == ["proxy.denied"] or [peer for peer, _ in front.malformed] == ["127.0.0.1"]


@pytest.mark.parametrize("target", ["/sites/shop//session", "/sites/elsewhere/session", "/nowhere"])
async def test_a_page_of_any_site_may_read_a_refusal_that_concerns_no_site(start: Start, target: str) -> None:
    front = await start()
    request = f"POST {target} HTTP/1.1\r\nHost: gw\r\nOrigin: {{}}\r\nConnection: close\r\n\r\n"
    for page in (PAGE, "https://club.example"):
        assert f"Access-Control-Allow-Origin: {page}\r\n".encode() in await front.raw(request.format(page).encode())
    assert b"Allow-Origin" not in await front.raw(request.format("https://evil.example").encode())


@pytest.mark.parametrize("target", ["/sites/shop/session;x", "/sites/elsewhere/session", "/nowhere"])
async def test_the_preflight_of_a_call_that_concerns_no_site_is_granted_to_listed_pages_only(
    start: Start, target: str
) -> None:
    front = await start()
    answer, _ = await ask(front, "OPTIONS", target, Origin=PAGE, Access_Control_Request_Method="POST")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert front.audit.actions() == []
    answer, _ = await ask(front, "OPTIONS", target, Origin="https://evil.example", Access_Control_Request_Method="POST")
    assert answer.status in {400, 404}
    assert "Access-Control-Allow-Origin" not in answer.headers


POST = b"POST /sites/shop/session HTTP/1.1\r\nHost: gw\r\n"
PAGE_POST = POST + b"Origin: https://shop.example\r\n"
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
MALFORMED = {
    "both framings": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length of words": POST + b"Content-Length: ten\r\n\r\n",
    "a folded header": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\nX-A: b\r\n c\r\n\r\n",
    "a bare line feed": b"GET /sites/shop/session HTTP/1.1\nHost: gw\n\n",
    "a broken chunk": PAGE_POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a NUL in a header": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\nX-A: a\x00b\r\n\r\n",
    "an empty header name": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\n: x\r\n\r\n",
    "two hosts": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\nHost: other\r\n\r\n",
    "no host": b"POST /sites/shop/session HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "version 9.9": b"GET /sites/shop/session HTTP/9.9\r\nHost: gw\r\n\r\n",
    "two origins": PAGE_POST + b"Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
    "two credentials": PAGE_POST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\n\r\n",
    "an upgrade with a body": PAGE_POST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Content-Length: 30\r\n\r\nGET /static/a HTTP/1.1\r\nHost: x",
    "a huge header": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\nX-A: " + b"a" * 9_000 + b"\r\n\r\n",
    "200 headers": b"GET /sites/shop/session HTTP/1.1\r\nHost: gw\r\n"
    + b"".join(b"X-%d: a\r\n" % i for i in range(200)) + b"\r\n",
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
async def test_an_ambiguous_request_gets_one_400_and_the_connection_closes(start: Start, case: str) -> None:
    front = await start()
    smuggled = b"GET /static/smuggled HTTP/1.1\r\nHost: gw\r\n\r\n"
    answer = await front.raw(MALFORMED[case] + smuggled)
    assert ANSWER.findall(answer) == [b"400"]
    assert b'"surface": "static"' not in answer
    assert b"aiohttp" not in answer.lower()


async def test_a_body_over_the_limit_is_refused_and_not_read_as_a_request(start: Start) -> None:
    front = await start()
    head = PAGE_POST + b"Content-Length: 5000\r\n\r\n"
    answer = await front.raw(head + b"GET /static/a HTTP/1.1\r\nHost: gw\r\n\r\n" * 100)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"request.body_too_large" in answer
    assert ANSWER.findall(answer) == [b"413"]


async def test_a_chunked_body_over_the_limit_is_refused(start: Start) -> None:
    head = PAGE_POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await (await start()).raw(
        head + b"3e8\r\n" + b"a" * 1000 + b"\r\n3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n"
    )
    assert b"request.body_too_large" in answer


async def test_a_compressed_body_is_refused(start: Start) -> None:
    answer, body = await ask(await start(), "POST", "/sites/shop/session", Origin=PAGE, Content_Encoding="gzip")
    assert (answer.status, body["code"]) == (415, "request.media_type")


async def test_more_requests_than_the_node_takes_are_refused_at_once(start: Start) -> None:
    answer, body = await ask(await start(concurrent=0), "POST", "/sites/shop/session", Origin=PAGE)
    assert (answer.status, body["code"], answer.headers["Retry-After"]) == (503, "limit.overloaded", "1")


async def test_identity_headers_do_not_choose_the_client(start: Start) -> None:
    front = await start()
    await ask(front, "POST", "/sites/shop/session", Origin="https://evil.example", X_Forwarded_For="198.51.100.7")
    assert front.audit.records[0].fields["client.ip"] == "127.0.0.0"
