"""Tables of heads: what may be written, how answers are framed, and what is too ambiguous to be believed."""

from __future__ import annotations

import pytest

from gateway.upstream.framing import AmbiguousAnswer, BodyPlan, Framing, Header, lines_of, plan_body, write_head

LENGTH = (b"Content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")


def test_head_is_written_with_our_host_and_framing() -> None:
    head = write_head("POST", b"/a?b=c", b"api.example", b"accept: */*\r\n", b"Content-Length: 2\r\n")
    assert head == b"POST /a?b=c HTTP/1.1\r\nHost: api.example\r\naccept: */*\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "framing", "head"),
    [
        ([], b"", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        ([], b"A: 1\r\nB: 2\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n"),
        ([(b"x", b""), (b"y", b"\xe9\t")], b"", b"GET / HTTP/1.1\r\nHost: h\r\nx: \r\ny: \xe9\t\r\n\r\n"),
    ],
)
def test_head_ends_once_with_and_without_headers_and_framing(
    headers: list[Header], framing: bytes, head: bytes
) -> None:
    assert write_head("GET", b"/", b"h", lines_of(headers), framing) == head


@pytest.mark.parametrize(
    "name",
    [b"Host", b"content-length", b"Transfer-Encoding", b"CONNECTION", b"keep-alive", b"TE", b"Trailer", b"Upgrade",
     b"Expect", b"Proxy-Authorization", b"a b", b"", b"a:b", b"a\r\nb", b"\xe9"],
)  # fmt: skip
def test_name_that_the_leg_decides_or_that_is_no_token_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        lines_of([(b"accept", b"*/*"), (name, b"x")])


@pytest.mark.parametrize("name", [b"hostage", b"te-x", b"x-host", b"expected", b"upgrade-insecure-requests"])
def test_name_that_only_begins_like_ours_passes(name: bytes) -> None:
    assert lines_of([(name, b"x")]) == name + b": x\r\n"


@pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\nb", b"a\rb", b"a\0b", b"a\x7fb", b"a\x0bb"])
def test_value_with_control_characters_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        lines_of([(b"x", value), (b"y", b"z")])


@pytest.mark.parametrize("target", [b"", b"a", b"*", b"http://x/", b"/a b", b"/a\r\n", b"/\xc3\xa9", b"/a\0"])
def test_target_out_of_origin_form_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match="target"):
        write_head("GET", target, b"h", b"", b"")


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "GET /", "G\r\nT", "A" * 17])
def test_method_that_is_odd_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        write_head(method, b"/", b"h", b"", b"")


@pytest.mark.parametrize(
    ("method", "status", "version", "headers", "plan"),
    [
        ("GET", 200, "1.1", [LENGTH], BodyPlan(Framing.LENGTH, 5, True)),
        ("GET", 200, "1.1", [CHUNKED], BodyPlan(Framing.CHUNKED, None, True)),
        ("GET", 200, "1.1", [(b"TRANSFER-ENCODING", b" Chunked ")], BodyPlan(Framing.CHUNKED, None, True)),
        ("GET", 200, "1.1", [], BodyPlan(Framing.UNTIL_CLOSE, None, False)),
        ("GET", 200, "1.0", [LENGTH], BodyPlan(Framing.LENGTH, 5, False)),
        ("GET", 200, "1.1", [LENGTH, (b"connection", b"x, Close")], BodyPlan(Framing.LENGTH, 5, False)),
        ("GET", 200, "1.1", [LENGTH, (b"connection", b"closed")], BodyPlan(Framing.LENGTH, 5, True)),
        ("HEAD", 200, "1.1", [LENGTH], BodyPlan(Framing.NONE, 0, True)),
        ("GET", 204, "1.1", [], BodyPlan(Framing.NONE, 0, True)),
        ("GET", 304, "1.1", [LENGTH], BodyPlan(Framing.NONE, 0, True)),
    ],
)
def test_body_is_framed(method: str, status: int, version: str, headers: list[Header], plan: BodyPlan) -> None:
    assert plan_body(method, status, version, headers) == plan


@pytest.mark.parametrize(
    ("status", "version", "headers"),
    [
        (200, "1.1", [LENGTH, LENGTH]),
        (200, "1.1", [LENGTH, CHUNKED]),
        (200, "1.1", [CHUNKED, CHUNKED]),
        (200, "1.1", [(b"Transfer-Encoding", b"gzip, chunked")]),
        (200, "1.1", [(b"Transfer-Encoding", b"identity")]),
        (200, "1.0", [CHUNKED]),
        (200, "1.1", [(b"Content-Length", b"+5")]),
        (200, "1.1", [(b"Content-Length", b"5, 5")]),
        (200, "1.1", [(b"Content-Length", b"")]),
        (200, "1.1", [(b"Content-Length", b"9" * 17)]),
        (200, "1.1", [(b"Content-Length", b"9999999999999999")]),
        (199, "1.1", [LENGTH]),
        (600, "1.1", [LENGTH]),
        (200, "2.0", [LENGTH]),
        (200, "0.9", [LENGTH]),
    ],
)
def test_answer_that_two_readers_could_frame_differently_is_refused(
    status: int, version: str, headers: list[Header]
) -> None:
    with pytest.raises(AmbiguousAnswer):
        plan_body("GET", status, version, headers)
