"""What Genesys says on a Guest API socket: passed as it came, but for the credentials in it.

Leaves the client's frames to `frames`. The rule: the guest's upstream token and any Genesys JWT never reach the
client; a frame that needs neither removed passes as the same text, without being parsed and written again. Only words
that say something of the session make a frame worth parsing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway import errors
from gateway.errors import Reason
from gateway.policy.frames import Phase, SocketState
from gateway.policy.strict_json import parse_object, serialise

MAX_DEPTH: Final = 64
REMOVED: Final = "removed-by-gateway"
_ESCAPED_ASCII: Final = re.compile(r"\\u00[0-7]")
"""A word could also be spelled with escapes; such a frame is read, too."""
ENDING_CLASSES: Final = frozenset(
    {"SessionExpiredEvent", "SessionClearedEvent", "ConnectionClosedEvent", "LogoutEvent"}
)
RENEWING_CODES: Final = frozenset({401, 403, 4006, 4007})
"""Codes of `string` frames after which clients configure the session again. Genesys' list: 401 and 403 of a lapsed
sign-in, 4006 expired, 4007 not found."""


@dataclass(frozen=True, slots=True)
class SwapJwt:
    """A JwtResponse: the relay keeps `jwt` until `expires_at` and passes on `with_handle` of a handle for it."""

    jwt: str = field(repr=False)
    expires_at: float
    frame: dict[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drop:
    """A frame that must not reach the client."""

    reason: Reason
    detail: str


ServerVerdict = str | SwapJwt | Drop
"""A string: pass this text on to the client."""


def server_frame(state: SocketState, text: str, secrets: Sequence[str] = ()) -> ServerVerdict:
    """The verdict on one text frame of Genesys; the state's phase is changed in place by what it says.

    `secrets`: Genesys JWTs that this socket has used or been given.
    """
    if not _may_tell_of_the_session(text):
        if "\\" not in text:
            return _without_hidden(text, state, secrets)  # no escapes: each word stands as it is spelled
        if _ESCAPED_ASCII.search(text) is None and not _holds_hidden(text, state, secrets):
            return text
    try:
        return _judge(state, parse_object(text, max_depth=MAX_DEPTH), text, secrets)
    except ValueError as exc:
        return Drop(errors.UPSTREAM_BAD_ANSWER, f"the frame {exc}")


def with_handle(swap: SwapJwt, handle: str) -> str:
    """The JwtResponse as the client gets it: the handle stands where the JWT stood, the expiry stays."""
    body = swap.frame["body"]
    members = body if isinstance(body, dict) else {}
    return serialise({**swap.frame, "body": {**members, "jwt": handle}})


def _may_tell_of_the_session(text: str) -> bool:
    """Whether the frame's class may be one that matters.

    Endings of the class names are looked for, not the names: fewer searches, for every frame that Genesys sends. A
    word that stands in a visitor's text by chance costs a parse, no more.
    """
    return (
        "nResponse" in text  # SessionResponse, ResumeTokenResponse
        or "tResponse" in text  # JwtResponse
        or "dEvent" in text  # SessionExpiredEvent, SessionClearedEvent, ConnectionClosedEvent
        or "tEvent" in text  # LogoutEvent
        or '"string"' in text
        or "readOnly" in text
    )


def _without_hidden(text: str, state: SocketState, secrets: Sequence[str]) -> str:
    """The text with each hidden word replaced; the same object when it holds none."""
    if state.guest is not None:
        text = text.replace(state.guest.upstream_token, state.client_token or REMOVED)
    for secret in secrets:
        text = text.replace(secret, REMOVED)
    return text


def _holds_hidden(text: str, state: SocketState, secrets: Sequence[str]) -> bool:
    return (state.guest is not None and state.guest.upstream_token in text) or any(word in text for word in secrets)


def _judge(state: SocketState, frame: dict[str, object], text: str, secrets: Sequence[str]) -> ServerVerdict:
    """The verdict on a frame that was worth reading. Raises ValueError when it cannot be written again."""
    kind, body = frame.get("class"), frame.get("body")
    if kind == "ResumeTokenResponse":
        return Drop(errors.UPSTREAM_BAD_ANSWER, "a resume token was not asked for")
    if kind == "JwtResponse":
        return _swap(frame, body, state, secrets)
    if "\\" not in text:
        passed = _without_hidden(text, state, secrets)
    else:
        clean = _replaced(frame, state, secrets)
        passed = text if clean == frame else serialise(clean)
    state.phase = _phase_after(state.phase, kind, frame.get("code"), body)
    return passed


def _swap(frame: dict[str, object], body: object, state: SocketState, secrets: Sequence[str]) -> SwapJwt | Drop:
    """A JwtResponse with a JWT and its expiry; one without either is of no use to a client and is not understood."""
    jwt = body.get("jwt") if isinstance(body, dict) else None
    expires_at = body.get("exp") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(jwt, str) or not jwt:
        return Drop(errors.UPSTREAM_BAD_ANSWER, "a JwtResponse without a JWT")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return Drop(errors.UPSTREAM_BAD_ANSWER, "a JwtResponse without an expiry")
    rest = {**frame, "body": {name: value for name, value in body.items() if name != "jwt"}}
    clean = _replaced(rest, state, (*secrets, jwt))
    serialise(clean)  # what cannot be written again is found here, before a handle is made
    return SwapJwt(jwt, float(expires_at), clean)


def _phase_after(phase: Phase, kind: object, code: object, body: object) -> Phase:
    """The phase after a frame of Genesys: what it says of the session."""
    if kind == "SessionResponse":
        read_only = isinstance(body, dict) and body.get("readOnly") is True
        return Phase.RENEWABLE if read_only else Phase.CONFIGURED
    if kind in ENDING_CLASSES:
        return Phase.ENDED
    if kind == "string" and isinstance(code, int) and code >= 400:
        if phase is Phase.CONFIGURING:
            return Phase.NEW
        return Phase.RENEWABLE if phase is Phase.CONFIGURED and code in RENEWING_CODES else phase
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if phase is Phase.CONFIGURED and isinstance(metadata, dict) and metadata.get("readOnly") in {"true", True}:
        return Phase.RENEWABLE
    return phase


def _replaced(value: dict[str, object], state: SocketState, secrets: Sequence[str]) -> dict[str, object]:
    return {_without_hidden(key, state, secrets): _in_value(member, state, secrets) for key, member in value.items()}


def _in_value(value: object, state: SocketState, secrets: Sequence[str]) -> object:
    """The value with each hidden word replaced, wherever it stands; depth is bounded by the parser."""
    if isinstance(value, str):
        return _without_hidden(value, state, secrets)
    if isinstance(value, dict):
        return _replaced(value, state, secrets)
    if isinstance(value, list):
        return [_in_value(item, state, secrets) for item in value]
    return value
