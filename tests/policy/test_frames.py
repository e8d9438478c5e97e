"""Tests of the client's frames: the table of phases, and what each frame becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason
from gateway.policy.frames import (
    ACTIONS,
    DEFAULT_ACTIONS,
    VERDICTS,
    Answer,
    ClientVerdict,
    Close,
    Kind,
    Listing,
    NeedsJwt,
    Phase,
    SocketGuest,
    SocketRules,
    SocketState,
    binary_frame,
    refuse_login,
    with_jwt,
)
from gateway.policy.frames import client_frame as judge
from gateway.policy.injection import ContextRules

NOW = 1_790_000_000.0
DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
CLIENT = "c1ae0000-0000-4000-8000-000000000001"
OTHER = "c1ae0000-0000-4000-8000-000000000002"
UPSTREAM = "8e1d0000-0000-8000-8000-000000000001"
GUEST = SocketGuest(UPSTREAM, (("gw.guest", "g-1"),))
RULES = SocketRules(DEPLOYMENT, context=ContextRules((("gw.guest", "{guest_id}"),)))
NEW = SocketState(GUEST)
READY = SocketState(GUEST, Phase.CONFIGURED, CLIENT)


def frame(action: str, token: str = CLIENT, **members: Any) -> str:
    return json.dumps({"action": action, "token": token, **members})


def configure(**members: Any) -> str:
    return frame("configureSession", deploymentId=DEPLOYMENT, **members)


def login(**members: Any) -> str:
    return frame("configureAuthenticatedSession", deploymentId=DEPLOYMENT, **members)


def message(text: str = "hi", **members: Any) -> str:
    return frame("onMessage", message={"type": "Text", "text": text}, **members)


def copied(state: SocketState) -> SocketState:
    """Another socket in the same state, of another session."""
    return replace(state, session=replace(state.session))


def client_frame(state: SocketState, text: str, rules: SocketRules, now: float) -> tuple[SocketState, ClientVerdict]:
    """The verdict, and the state after it; the state given stays as it is."""
    after = copied(state)
    return after, judge(after, text.encode(), rules, now)


def verdict_on(text: str, state: SocketState = READY, rules: SocketRules = RULES, now: float = NOW) -> ClientVerdict:
    return client_frame(state, text, rules, now)[1]


def forwarded(text: str, state: SocketState = READY, rules: SocketRules = RULES) -> dict[str, Any]:
    verdict = verdict_on(text, state, rules)
    assert isinstance(verdict, bytes), verdict
    parsed: dict[str, Any] = json.loads(verdict)
    return parsed


def reason_of(verdict: ClientVerdict) -> Reason:
    assert isinstance(verdict, Answer | Close), verdict
    return verdict.reason


def test_the_table_knows_every_phase_and_kind() -> None:
    assert set(VERDICTS) == {(phase, kind) for phase in Phase for kind in Kind}


def test_a_socket_starts_by_configuring_and_only_by_that() -> None:
    for kind in Kind:
        starts = kind in {Kind.CONFIGURE, Kind.LOGIN}
        assert (VERDICTS[Phase.NEW, kind] is Phase.CONFIGURING) is starts
        assert isinstance(VERDICTS[Phase.NEW, kind], Reason) is not starts


def test_the_documented_actions_are_admitted_and_no_others() -> None:
    assert set(ACTIONS) - DEFAULT_ACTIONS == {"resumeToken", "disconnectCustomer"}


DOCUMENT = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text(encoding="utf-8")


def test_the_documentation_lists_every_action_as_it_is_admitted() -> None:
    words = {Listing.DEFAULT: "by default", Listing.WHEN_LISTED: "when listed", Listing.NEVER: "never"}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w ]+) \|$", DOCUMENT, re.MULTILINE)
    assert rows == [(name, kind.value, words[listing]) for name, (kind, listing) in ACTIONS.items()]


def test_the_documentation_has_the_table_of_phases() -> None:
    rows = {
        row[0]: row[1:]
        for row in re.findall(r"^\| (\w+) \| (pass|refused) \| (pass|refused) \|", DOCUMENT, re.MULTILINE)
    }
    said = {Phase: "pass", Reason: "refused"}
    assert rows == {
        phase.value: tuple(said[type(VERDICTS[phase, kind])] for kind in (Kind.CONFIGURE, Kind.MESSAGE))
        for phase in Phase
    }
    for phase in Phase:
        assert type(VERDICTS[phase, Kind.CONFIGURE]) is type(VERDICTS[phase, Kind.LOGIN])
        assert len({type(VERDICTS[phase, kind]) for kind in (Kind.MESSAGE, Kind.ECHO, Kind.REQUEST)}) == 1


@pytest.mark.parametrize(
    ("actions", "message_part"), [({"hack"}, "not an action"), ({"resumeToken"}, "never admitted")]
)
def test_a_site_cannot_list_what_is_not_there_or_not_safe(actions: set[str], message_part: str) -> None:
    with pytest.raises(ValueError, match=message_part):
        SocketRules(DEPLOYMENT, frozenset(actions))


def test_configuring_forwards_with_the_upstream_token() -> None:
    state, verdict = client_frame(NEW, configure(startNew=False, tracingId="t", journeyContext={"a": 1}), RULES, NOW)
    assert isinstance(verdict, bytes)
    assert json.loads(verdict) == {
        "action": "configureSession",
        "token": UPSTREAM,
        "deploymentId": DEPLOYMENT,
        "startNew": False,
        "tracingId": "t",
        "journeyContext": {"a": 1},
    }
    assert (state.phase, state.client_token, state.guest) == (Phase.CONFIGURING, CLIENT, GUEST)


def test_a_visit_reads_as_its_frames() -> None:
    state = NEW
    for text, phase in [
        (configure(), Phase.CONFIGURING),
        (message("early"), Phase.CONFIGURING),
    ]:
        state, verdict = client_frame(state, text, RULES, NOW)
        assert isinstance(verdict, bytes)
        assert state.phase is phase
    state = replace(state, phase=Phase.CONFIGURED)
    for text in (
        message("hello"),
        frame("getJwt"),
        frame("getConfiguration", deploymentId=DEPLOYMENT),
        frame("onAttachment", attachmentId="a", fileName="a.png", fileType="image/png", errorsAsJson=True),
        frame("getAttachment", attachmentId="a"),
        frame("deleteAttachment", attachmentId="a"),
        frame("echo", message={"type": "Text", "text": "ping"}),
        frame("closeSession", closeAllConnections=True),
    ):
        state, verdict = client_frame(state, text, RULES, NOW)
        assert isinstance(verdict, bytes)
        assert json.loads(verdict)["token"] == UPSTREAM
        assert CLIENT.encode() not in verdict


def test_a_message_carries_our_attributes_and_not_the_pages_forgery() -> None:
    sent = forwarded(message(channel={"metadata": {"customAttributes": {"GW.guest": "forged", "order": "7"}}}))
    assert sent["message"] == {
        "type": "Text",
        "text": "hi",
        "channel": {"metadata": {"customAttributes": {"order": "7", "gw.guest": "g-1"}}},
    }
    assert "channel" not in sent


def test_attributes_in_other_frames_are_taken_out() -> None:
    sent = forwarded(frame("echo", message={"type": "Text", "channel": {"metadata": {"customAttributes": {"a": "1"}}}}))
    assert sent["message"] == {"type": "Text"}


def test_members_that_are_not_known_pass_unchanged() -> None:
    sent = forwarded(message(future={"a": [1, 2.5, None, "é"]}, time="2026-11-20T00:00:00Z"))
    assert sent["future"] == {"a": [1, 2.5, None, "é"]}
    assert sent["time"] == "2026-11-20T00:00:00Z"


@pytest.mark.parametrize(
    ("state", "text", "reason"),
    [
        (READY, "", errors.FRAME_MALFORMED),
        (READY, "hello", errors.FRAME_MALFORMED),
        (READY, "[]", errors.FRAME_MALFORMED),
        (READY, "{}", errors.FRAME_MALFORMED),
        (READY, '{"action":1}', errors.FRAME_MALFORMED),
        (READY, frame("echo")[:-1] + ',"action":"onMessage"}', errors.FRAME_MALFORMED),
        (READY, frame("echo", x=2**70), errors.FRAME_MALFORMED),
        (READY, frame("echo", x={"y": "\ud800"}), errors.FRAME_MALFORMED),
        (READY, frame("onMessage"), errors.FRAME_MALFORMED),
        (READY, frame("hack"), errors.FRAME_ACTION),
        (READY, frame("OnMessage"), errors.FRAME_ACTION),
        (READY, frame("resumeToken"), errors.FRAME_ACTION),
        (READY, frame("disconnectCustomer"), errors.FRAME_ACTION),
        (NEW, configure(resumeToken="x"), errors.FRAME_ACTION),
        (NEW, message(), errors.FRAME_NOT_CONFIGURED),
        (NEW, frame("echo"), errors.FRAME_NOT_CONFIGURED),
        (NEW, frame("getJwt"), errors.FRAME_NOT_CONFIGURED),
        (replace(READY, phase=Phase.ENDED), message(), errors.FRAME_NOT_CONFIGURED),
        (READY, configure(), errors.FRAME_ALREADY_CONFIGURED),
        (READY, login(), errors.FRAME_ALREADY_CONFIGURED),
        (replace(READY, phase=Phase.CONFIGURING), configure(), errors.FRAME_ALREADY_CONFIGURED),
        (NEW, frame("configureSession"), errors.FRAME_DEPLOYMENT),
        (NEW, frame("configureSession", deploymentId=7), errors.FRAME_DEPLOYMENT),
        (NEW, frame("configureSession", deploymentId=OTHER), errors.FRAME_DEPLOYMENT),
        (READY, frame("getConfiguration", deploymentId=OTHER), errors.FRAME_DEPLOYMENT),
        (NEW, configure(token="x"), errors.FRAME_TOKEN),
        (NEW, json.dumps({"action": "configureSession", "deploymentId": DEPLOYMENT}), errors.FRAME_TOKEN),
        (READY, frame("echo", OTHER), errors.FRAME_TOKEN),
        (READY, frame("echo", CLIENT.upper()), errors.FRAME_TOKEN),
        (READY, json.dumps({"action": "echo", "token": 1}), errors.FRAME_TOKEN),
        (NEW, login(), errors.FRAME_LOGIN),
        (READY, message("x" * 4097), errors.FRAME_TEXT),
        (
            READY,
            message(channel={"metadata": {"customAttributes": {"a": "x" * 2048}}}),
            errors.FRAME_ATTRIBUTES,
        ),
        (READY, frame("echo", channel={"metadata": {"customAttributes": 1}}), errors.FRAME_ATTRIBUTES),
    ],
)
def test_any_other_frame_is_answered_with_the_rule_it_breaks(state: SocketState, text: str, reason: Reason) -> None:
    after, verdict = client_frame(state, text, RULES, NOW)
    assert isinstance(verdict, Answer)
    assert verdict.reason is reason
    assert (after.phase, after.client_token, after.requests) == (state.phase, state.client_token, state.requests)
    assert f"{reason.code}: " in verdict.text


def test_the_answer_echoes_the_tracing_id_of_the_frame() -> None:
    verdict = verdict_on(frame("hack", tracingId="trace-1"))
    assert isinstance(verdict, Answer)
    assert json.loads(verdict.text)["tracingId"] == "trace-1"


@pytest.mark.parametrize("tracing_id", [7, None, "x" * 65])
def test_a_tracing_id_that_is_none_is_not_echoed(tracing_id: object) -> None:
    verdict = verdict_on(frame("hack", tracingId=tracing_id))
    assert isinstance(verdict, Answer)
    assert "tracingId" not in json.loads(verdict.text)


def test_a_listed_action_passes() -> None:
    rules = SocketRules(DEPLOYMENT, DEFAULT_ACTIONS | {"disconnectCustomer"})
    assert forwarded(frame("disconnectCustomer"), READY, rules)["token"] == UPSTREAM


def test_an_action_that_a_site_leaves_out_is_refused() -> None:
    rules = SocketRules(DEPLOYMENT, frozenset({"configureSession", "onMessage"}))
    assert reason_of(verdict_on(frame("onAttachment"), READY, rules)) is errors.FRAME_ACTION


@pytest.mark.parametrize("phase", [Phase.ENDED, Phase.RENEWABLE, Phase.NEW])
def test_a_session_that_ended_may_be_configured_again(phase: Phase) -> None:
    state, verdict = client_frame(replace(READY, phase=phase), configure(startNew=True), RULES, NOW)
    assert isinstance(verdict, bytes)
    assert state.phase is Phase.CONFIGURING


def test_a_deployment_id_is_compared_without_case() -> None:
    assert forwarded(frame("configureSession", deploymentId=DEPLOYMENT.upper()), NEW)["token"] == UPSTREAM


# --- sizes and kinds of frames


def test_a_binary_frame_closes_the_socket() -> None:
    assert binary_frame() == Close(1003, "frame.binary", errors.FRAME_BINARY)


@pytest.mark.parametrize("text", ["x" * 65_537, "é" * 32_769, "😀" * 16_385])
def test_a_frame_that_is_too_large_closes_the_socket(text: str) -> None:
    assert verdict_on(text) == Close(1009, "frame.too_large", errors.FRAME_TOO_LARGE)


@pytest.mark.parametrize("padding", ["x" * 65_000, "é" * 32_000, "é" * 10_000])
def test_a_frame_of_the_largest_size_passes(padding: str) -> None:
    text = '{"action":"echo","token":"' + CLIENT + '","padding":"' + padding + '"}'
    assert isinstance(verdict_on(text), bytes)


# --- anonymous sockets


def derive(token: str) -> SocketGuest:
    return SocketGuest(token[::-1], (("gw.guest", f"anon-{token[-1]}"),))


def test_a_socket_without_session_takes_its_guest_from_the_clients_token() -> None:
    rules = replace(RULES, derive_guest=derive)
    state, verdict = client_frame(SocketState(), configure(), rules, NOW)
    assert isinstance(verdict, bytes)
    assert json.loads(verdict)["token"] == CLIENT[::-1]
    assert state.guest == derive(CLIENT)
    sent = forwarded(message(), replace(state, phase=Phase.CONFIGURED), rules)
    assert sent["message"]["channel"]["metadata"]["customAttributes"] == {"gw.guest": "anon-1"}


def test_a_socket_without_session_and_without_leave_is_refused() -> None:
    assert reason_of(verdict_on(configure(), SocketState())) is errors.TICKET_MISSING


# --- signed-in guests

VERIFIED = replace(NEW, guest=replace(GUEST, verified=True))


@pytest.mark.parametrize(
    ("data", "expected"),
    [({"code": "mine"}, {"code": "JWT"}), ({"code": "mine", "x": 1}, {"x": 1, "code": "JWT"}), (None, {"code": "JWT"})],
)
def test_a_sign_in_needs_the_jwt_that_only_the_gateway_has(data: object, expected: object) -> None:
    state, verdict = client_frame(VERIFIED, login(data=data, tracingId="t"), RULES, NOW)
    assert isinstance(verdict, NeedsJwt)
    assert verdict.tracing_id == "t"
    assert "mine" not in str(verdict.frame)
    assert state.phase is Phase.CONFIGURING
    sent = json.loads(with_jwt(verdict, "JWT"))
    assert sent["data"] == expected
    assert sent["token"] == UPSTREAM


def test_a_sign_in_without_data_gets_it() -> None:
    verdict = verdict_on(login(), VERIFIED)
    assert isinstance(verdict, NeedsJwt)
    assert json.loads(with_jwt(verdict, "JWT"))["data"] == {"code": "JWT"}


def test_a_sign_in_that_cannot_be_done_is_answered_and_may_be_tried_again() -> None:
    state, verdict = client_frame(VERIFIED, login(tracingId="t"), RULES, NOW)
    assert isinstance(verdict, NeedsJwt)
    answer = refuse_login(state, verdict, NOW)
    assert isinstance(answer, Answer)
    assert answer.reason is errors.FRAME_LOGIN
    assert json.loads(answer.text)["tracingId"] == "t"
    assert isinstance(client_frame(state, configure(), RULES, NOW)[1], bytes)


# --- pace


def burst(make: Callable[[], str], count: int, state: SocketState) -> list[ClientVerdict]:
    verdicts = []
    for _ in range(count):
        state, verdict = client_frame(state, make(), RULES, NOW)
        verdicts.append(verdict)
    return verdicts


@pytest.mark.parametrize(
    ("make", "allowed"),
    [(message, 5), (lambda: frame("echo"), 2), (lambda: frame("getAttachment", attachmentId="a"), 60)],
)
def test_genesys_limits_hold_before_genesys(make: Callable[[], str], allowed: int) -> None:
    verdicts = burst(make, allowed + 2, READY)
    assert all(isinstance(verdict, bytes) for verdict in verdicts[:allowed])
    for verdict in verdicts[allowed:]:
        assert reason_of(verdict) is errors.FRAME_RATE
        assert isinstance(verdict, Answer)
        parsed = json.loads(verdict.text)
        assert parsed["class"] == "TooManyRequestsErrorMessage"
        assert parsed["body"]["retryAfter"] >= 1


def test_configuring_again_and_again_is_limited_per_session() -> None:
    state, passed = READY, 0
    for second in range(200):
        state = replace(state, phase=Phase.ENDED, requests=0.0)
        state, verdict = client_frame(state, configure(), RULES, NOW + second / 100)
        passed += isinstance(verdict, bytes)
    assert 60 <= passed <= 62


def test_after_the_wait_frames_pass_again() -> None:
    state = READY
    for _ in range(5):
        state, _ = client_frame(state, message(), RULES, NOW)
    refused, verdict = client_frame(state, message(), RULES, NOW)
    assert reason_of(verdict) is errors.FRAME_RATE
    assert isinstance(client_frame(refused, message(), RULES, NOW + 0.2)[1], bytes)


def test_a_refused_frame_uses_up_nothing_of_the_pace() -> None:
    state = READY
    for _ in range(20):
        state, _ = client_frame(state, message("x" * 4097), RULES, NOW)
    assert (state.requests, state.session) == (READY.requests, READY.session)


def test_all_sockets_of_a_session_have_one_pace() -> None:
    one_tab = copied(READY)
    other_tab = replace(READY, session=one_tab.session)
    for _ in range(5):
        assert isinstance(judge(one_tab, message().encode(), RULES, NOW), bytes)
    assert reason_of(judge(other_tab, message().encode(), RULES, NOW)) is errors.FRAME_RATE


def test_a_message_that_is_refused_leaves_the_socket_as_it_was_but_for_the_refusal() -> None:
    state, _ = client_frame(replace(READY, requests=NOW + 60.0), message(), RULES, NOW)
    assert state == replace(READY, requests=NOW + 60.0, refusals=state.refusals)
    assert state.refusals > 0


def test_a_socket_that_does_not_stop_is_closed() -> None:
    verdicts = burst(lambda: frame("hack"), 31, READY)
    assert all(isinstance(verdict, Answer) for verdict in verdicts[:30])
    assert verdicts[30] == Close(1008, "frame.action_not_allowed", errors.FRAME_ACTION)


def test_secrets_stay_out_of_reprs() -> None:
    state, verdict = client_frame(NEW, configure(), RULES, NOW)
    assert isinstance(verdict, bytes)
    shown = repr(state) + repr(verdict_on(login(), VERIFIED)) + repr(verdict_on(frame("hack")))
    assert UPSTREAM not in shown
    assert CLIENT not in shown


MEMBERS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["action", "token", "deploymentId", "message", "channel", "data", "tracingId", "resumeToken", "x"]),
    st.recursive(
        st.sampled_from([*ACTIONS, CLIENT, OTHER, DEPLOYMENT, "x", 1, None, True, {}, []]),
        lambda inner: st.dictionaries(
            st.sampled_from(["metadata", "customAttributes", "channel", "type", "text", "gw.guest", "code"]), inner
        ),
        max_leaves=6,
    ),
)


@given(st.sampled_from([NEW, READY, VERIFIED, SocketState()]), MEMBERS, st.booleans())
def test_no_frame_whatever_breaks_the_judge(state: SocketState, members: dict[str, Any], whole: bool) -> None:
    base = {"action": "onMessage", "token": CLIENT, "deploymentId": DEPLOYMENT, "message": {"text": "x"}}
    text = json.dumps({**base, **members} if whole else members)
    after, verdict = client_frame(state, text, RULES, NOW)
    if isinstance(verdict, bytes):
        sent = json.loads(verdict)
        assert sent["token"] == UPSTREAM
        assert sent["action"] in DEFAULT_ACTIONS
        assert after.client_token is not None
    if isinstance(verdict, Answer):
        assert UPSTREAM not in verdict.text


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_no_bytes_whatever_break_the_judge(payload: bytes) -> None:
    verdict = judge(copied(READY), payload, RULES, NOW)
    assert isinstance(verdict, Answer)


LOGIN_RULES = SocketRules(DEPLOYMENT, genesys_login=True)
VERIFIED = SocketState(SocketGuest(UPSTREAM, verified=True))


def test_where_the_site_signs_in_at_genesys_a_verified_guests_configure_becomes_a_sign_in() -> None:
    needs = verdict_on(configure(tracingId="t"), VERIFIED, LOGIN_RULES)
    assert isinstance(needs, NeedsJwt)
    assert (needs.frame["action"], needs.tracing_id) == ("configureAuthenticatedSession", "t")
    sent = json.loads(with_jwt(needs, "the-jwt"))
    assert (sent["data"], sent["token"]) == ({"code": "the-jwt"}, UPSTREAM)


def test_nobody_else_is_signed_in_unasked() -> None:
    assert forwarded(configure(), NEW, LOGIN_RULES)["action"] == "configureSession"
    assert forwarded(configure(), VERIFIED, RULES)["action"] == "configureSession"
