"""The Platform API's error body."""

import json
from string import Formatter

import pytest

from gateway.mock.platform_error import CODES, PlatformError, too_many_requests


@pytest.mark.parametrize("code", CODES)
def test_every_code_fills_its_text(code: str) -> None:
    names = {name for _, name, _, _ in Formatter().parse(CODES[code][1]) if name}
    error = PlatformError(code, dict.fromkeys(names, "thing"))
    body = error.body("id-1")
    assert body["status"] == error.status == CODES[code][0]
    assert "{" not in body["message"]
    assert body["contextId"] == "id-1"
    assert {"messageWithParams", "messageParams", "details", "errors"} <= body.keys()


def test_header_and_body_carry_the_same_correlation_id() -> None:
    response = PlatformError("not.found").response("abc")
    assert response.headers["ININ-Correlation-Id"] == "abc"
    assert isinstance(response.text, str)
    assert json.loads(response.text)["contextId"] == "abc"


def test_a_limit_names_itself_and_says_when_to_come_back() -> None:
    error = too_many_requests("token.rate.per.minute", "platform.api", 300, 60, 17)
    assert error.headers == {"Retry-After": "17"}
    assert error.body("x")["limit"] == {"key": "token.rate.per.minute", "namespace": "platform.api", "value": 300}
    assert error.body("x")["message"] == "Rate limit exceeded the maximum [300] requests within [60] seconds"


def test_a_request_that_needs_a_user_is_called_bad_request() -> None:
    assert PlatformError("invalid.user.context").body("x")["code"] == "bad.request"
