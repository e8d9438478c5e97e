"""The check of guest frames and the envelopes of answers."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mock import guest_frames
from gateway.mock.guest_frames import GuestError, RateExceeded, UploadRefused, check, custom_attributes, parse

TOKEN = str(uuid4())
Json = dict[str, Any]


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{", "null", "[" * 100_000, '{"a": NaN}', '{"a": "\\ud800"}'])
def test_what_is_no_object_is_a_bad_request(text: str) -> None:
    with pytest.raises(GuestError) as refused:
        parse(text)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"action": "close", "token": TOKEN}, 400),
        ({"token": TOKEN}, 400),
        ({"action": "getJwt"}, 4020),
        ({"action": "getJwt", "token": "not-a-uuid"}, 400),
        ({"action": "getJwt", "token": TOKEN, "tracingId": 7}, 400),
        ({"action": "configureSession", "token": TOKEN}, 4020),
        ({"action": "configureSession", "token": TOKEN, "deploymentId": 1}, 400),
        ({"action": "configureSession", "token": TOKEN, "deploymentId": "d", "startNew": "yes"}, 400),
        ({"action": "configureAuthenticatedSession", "token": TOKEN, "deploymentId": "d", "data": {}}, 4020),
        ({"action": "onMessage", "token": TOKEN}, 4020),
        ({"action": "onAttachment", "token": TOKEN, "attachmentId": "a", "fileName": "n"}, 4020),
        ({"action": "closeSession", "token": TOKEN}, 4020),
        ({"action": ["getJwt"], "token": TOKEN}, 400),
        ({"action": "getAttachment", "token": TOKEN, "attachmentId": "../x"}, 400),
        ({"action": "getJwt", "token": TOKEN, "fileSize": True}, 400),
        ({"action": "getJwt", "token": TOKEN, "journeyContext": "x"}, 400),
    ],
)
def test_a_malformed_frame_is_refused_with_its_code(frame: Json, code: int) -> None:
    with pytest.raises(GuestError) as refused:
        check(frame)
    assert refused.value.code == code


def test_a_well_formed_frame_gives_its_action() -> None:
    assert check({"action": "getJwt", "token": TOKEN.upper(), "tracingId": "t"}) == "getJwt"


def test_both_slots_of_custom_attributes_are_read_and_disagreement_is_noted() -> None:
    frame: Json = {
        "channel": {"metadata": {"customAttributes": {"a": "outer", "b": "outer"}}},
        "message": {"channel": {"metadata": {"customAttributes": {"b": "inner", "c": "inner"}}}},
    }
    assert custom_attributes(frame) == ({"a": "outer", "b": "inner", "c": "inner"}, ["b"])


@pytest.mark.parametrize("slot", [{"metadata": 1}, {"metadata": {"customAttributes": {"a": 1}}}])
def test_attributes_that_are_no_strings_are_refused(slot: Json) -> None:
    with pytest.raises(GuestError):
        custom_attributes({"message": {}, "channel": slot})


def test_attributes_count_keys_and_values_in_utf8() -> None:
    assert guest_frames.attributes_size_bytes({"ä": "x", "b": ""}) == 4


def test_a_refusal_is_a_plain_string_with_the_code_outside() -> None:
    frame = GuestError(4011).frame("t")
    assert frame == {
        "type": "response",
        "class": "string",
        "code": 4011,
        "body": "Message is too long",
        "tracingId": "t",
    }


def test_a_rate_refusal_carries_its_wait() -> None:
    frame = RateExceeded(7).frame(None)
    assert (frame["class"], frame["code"]) == ("TooManyRequestsErrorMessage", 429)
    assert (frame["body"]["retryAfter"], frame["body"]["errorCode"]) == (7, 4029)
    assert "tracingId" not in frame


def test_an_upload_refusal_says_200_outside_and_its_code_inside() -> None:
    frame = UploadRefused(4001, "a", "now").frame("t")
    assert (frame["class"], frame["code"], frame["body"]["errorCode"]) == ("GenerateUrlError", 200, 4001)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
MEMBERS = st.sampled_from(["action", "token", "message", "channel", "data", "deploymentId", "attachmentId", "startNew"])


@given(st.dictionaries(MEMBERS, st.sampled_from([*guest_frames.ACTIONS, TOKEN]) | JSON))
def test_no_frame_makes_the_check_stumble(frame: Json) -> None:
    with suppress(GuestError):
        check(frame)
        if isinstance(frame.get("message"), dict):
            custom_attributes(frame)
