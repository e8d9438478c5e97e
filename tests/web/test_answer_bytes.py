"""Answers as bytes, by status, method and version."""

from __future__ import annotations

import pytest

from gateway.web.answer_bytes import answer_bytes, cors_lines


@pytest.mark.parametrize(
    ("status", "method", "keep_alive", "is_old", "start", "fields", "body"),
    [
        (200, "POST", True, False, b"HTTP/1.1 200 OK", {b"Content-Length": b"2"}, b"{}"),
        (200, "POST", False, False, b"HTTP/1.1 200 OK", {b"Content-Length": b"2", b"Connection": b"close"}, b"{}"),
        (200, "GET", True, True, b"HTTP/1.0 200 OK", {b"Content-Length": b"2", b"Connection": b"keep-alive"}, b"{}"),
        (200, "GET", False, True, b"HTTP/1.0 200 OK", {b"Content-Length": b"2"}, b"{}"),
        (200, "HEAD", True, False, b"HTTP/1.1 200 OK", {b"Content-Length": b"2"}, b""),
        (204, "POST", True, False, b"HTTP/1.1 204 No Content", {}, b""),
        (304, "GET", True, False, b"HTTP/1.1 304 Not Modified", {}, b""),
        (299, "GET", True, False, b"HTTP/1.1 299 ", {b"Content-Length": b"2"}, b"{}"),
    ],
)
def test_framing_and_connection_follow_status_method_and_version(
    status: int, method: str, *, keep_alive: bool, is_old: bool, start: bytes, fields: dict[bytes, bytes], body: bytes
) -> None:
    whole = answer_bytes(status, b"X-One: 1\r\n", b"{}", method, keep_alive=keep_alive, is_old=is_old)
    head, _, rest = whole.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    found = dict(text.split(b": ", 1) for text in lines)
    assert found.pop(b"Date").endswith(b" GMT")
    assert (line, found, rest) == (start, {b"X-One": b"1", **fields}, body)


def test_cors_lines_are_those_of_the_policy() -> None:
    assert cors_lines(None) == b"Vary: Origin\r\n"
    assert b"Access-Control-Allow-Origin: https://shop.example\r\n" in cors_lines("https://shop.example")
