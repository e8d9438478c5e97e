"""Tests of message content: sizes, and whose attributes arrive."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.frame_content import MAX_TEXT_BYTES, OwnAttributes, rewrite_message, strip_attributes

OURS = {"gw.guest": "g-1"}
REFUSED = frozenset({"gw.guest", "vip"})


def message(**members: Any) -> dict[str, Any]:
    return {"action": "onMessage", "message": {"type": "Text", "text": "hi", **members}}


def slot(attributes: object) -> dict[str, Any]:
    return {"metadata": {"customAttributes": attributes}}


def rewritten(frame: dict[str, Any], ours: dict[str, str] | None = None) -> dict[str, Any]:
    rewrite_message(frame, OwnAttributes(OURS if ours is None else ours), REFUSED)
    return frame


def test_ours_are_set_in_the_slot_that_genesys_reads() -> None:
    assert rewritten(message()) == message(channel=slot(OURS))


def test_attributes_of_the_old_slot_move_to_the_present_one() -> None:
    frame = {**message(), "channel": slot({"order": "7"})}
    assert rewritten(frame) == message(channel=slot({"order": "7", **OURS}))


def test_the_present_slot_wins_over_the_old_one() -> None:
    frame = {**message(channel=slot({"a": "new", "b": "1"})), "channel": slot({"a": "old", "c": "2"})}
    assert rewritten(frame)["message"]["channel"] == slot({"a": "new", "b": "1", "c": "2", **OURS})


@pytest.mark.parametrize("key", ["gw.guest", "GW.GUEST", "Gw.Guest", "vip", "VIP"])
@pytest.mark.parametrize("place", ["old", "present"])
def test_a_page_cannot_set_what_is_ours(key: str, place: str) -> None:
    forged = slot({key: "forged", "order": "7"})
    frame = {**message(), "channel": forged} if place == "old" else message(channel=forged)
    assert rewritten(frame) == message(channel=slot({"order": "7", **OURS}))


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
        ("id=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0. and more", "id=[redacted] and more"),
        ("eyJ is how a token begins", "eyJ is how a token begins"),
        ("order 7", "order 7"),
    ],
)
def test_a_token_in_an_attribute_goes_nowhere(value: str, arrives: str) -> None:
    frame = {**message(channel=slot({"a": value})), "channel": slot({"b": value})}
    assert rewritten(frame)["message"]["channel"] == slot({"a": arrives, "b": arrives, **OURS})


def test_other_members_of_the_channels_stay() -> None:
    frame = {
        **message(channel={"type": "Private", "metadata": {"customAttributes": {"a": "1"}, "k": "v"}}),
        "channel": {"time": "now", "metadata": {"customAttributes": {"b": "2"}}},
    }
    assert rewritten(frame) == {
        **message(
            channel={"type": "Private", "metadata": {"customAttributes": {"b": "2", "a": "1", **OURS}, "k": "v"}}
        ),
        "channel": {"time": "now"},
    }


def test_without_any_attributes_nothing_is_added() -> None:
    assert rewritten(message(), {}) == message()
    assert rewritten(message(channel=slot(None)), {}) == message()
    assert rewritten(message(channel=slot({"vip": "1"})), {}) == message()


@pytest.mark.parametrize(
    "frame",
    [
        message(channel="x"),
        message(channel={"metadata": "x"}),
        message(channel={"metadata": None}),
    ],
)
def test_a_channel_that_is_no_object_is_refused_where_ours_must_go(frame: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        rewritten(frame)
    assert caught.value.reason is errors.FRAME_MALFORMED


def test_a_file_only_message_gets_its_attributes_too() -> None:
    frame: dict[str, Any] = {"message": {"content": [{"contentType": "Attachment", "attachment": {"id": "1"}}]}}
    assert rewritten(frame)["message"]["channel"] == slot(OURS)


TYPING = {"type": "Event", "events": [{"eventType": "Typing", "typing": {"type": "On"}}]}


def test_a_typing_indicator_passes_as_it_is() -> None:
    assert rewritten({"message": copy.deepcopy(TYPING)}) == {"message": TYPING}


def test_a_typing_indicator_cannot_smuggle_attributes() -> None:
    frame = {"message": {**copy.deepcopy(TYPING), "channel": slot({"gw.guest": "forged"})}}
    assert rewritten(frame) == {"message": TYPING}
    frame = {"message": {**copy.deepcopy(TYPING), "channel": slot({"order": "7"})}}
    assert rewritten(frame)["message"]["channel"] == slot({"order": "7", **OURS})


@pytest.mark.parametrize(
    "members",
    [
        {"type": "Event", "events": [{"eventType": "Presence", "presence": {"type": "Join"}}]},
        {"type": "Event", "events": [{"eventType": "Typing"}, {"eventType": "Presence"}]},
        {"type": "Event", "events": ["Typing"]},
        {"type": "Event", "events": "Typing"},
        {"type": "Event"},
    ],
)
def test_any_other_event_carries_ours(members: dict[str, Any]) -> None:
    assert rewritten({"message": members})["message"]["channel"] == slot(OURS)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({}, errors.FRAME_MALFORMED),
        ({"message": "hi"}, errors.FRAME_MALFORMED),
        ({"message": None}, errors.FRAME_MALFORMED),
        (message(text=7), errors.FRAME_MALFORMED),
        (message(text="x" * (MAX_TEXT_BYTES + 1)), errors.FRAME_TEXT),
        (message(text="é" * (MAX_TEXT_BYTES // 2 + 1)), errors.FRAME_TEXT),
        (message(channel=slot("x")), errors.FRAME_ATTRIBUTES),
        (message(channel=slot(["x"])), errors.FRAME_ATTRIBUTES),
        (message(channel=slot({"a": 1})), errors.FRAME_ATTRIBUTES),
        (message(channel=slot({"a": None})), errors.FRAME_ATTRIBUTES),
        (message(channel=slot({"a": {"b": "c"}})), errors.FRAME_ATTRIBUTES),
        ({**message(), "channel": slot({"a": True})}, errors.FRAME_ATTRIBUTES),
        (message(channel=slot({"a": "x" * 2048})), errors.FRAME_ATTRIBUTES),
        (message(channel=slot({"a": "é" * 1020})), errors.FRAME_ATTRIBUTES),
    ],
)
def test_what_genesys_would_not_take_is_refused(frame: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        rewritten(frame)
    assert caught.value.reason is reason


def test_the_limits_themselves_are_allowed() -> None:
    rewritten(message(text="x" * MAX_TEXT_BYTES))
    rewritten(message(text="é" * (MAX_TEXT_BYTES // 2)))
    rewritten(message(text=None))
    ours_bytes = sum(len(k) + len(v) for k, v in OURS.items())
    rewritten(message(channel=slot({"a": "x" * (2048 - 1 - ours_bytes)})))
    with pytest.raises(Refusal):
        rewritten(message(channel=slot({"a": "x" * (2048 - ours_bytes)})))


def test_frames_that_are_no_message_carry_no_attributes() -> None:
    frame = {"action": "echo", "channel": slot({"a": "1"}), **message(channel=slot({"gw.guest": "x"}))}
    strip_attributes(frame)
    assert "customAttributes" not in json.dumps(frame)
    bare: dict[str, object] = {"action": "getJwt", "message": "text"}
    strip_attributes(bare)
    assert bare == {"action": "getJwt", "message": "text"}


def test_attributes_of_ours_that_are_too_large_go_nowhere() -> None:
    with pytest.raises(Refusal) as caught:
        rewritten(message(), {"gw.guest": "x" * 2048})
    assert caught.value.reason is errors.FRAME_ATTRIBUTES


def test_attributes_are_not_shown() -> None:
    assert "g-1" not in repr(OwnAttributes(OURS))


ATTRIBUTES = st.dictionaries(st.sampled_from(["a", "gw.guest", "GW.guest", "vip", "b"]), st.text(max_size=5))


@given(ATTRIBUTES, ATTRIBUTES)
def test_whatever_a_page_sends_ours_arrive_unchanged(old: dict[str, str], present: dict[str, str]) -> None:
    frame = {**message(channel=slot(present)), "channel": slot(old)}
    arrived = rewritten(frame)["message"]["channel"]["metadata"]["customAttributes"]
    assert arrived["gw.guest"] == "g-1"
    assert {key for key in arrived if key.casefold() in REFUSED} == {"gw.guest"}
    assert "channel" not in frame
