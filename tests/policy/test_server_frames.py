"""Tests of Genesys' frames: passed as the same text, but for the credentials in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.policy import server_frames
from gateway.policy.frames import Phase, SocketGuest, SocketState
from gateway.policy.server_frames import ENDING_CLASSES, Drop, ServerVerdict, SwapJwt, with_handle

UPSTREAM = "8e1d0000-0000-8000-8000-000000000001"
CLIENT = "c1ae0000-0000-4000-8000-000000000001"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnZW5lc3lzIn0.c2lnbmF0dXJl"
STATE = SocketState(SocketGuest(UPSTREAM), Phase.CONFIGURED, CLIENT)


def server_frame(state: SocketState, text: str, secrets: Sequence[str] = ()) -> tuple[SocketState, ServerVerdict]:
    """The verdict, and the state after it; the state given stays as it is."""
    after = replace(state)
    return after, server_frames.server_frame(after, text, secrets)


def frame(kind: str, body: object = None, code: object = 200, **members: Any) -> str:
    return json.dumps({"type": "response", "class": kind, "code": code, "body": body, **members})


@pytest.mark.parametrize(
    "text",
    [
        frame("StructuredMessage", {"id": "1", "type": "Text", "text": "Hello", "direction": "Outbound"}),
        frame("StructuredMessage", {"text": "caf\u00e9"}),
        '{"class" : "Unknown",   "body":{"a":1,"a":2}}',
        frame("SessionResponse", {"connected": True, "newSession": False}),
        frame("GenerateUrlError", {"errorCode": 4001}),
        frame("StructuredMessage", {"text": "readOnly JwtResponse SessionResponse"}),
        "not JSON at all",
    ],
)
def test_a_frame_without_credentials_passes_as_the_same_text(text: str) -> None:
    assert server_frame(STATE, text) == (STATE, text)


@pytest.mark.parametrize(
    "body",
    [
        {"token": UPSTREAM},
        {"metadata": {"x": f"session {UPSTREAM} ok"}},
        {"list": [[UPSTREAM], {"a": UPSTREAM}]},
        {UPSTREAM: "key"},
    ],
)
def test_the_upstream_token_becomes_the_clients(body: object) -> None:
    _, verdict = server_frame(STATE, frame("Unknown", body, tracingId="t"))
    assert isinstance(verdict, str)
    assert UPSTREAM not in verdict
    assert json.loads(verdict) == json.loads(frame("Unknown", body, tracingId="t").replace(UPSTREAM, CLIENT))


def test_a_token_spelled_with_escapes_is_found() -> None:
    escaped = UPSTREAM.replace("-", "\\u002d")
    _, verdict = server_frame(STATE, '{"class":"Unknown","body":"' + escaped + '"}')
    assert verdict == json.dumps({"class": "Unknown", "body": CLIENT}, separators=(",", ":"))


def test_a_harmless_escape_passes_as_the_same_text() -> None:
    text = '{"class":"Unknown","body":"a\\u002db"}'
    assert server_frame(STATE, text) == (STATE, text)
    beyond = '{"class":"Unknown","body":"caf\\u00e9"}'
    assert server_frame(STATE, beyond) == (STATE, beyond)


def test_without_a_client_token_the_upstream_one_is_removed() -> None:
    _, verdict = server_frame(replace(STATE, client_token=None), frame("Unknown", UPSTREAM))
    assert isinstance(verdict, str)
    assert json.loads(verdict)["body"] == "removed-by-gateway"


def test_a_jwt_that_the_socket_knows_is_removed_wherever_it_stands() -> None:
    _, verdict = server_frame(STATE, frame("Unknown", {"data": {"code": JWT}}), [JWT])
    assert isinstance(verdict, str)
    assert JWT not in verdict


def test_a_socket_without_guest_still_hides_known_jwts() -> None:
    _, verdict = server_frame(SocketState(), frame("Unknown", JWT), [JWT])
    assert isinstance(verdict, str)
    assert JWT not in verdict


def test_a_jwt_response_is_swapped_for_a_handle() -> None:
    state, verdict = server_frame(
        STATE, frame("JwtResponse", {"jwt": JWT, "exp": 1790000060, "x": UPSTREAM}, tracingId="t")
    )
    assert state == STATE
    assert isinstance(verdict, SwapJwt)
    assert (verdict.jwt, verdict.expires_at) == (JWT, 1790000060.0)
    assert JWT not in repr(verdict)
    rebuilt = with_handle(verdict, "gwh_handle")
    assert JWT not in rebuilt
    assert json.loads(rebuilt) == json.loads(
        frame("JwtResponse", {"exp": 1790000060, "x": CLIENT, "jwt": "gwh_handle"}, tracingId="t")
    )


def test_a_jwt_that_stands_twice_leaves_no_copy() -> None:
    _, verdict = server_frame(STATE, frame("JwtResponse", {"jwt": JWT, "exp": 1, "copy": f"bearer {JWT}"}))
    assert isinstance(verdict, SwapJwt)
    assert JWT not in with_handle(verdict, "gwh_handle")


def test_a_class_spelled_with_escapes_is_swapped_all_the_same() -> None:
    _, verdict = server_frame(STATE, frame("JwtResponse", {"jwt": JWT, "exp": 1}).replace("Jwt", "\\u004awt"))
    assert isinstance(verdict, SwapJwt)


@pytest.mark.parametrize(
    "text",
    [
        frame("JwtResponse", None),
        frame("JwtResponse", JWT),
        frame("JwtResponse", {"exp": 1}),
        frame("JwtResponse", {"jwt": "", "exp": 1}),
        frame("JwtResponse", {"jwt": 1, "exp": 1}),
        frame("JwtResponse", {"jwt": JWT}),
        frame("JwtResponse", {"jwt": JWT, "exp": "1"}),
        frame("JwtResponse", {"jwt": JWT, "exp": True}),
        frame("JwtResponse", {"jwt": JWT, "exp": 1, "big": 2**70}),
        frame("ResumeTokenResponse", {"resumeToken": "x", "exp": 1}),
        "JwtResponse but not JSON",
        f"{UPSTREAM} \\ but not JSON",
        '{"class":"JwtResponse","class":"Other","body":{}}',
        frame("Unknown", {"token": UPSTREAM + "\\", "big": 2**70}),
    ],
)
def test_a_frame_that_cannot_be_made_safe_is_dropped(text: str) -> None:
    state, verdict = server_frame(STATE, text)
    assert state == STATE
    assert isinstance(verdict, Drop)
    assert verdict.reason is errors.UPSTREAM_BAD_ANSWER
    assert JWT not in verdict.detail


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (Phase.CONFIGURING, frame("SessionResponse", {"connected": True}), Phase.CONFIGURED),
        (Phase.CONFIGURING, frame("SessionResponse", {"readOnly": True}), Phase.RENEWABLE),
        (Phase.CONFIGURING, frame("SessionResponse", None), Phase.CONFIGURED),
        (Phase.CONFIGURED, frame("SessionExpiredEvent", {}), Phase.ENDED),
        (Phase.CONFIGURED, frame("SessionClearedEvent", {}), Phase.ENDED),
        (Phase.CONFIGURED, frame("ConnectionClosedEvent", {"reason": "signedIn"}), Phase.ENDED),
        (Phase.CONFIGURED, frame("LogoutEvent", {}), Phase.ENDED),
        (Phase.CONFIGURING, frame("string", "Session not found", 4007), Phase.NEW),
        (Phase.CONFIGURING, frame("string", "ok", 200), Phase.CONFIGURING),
        (Phase.CONFIGURING, frame("string", "odd", "400"), Phase.CONFIGURING),
        (Phase.CONFIGURED, frame("string", "expired", 401), Phase.RENEWABLE),
        (Phase.CONFIGURED, frame("string", "session expired", 4006), Phase.RENEWABLE),
        (Phase.CONFIGURED, frame("string", "file type", 4001), Phase.CONFIGURED),
        (Phase.ENDED, frame("string", "not found", 4007), Phase.ENDED),
        (Phase.CONFIGURED, frame("StructuredMessage", {"metadata": {"readOnly": "true"}}), Phase.RENEWABLE),
        (Phase.CONFIGURED, frame("StructuredMessage", {"metadata": {"readOnly": True}}), Phase.RENEWABLE),
        (Phase.CONFIGURED, frame("StructuredMessage", {"metadata": {"readOnly": "false"}}), Phase.CONFIGURED),
        (Phase.CONFIGURED, frame("StructuredMessage", {"metadata": "readOnly"}), Phase.CONFIGURED),
        (Phase.CONFIGURED, frame("StructuredMessage", "readOnly"), Phase.CONFIGURED),
        (Phase.ENDED, frame("StructuredMessage", {"metadata": {"readOnly": "true"}}), Phase.ENDED),
    ],
)
def test_what_genesys_says_moves_the_phase(before: Phase, text: str, after: Phase) -> None:
    state, verdict = server_frame(replace(STATE, phase=before), text)
    assert state.phase is after
    assert verdict == text


JSON = st.recursive(
    st.sampled_from([None, True, 1, 2.5, "x", UPSTREAM, f"a{UPSTREAM}b", JWT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "jwt", "body", UPSTREAM]), inner),
    max_leaves=10,
)


@given(st.sampled_from(["SessionResponse", "StructuredMessage", "JwtResponse", "Other"]), JSON)
def test_no_frame_whatever_leaks_a_credential(kind: str, body: object) -> None:
    _, verdict = server_frame(STATE, frame(kind, body), [JWT])
    if isinstance(verdict, SwapJwt):
        verdict = with_handle(verdict, "gwh_handle")
    if isinstance(verdict, str):
        assert UPSTREAM not in verdict
        assert JWT not in verdict


def test_a_frame_without_escapes_keeps_its_spelling_but_for_the_hidden_words() -> None:
    text = frame("Unknown", {"token": UPSTREAM, "big": 2**70, UPSTREAM: 1.50})
    _, verdict = server_frame(STATE, text)
    assert isinstance(verdict, str)
    assert STATE.client_token is not None
    assert verdict == text.replace(UPSTREAM, STATE.client_token)


def test_a_text_that_is_no_json_loses_the_hidden_words_too() -> None:
    _, verdict = server_frame(STATE, f"{UPSTREAM} and {JWT} but not JSON", [JWT])
    assert verdict == f"{CLIENT} and removed-by-gateway but not JSON"


@pytest.mark.parametrize("kind", sorted({"JwtResponse", "SessionResponse", "ResumeTokenResponse"} | ENDING_CLASSES))
def test_each_class_that_matters_is_read_wherever_it_stands(kind: str) -> None:
    assert server_frames._may_tell_of_the_session('{"body":{},"class" : "' + kind + '"}')


def test_a_frame_with_escapes_is_searched_value_by_value_lists_included() -> None:
    _, verdict = server_frame(STATE, frame("Unknown", {"text": "a\nb", "list": [UPSTREAM, {"deep": [UPSTREAM]}, 7]}))
    assert isinstance(verdict, str)
    assert UPSTREAM not in verdict
    assert verdict.count(str(STATE.client_token)) == 2
