"""The opening handshake as values: which requests are proper, and which answers open a socket."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.upstream.ws_handshake import accept_of, check_opened, check_upgrade, opening_request, switching_answer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PROPER = [
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]
OPENED = [("Upgrade", "WebSocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Accept", accept_of(KEY))]


def without(headers: list[tuple[str, str]], name: str, *instead: str) -> list[tuple[str, str]]:
    return [item for item in headers if item[0] != name] + [(name, value) for value in instead]


def test_the_key_of_the_standard_is_answered_as_it_says() -> None:
    assert accept_of(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def test_a_proper_request_gives_its_key() -> None:
    assert check_upgrade("GET", (1, 1), PROPER) == KEY
    assert check_upgrade("GET", (1, 1), [(name.upper(), value) for name, value in PROPER]) == KEY
    assert check_upgrade("GET", (1, 1), [*PROPER, ("Content-Length", "0")]) == KEY


@pytest.mark.parametrize(
    ("method", "version", "headers", "reason"),
    [
        ("POST", (1, 1), PROPER, errors.SOCKET_UPGRADE),
        ("GET", (1, 0), PROPER, errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Upgrade"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Upgrade", "h2c"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Connection", "close"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Version"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Version", "8"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Version", "13", "13"), errors.SOCKET_UPGRADE),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Key"), errors.REQUEST_MALFORMED),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Key", "c2hvcnQ="), errors.REQUEST_MALFORMED),
        ("GET", (1, 1), without(PROPER, "Sec-WebSocket-Key", "not base64 at all!!"), errors.REQUEST_MALFORMED),
        ("GET", (1, 1), [*PROPER, ("Sec-WebSocket-Key", KEY)], errors.REQUEST_MALFORMED),
        ("GET", (1, 1), [*PROPER, ("Content-Length", "5")], errors.REQUEST_MALFORMED),
        ("GET", (1, 1), [*PROPER, ("Transfer-Encoding", "chunked")], errors.REQUEST_MALFORMED),
    ],
)
def test_an_improper_request_is_refused(
    method: str, version: tuple[int, int], headers: list[tuple[str, str]], reason: Reason
) -> None:
    with pytest.raises(Refusal) as refused:
        check_upgrade(method, version, headers)
    assert refused.value.reason is reason


def test_the_101_confirms_key_and_sub_protocol() -> None:
    answer = switching_answer(KEY, "ticket.gwt_x", {"X-Request-Id": "r1"}).decode()
    assert answer.startswith("HTTP/1.1 101 ")
    assert f"Sec-WebSocket-Accept: {accept_of(KEY)}\r\n" in answer
    assert "Sec-WebSocket-Protocol: ticket.gwt_x\r\n" in answer
    assert answer.endswith("X-Request-Id: r1\r\n\r\n")
    assert "Extensions" not in answer


def test_nothing_can_be_smuggled_into_the_101() -> None:
    with pytest.raises(ValueError):
        switching_answer(KEY, "a\r\nSet-Cookie: b", {})
    with pytest.raises(ValueError):
        switching_answer(KEY, None, {"X-Request-Id": "r\r\nSet-Cookie: b"})


@pytest.mark.parametrize("part", ["host", "target", "key", "origin"])
@pytest.mark.parametrize("spoilt", ["a b", "a\r\nb", "é", "a\0"])
def test_nothing_can_be_smuggled_into_the_opening_request(part: str, spoilt: str) -> None:
    parts = {"host": "h", "target": "/v1", "key": KEY, "origin": "https://shop.example", part: spoilt}
    with pytest.raises(ValueError):
        opening_request(**parts)


def test_a_proper_answer_opens() -> None:
    check_opened(101, OPENED, KEY)


@pytest.mark.parametrize(
    ("status", "headers", "reason", "retry_after_s"),
    [
        (403, [], errors.UPSTREAM_REFUSED_SOCKET, None),
        (429, [("Retry-After", "17")], errors.UPSTREAM_BUSY, 17),
        (429, [("Retry-After", "soon")], errors.UPSTREAM_BUSY, 5),
        (503, [("Retry-After", "99999999999")], errors.UPSTREAM_BUSY, 5),
        (504, [], errors.UPSTREAM_TIMEOUT, None),
        (401, [], errors.UPSTREAM_BAD_ANSWER, None),
        (200, OPENED, errors.UPSTREAM_BAD_ANSWER, None),
        (101, without(OPENED, "Upgrade"), errors.UPSTREAM_BAD_ANSWER, None),
        (101, without(OPENED, "Connection", "close"), errors.UPSTREAM_BAD_ANSWER, None),
        (101, without(OPENED, "Sec-WebSocket-Accept", accept_of("x")), errors.UPSTREAM_BAD_ANSWER, None),
        (101, [*OPENED, ("Sec-WebSocket-Extensions", "permessage-deflate")], errors.UPSTREAM_BAD_ANSWER, None),
        (101, [*OPENED, ("Sec-WebSocket-Protocol", "chat")], errors.UPSTREAM_BAD_ANSWER, None),
    ],
)
def test_any_other_answer_is_refused_with_its_reason(
    status: int, headers: list[tuple[str, str]], reason: Reason, retry_after_s: int | None
) -> None:
    with pytest.raises(Refusal) as refused:
        check_opened(status, headers, KEY)
    assert refused.value.reason is reason
    assert refused.value.retry_after_s == retry_after_s
