"""Refusals as answers: RFC 9457 everywhere, OAuth's own shape at its endpoints, nothing of an exception's text."""

from __future__ import annotations

import orjson
import pytest
from aiohttp import web

from gateway import errors
from gateway.errors import REASONS, Refusal
from gateway.web.problems import oauth_error_answer, problem_answer


def body_of(answer: web.Response) -> dict[str, object]:
    assert isinstance(answer.body, bytes)
    value = orjson.loads(answer.body)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_is_a_readable_problem(code: str) -> None:
    reason = REASONS[code]
    answer = problem_answer(Refusal(reason), request_id="r1", headers={"Vary": "Origin"})
    body = body_of(answer)
    assert answer.status == body["status"] == reason.status
    assert answer.content_type == "application/problem+json"
    assert body["type"] == f"urn:gateway:refusal:{code}"
    assert (body["code"], body["title"], body["request_id"]) == (code, reason.title, "r1")
    assert reason.remedy in str(body["detail"])
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["X-Request-Id"] == "r1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Server"] == "gateway"


def test_retry_after_stands_in_header_and_body() -> None:
    answer = problem_answer(Refusal(errors.RATE_LIMITED, retry_after_s=7), request_id="r", headers={})
    assert answer.headers["Retry-After"] == "7"
    assert body_of(answer)["retry_after"] == 7


def test_a_401_names_its_scheme() -> None:
    answer = problem_answer(Refusal(errors.SESSION_EXPIRED), request_id="r", headers={})
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gateway", error="invalid_token"'


def test_an_oauth_error_keeps_oauths_shape_with_our_code_beside() -> None:
    answer = oauth_error_answer(Refusal(errors.GRANT_UNSUPPORTED), request_id="r", headers={})
    body = body_of(answer)
    assert (answer.status, body["error"], body["code"]) == (
        400,
        "unsupported_grant_type",
        "oauth.unsupported_grant_type",
    )


def test_a_client_that_did_not_authenticate_gets_401_and_the_basic_scheme() -> None:
    answer = oauth_error_answer(Refusal(errors.BACKEND_INVALID), request_id="r", headers={})
    assert (answer.status, body_of(answer)["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_bad_grant_is_400_at_an_oauth_endpoint() -> None:
    answer = oauth_error_answer(Refusal(errors.VISITOR_EXPIRED), request_id="r", headers={})
    assert (answer.status, body_of(answer)["error"]) == (400, "invalid_grant")
    assert "WWW-Authenticate" not in answer.headers
