"""The application log: one JSON line per event, ECS names, no secret, whoever speaks."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from gateway.observe import log
from gateway.observe.redaction import Redactor


@dataclass
class Request:
    """A request that is being answered."""

    request_id: str
    trace_id: str | None = "f" * 32
    site: str | None = None
    route: str | None = None


@contextmanager
def answering(request: Request) -> Iterator[None]:
    token = log.CURRENT.set(request)
    yield
    log.CURRENT.reset(token)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    target = io.StringIO()
    redactor = Redactor()
    redactor.learn("canary-secret-value")
    log.configure(stream=target, pretty=False, node="gw1", redactor=redactor)
    yield target
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_ecs_names_and_says_who_speaks(stream: io.StringIO) -> None:
    structlog.get_logger("gateway.x").info("started", site="shop", port=8080)
    [line] = lines(stream)
    assert line["message"] == "started"
    assert (line["log.level"], line["log.logger"], line["gateway.site"], line["port"]) == (
        "info",
        "gateway.x",
        "shop",
        8080,
    )
    assert (line["service.name"], line["service.node.name"]) == ("gateway", "gw1")
    assert line["@timestamp"].endswith("Z")
    assert next(iter(line)) == "@timestamp"


def test_the_request_id_is_in_every_line_inside_and_none_outside(stream: io.StringIO) -> None:
    with answering(Request("req-1", site="shop")):
        structlog.get_logger().info("a")
        logging.getLogger("third.party").warning("b")
    structlog.get_logger().info("c")
    assert [line.get("http.request.id") for line in lines(stream)] == ["req-1", "req-1", None]
    assert [line.get("trace.id") for line in lines(stream)] == ["f" * 32, "f" * 32, None]
    assert lines(stream)[0]["gateway.site"] == "shop"


def test_exceptions_lose_their_text_and_keep_their_place(stream: io.StringIO) -> None:
    def fails() -> None:
        raise ConnectionError("https://h.example/?token=canary-secret-value")

    for logger in (structlog.get_logger("a"), logging.getLogger("b")):
        try:
            fails()
        except ConnectionError:
            logger.exception("call failed")
    for line in lines(stream):
        assert line["error.type"] == "ConnectionError"
        assert line["error.stack"][-1].endswith("fails")
    assert "h.example" not in stream.getvalue()


def test_our_code_is_kept(stream: io.StringIO) -> None:
    from gateway.errors import AUDIT_UNAVAILABLE, Refusal

    structlog.get_logger().error("refused", exc_info=Refusal(AUDIT_UNAVAILABLE))
    assert lines(stream)[0]["error.code"] == "audit.unavailable"


@pytest.mark.parametrize(
    "text", ["canary-secret-value", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "https://h/?code=hidden-code-123"]
)
def test_no_stream_shows_a_secret_whoever_logs_it(stream: io.StringIO, text: str) -> None:
    structlog.get_logger().info("event %s", text, detail=text, nested={"deep": [text]})
    logging.getLogger("aiohttp.client").error("sent %s", text)
    logging.getLogger("py.warnings").warning("%s", text)
    with answering(Request(text)):
        structlog.get_logger().info("bound")
    assert len(lines(stream)) == 4
    assert text not in stream.getvalue()
    assert "hidden-code" not in stream.getvalue()


def test_control_characters_do_not_make_lines(stream: io.StringIO) -> None:
    structlog.get_logger().info("a\nb", c="d\r\ne")
    assert len(lines(stream)) == 1


def test_the_access_log_of_aiohttp_is_silent(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.access").error("GET /?token=x")
    assert stream.getvalue() == ""


def test_levels_hold(stream: io.StringIO) -> None:
    structlog.get_logger().debug("quiet")
    logging.getLogger("x").debug("quiet")
    assert stream.getvalue() == ""


def test_on_a_terminal_it_is_pretty_and_as_silent_about_secrets(stream: io.StringIO) -> None:
    target = io.StringIO()
    redactor = Redactor()
    log.configure(stream=target, pretty=True, redactor=redactor)
    structlog.get_logger().info("hello", token="abcdefgh", site="shop")
    assert "hello" in target.getvalue()
    assert "shop" in target.getvalue()
    assert "abcdefgh" not in target.getvalue()


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        log.configure(level="loud", stream=io.StringIO())
