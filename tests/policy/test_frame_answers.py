"""Tests of the frames that the gateway makes: shapes that existing clients read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway import errors
from gateway.errors import REASONS, Refusal
from gateway.policy.frame_answers import CODES, refusal_frame


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_refusal_has_genesys_shape_and_our_code_first(code: str) -> None:
    frame = json.loads(refusal_frame(Refusal(REASONS[code], "more", retry_after_s=7), "trace-1"))
    assert (frame["type"], frame["code"], frame["tracingId"]) == ("response", CODES[code], "trace-1")
    text = frame["body"]["errorMessage"] if code == errors.FRAME_RATE.code else frame["body"]
    assert text == f"{code}: more"


def test_a_frame_that_came_too_fast_is_answered_as_genesys_does() -> None:
    frame = json.loads(refusal_frame(Refusal(errors.FRAME_RATE, retry_after_s=7), "t"))
    assert frame["class"] == "TooManyRequestsErrorMessage"
    assert frame["code"] == 429
    assert frame["body"]["retryAfter"] == 7
    assert frame["body"]["errorCode"] == 4029
    assert frame["body"]["errorMessage"].startswith("frame.rate_limited: ")


def test_the_documentation_lists_every_code() -> None:
    document = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\d+) \|$", document, re.MULTILINE)
    assert {reason: int(code) for reason, code in rows} == CODES


def test_without_a_tracing_id_none_is_made_up() -> None:
    assert "tracingId" not in json.loads(refusal_frame(Refusal(errors.FRAME_ACTION), None))


def test_without_a_detail_the_cause_is_told() -> None:
    frame = json.loads(refusal_frame(Refusal(errors.FRAME_ACTION), None))
    assert frame["body"] == f"frame.action_not_allowed: {errors.FRAME_ACTION.cause}"


def test_any_other_reason_is_an_unexpected_error_to_clients() -> None:
    assert json.loads(refusal_frame(Refusal(errors.INTERNAL), None))["code"] == 5000


def test_no_refusal_looks_like_a_lapsed_sign_in() -> None:
    assert 401 not in CODES.values()
