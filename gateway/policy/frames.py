"""What a client may say on a Guest API socket, and when: a table of phases, and a verdict on each frame.

Leaves the wire to the relay, the content of messages to `frame_content`, Genesys' frames to `server_frames`. The
rule: only listed actions, configured first, one guest token per socket, and never a credential from or to the client.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.frame_answers import refusal_frame
from gateway.policy.frame_content import rewrite_message, strip_attributes
from gateway.policy.injection import ContextRules
from gateway.policy.limits import Limit, charge, retry_after
from gateway.policy.strict_json import parse_object, serialise

CLOSE_BINARY: Final = 1003
CLOSE_ABUSE: Final = 1008
CLOSE_TOO_LARGE: Final = 1009
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAX_TRACING_ID_CHARS: Final = 64


class Phase(Enum):
    """Where the socket's session stands."""

    __hash__ = object.__hash__  # each member is one object; Enum's own hash is a call in Python, made for every frame

    NEW = "new"
    CONFIGURING = "configuring"
    CONFIGURED = "configured"
    RENEWABLE = "renewable"
    """Genesys called the session read-only, unknown or not signed in: frames pass, and it may be configured again."""
    ENDED = "ended"


class Kind(Enum):
    """What sort of frame an action makes."""

    __hash__ = object.__hash__

    CONFIGURE = "configure"
    LOGIN = "login"
    MESSAGE = "message"
    ECHO = "echo"
    REQUEST = "request"


class Listing(Enum):
    """Whether a site admits an action: by default, when listed, or never."""

    DEFAULT = "default"
    WHEN_LISTED = "when-listed"
    NEVER = "never"


ACTIONS: Final[dict[str, tuple[Kind, Listing]]] = {
    "configureSession": (Kind.CONFIGURE, Listing.DEFAULT),
    "configureAuthenticatedSession": (Kind.LOGIN, Listing.DEFAULT),
    "onMessage": (Kind.MESSAGE, Listing.DEFAULT),
    "echo": (Kind.ECHO, Listing.DEFAULT),
    "getJwt": (Kind.REQUEST, Listing.DEFAULT),
    "getConfiguration": (Kind.REQUEST, Listing.DEFAULT),
    "onAttachment": (Kind.REQUEST, Listing.DEFAULT),
    "getAttachment": (Kind.REQUEST, Listing.DEFAULT),
    "deleteAttachment": (Kind.REQUEST, Listing.DEFAULT),
    "closeSession": (Kind.REQUEST, Listing.DEFAULT),
    "disconnectCustomer": (Kind.REQUEST, Listing.WHEN_LISTED),
    "resumeToken": (Kind.REQUEST, Listing.NEVER),  # its answer is a credential of Genesys, meant for the page
}
"""Every action of the Guest API."""
LOGIN_ACTION: Final = "configureAuthenticatedSession"
DEFAULT_ACTIONS: Final = frozenset(name for name, (_, listing) in ACTIONS.items() if listing is Listing.DEFAULT)

Move = Phase | Reason
VERDICTS: Final[dict[tuple[Phase, Kind], Move]] = {
    (Phase.NEW, Kind.CONFIGURE): Phase.CONFIGURING,
    (Phase.NEW, Kind.LOGIN): Phase.CONFIGURING,
    (Phase.NEW, Kind.MESSAGE): errors.FRAME_NOT_CONFIGURED,
    (Phase.NEW, Kind.ECHO): errors.FRAME_NOT_CONFIGURED,
    (Phase.NEW, Kind.REQUEST): errors.FRAME_NOT_CONFIGURED,
    (Phase.CONFIGURING, Kind.CONFIGURE): errors.FRAME_ALREADY_CONFIGURED,
    (Phase.CONFIGURING, Kind.LOGIN): errors.FRAME_ALREADY_CONFIGURED,
    (Phase.CONFIGURING, Kind.MESSAGE): Phase.CONFIGURING,
    (Phase.CONFIGURING, Kind.ECHO): Phase.CONFIGURING,
    (Phase.CONFIGURING, Kind.REQUEST): Phase.CONFIGURING,
    (Phase.CONFIGURED, Kind.CONFIGURE): errors.FRAME_ALREADY_CONFIGURED,
    (Phase.CONFIGURED, Kind.LOGIN): errors.FRAME_ALREADY_CONFIGURED,
    (Phase.CONFIGURED, Kind.MESSAGE): Phase.CONFIGURED,
    (Phase.CONFIGURED, Kind.ECHO): Phase.CONFIGURED,
    (Phase.CONFIGURED, Kind.REQUEST): Phase.CONFIGURED,
    (Phase.RENEWABLE, Kind.CONFIGURE): Phase.CONFIGURING,
    (Phase.RENEWABLE, Kind.LOGIN): Phase.CONFIGURING,
    (Phase.RENEWABLE, Kind.MESSAGE): Phase.RENEWABLE,
    (Phase.RENEWABLE, Kind.ECHO): Phase.RENEWABLE,
    (Phase.RENEWABLE, Kind.REQUEST): Phase.RENEWABLE,
    (Phase.ENDED, Kind.CONFIGURE): Phase.CONFIGURING,
    (Phase.ENDED, Kind.LOGIN): Phase.CONFIGURING,
    (Phase.ENDED, Kind.MESSAGE): errors.FRAME_NOT_CONFIGURED,
    (Phase.ENDED, Kind.ECHO): errors.FRAME_NOT_CONFIGURED,
    (Phase.ENDED, Kind.REQUEST): errors.FRAME_NOT_CONFIGURED,
}
"""Every phase and kind of frame: the phase that follows when the frame passes, or the reason why it does not."""

# Genesys' own limits, https://developer.genesys.cloud/organization/organization/limits, read 2026-10
REQUESTS: Final = Limit.per_minute(60)
ECHOES: Final = Limit.per_minute(2)
MESSAGES: Final = Limit(5.0, 5)
CONFIGURES: Final = Limit.per_minute(60)
REFUSALS: Final = Limit.per_minute(30)
"""Refused frames that are answered; a socket that makes more is closed."""


@dataclass(frozen=True, slots=True)
class SocketGuest:
    """Who speaks on the socket: the token that Genesys knows, and the attributes that the gateway sets."""

    upstream_token: str = field(repr=False)
    attributes: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verified: bool = False


@dataclass(frozen=True, slots=True)
class SocketRules:
    """What a site admits on its sockets. Raises ValueError for an action that does not exist or is never admitted.

    `genesys_login`: verified visitors are signed in at Genesys too, whichever way the client configures.
    `derive_guest`: makes the guest from the client's own token where a socket has no session (anonymous_socket).
    """

    deployment_id: str
    actions: frozenset[str] = DEFAULT_ACTIONS
    context: ContextRules = field(default_factory=ContextRules)
    max_frame_bytes: int = 65_536
    genesys_login: bool = False
    derive_guest: Callable[[str], SocketGuest] | None = None

    def __post_init__(self) -> None:
        for action in sorted(self.actions):
            if action not in ACTIONS:
                raise ValueError(f"{action} is not an action of the Guest API; known are {', '.join(sorted(ACTIONS))}")
            if ACTIONS[action][1] is Listing.NEVER:
                raise ValueError(f"{action} is never admitted: its answer would give a Genesys credential to the page")


@dataclass(frozen=True, slots=True)
class SessionPace:
    """Counts that Genesys keeps per session; the relay carries them from socket to socket of one guest."""

    messages: float = 0.0
    configures: float = 0.0


@dataclass(frozen=True, slots=True)
class SocketState:
    """What is remembered of a socket between frames. `guest` is None until the client's token has told it."""

    guest: SocketGuest | None = None
    phase: Phase = Phase.NEW
    client_token: str | None = field(default=None, repr=False)
    requests: float = 0.0
    echoes: float = 0.0
    refusals: float = 0.0
    session: SessionPace = SessionPace()


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass this text on to the other side."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this text back to the client; nothing reaches Genesys."""

    text: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Close:
    """Close both sides with this code; `text` is the close reason: our stable code."""

    code: int
    text: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class NeedsJwt:
    """A sign-in that passes once the relay has the guest's Genesys JWT: `with_jwt`, or `refuse_login`."""

    frame: dict[str, object] = field(repr=False)
    tracing_id: str | None = None


ClientVerdict = Forward | Answer | Close | NeedsJwt


def client_frame(state: SocketState, text: str, rules: SocketRules, now: float) -> tuple[SocketState, ClientVerdict]:
    """The verdict on one text frame of the client, and the state after it. Never raises a Refusal: it is the answer."""
    if _is_longer(text, rules.max_frame_bytes):
        return state, Close(CLOSE_TOO_LARGE, errors.FRAME_TOO_LARGE.code, errors.FRAME_TOO_LARGE)
    try:
        frame = parse_object(text)
    except ValueError as exc:
        return _refuse(state, Refusal(errors.FRAME_MALFORMED, f"the frame {exc}"), None, now)
    try:
        return _judge(state, frame, rules, now)
    except Refusal as refusal:
        return _refuse(state, refusal, _tracing_id(frame), now)


def binary_frame() -> Close:
    """The verdict on a binary frame of the client."""
    return Close(CLOSE_BINARY, errors.FRAME_BINARY.code, errors.FRAME_BINARY)


def with_jwt(needs: NeedsJwt, jwt: str) -> Forward:
    """The sign-in as Genesys takes it: `data.code` is the Genesys JWT, despite its name."""
    data = needs.frame.get("data")
    members = data if isinstance(data, dict) else {}
    return Forward(serialise({**needs.frame, "data": {**members, "code": jwt}}))


def refuse_login(state: SocketState, needs: NeedsJwt, now: float) -> tuple[SocketState, ClientVerdict]:
    """The state and answer when no Genesys JWT is to be had for the guest; the client may configure in another way."""
    refusal = Refusal(errors.FRAME_LOGIN, "no Genesys sign-in is to be had for this visitor")
    return _refuse(replace(state, phase=Phase.NEW), refusal, needs.tracing_id, now)


def _judge(
    state: SocketState, frame: dict[str, object], rules: SocketRules, now: float
) -> tuple[SocketState, Forward | NeedsJwt]:
    """Pass a parsed frame, or raise the Refusal of the first rule that it breaks."""
    action = frame.get("action")
    if not isinstance(action, str):
        raise Refusal(errors.FRAME_MALFORMED, "the frame has no action")
    if action not in rules.actions:
        raise Refusal(errors.FRAME_ACTION)
    kind = ACTIONS[action][0]
    move = VERDICTS[state.phase, kind]
    if isinstance(move, Reason):
        raise Refusal(move)
    token = _checked_token(state, frame)
    configures = kind is Kind.CONFIGURE or kind is Kind.LOGIN
    _check_deployment(frame, rules, required=configures)
    guest = state.guest or _derived(rules, token)
    if kind is Kind.CONFIGURE and rules.genesys_login and guest.verified:
        kind = Kind.LOGIN
        frame["action"] = LOGIN_ACTION
    if kind is Kind.LOGIN and not guest.verified:
        raise Refusal(errors.FRAME_LOGIN)
    if configures and "resumeToken" in frame:
        raise Refusal(errors.FRAME_ACTION, "resumeToken is never admitted")
    if kind is Kind.MESSAGE:
        rewrite_message(frame, dict(guest.attributes), rules.context.refused_keys)
    else:
        strip_attributes(frame)
    frame["token"] = guest.upstream_token
    if kind is not Kind.LOGIN:
        forward = _forward(frame)
        return _paced(state, kind, guest, move, token, now), forward
    data = frame.get("data")
    if isinstance(data, dict):
        data.pop("code", None)
    _forward(frame)  # what cannot be written is refused here, before a JWT is fetched
    return _paced(state, kind, guest, move, token, now), NeedsJwt(frame, _tracing_id(frame))


def _forward(frame: dict[str, object]) -> Forward:
    try:
        return Forward(serialise(frame))
    except ValueError as exc:
        raise Refusal(errors.FRAME_MALFORMED, f"the frame {exc}") from exc


def _checked_token(state: SocketState, frame: dict[str, object]) -> str:
    token = frame.get("token")
    if not isinstance(token, str) or _UUID.fullmatch(token) is None:
        raise Refusal(errors.FRAME_TOKEN, "token is missing or not a UUID")
    if state.client_token is not None and token != state.client_token:
        raise Refusal(errors.FRAME_TOKEN)
    return token


def _check_deployment(frame: dict[str, object], rules: SocketRules, *, required: bool) -> None:
    """`configure*` must name the site's deployment; any other frame that names one must name the same."""
    named = frame.get("deploymentId")
    if named is None and not required and "deploymentId" not in frame:
        return
    if not isinstance(named, str) or named.lower() != rules.deployment_id.lower():
        raise Refusal(errors.FRAME_DEPLOYMENT)


def _derived(rules: SocketRules, token: str) -> SocketGuest:
    if rules.derive_guest is None:
        raise Refusal(errors.TICKET_MISSING)
    return rules.derive_guest(token)


def _paced(state: SocketState, kind: Kind, guest: SocketGuest, phase: Phase, token: str, now: float) -> SocketState:
    """The state after a frame that passes. Raises Refusal(FRAME_RATE); nothing is charged then."""
    session, echoes = state.session, state.echoes
    requests = _charge(state.requests, REQUESTS, now)
    if kind is Kind.MESSAGE:
        session = SessionPace(_charge(session.messages, MESSAGES, now), session.configures)
    elif kind is Kind.ECHO:
        echoes = _charge(echoes, ECHOES, now)
    elif kind is not Kind.REQUEST:
        session = SessionPace(session.messages, _charge(session.configures, CONFIGURES, now))
    return SocketState(guest, phase, token, requests, echoes, state.refusals, session)


def _charge(state: float, limit: Limit, now: float) -> float:
    after, wait_s = charge(state, now, limit.rate_per_s, limit.burst)
    if wait_s:
        raise Refusal(errors.FRAME_RATE, retry_after_s=retry_after(wait_s))
    return after


def _refuse(
    state: SocketState, refusal: Refusal, tracing_id: str | None, now: float
) -> tuple[SocketState, Answer | Close]:
    """Answer a refused frame; close a socket that goes on and on."""
    after, wait_s = charge(state.refusals, now, REFUSALS.rate_per_s, REFUSALS.burst)
    if wait_s:
        return state, Close(CLOSE_ABUSE, refusal.code, refusal.reason)
    return replace(state, refusals=after), Answer(refusal_frame(refusal, tracing_id), refusal.reason)


def _tracing_id(frame: dict[str, object]) -> str | None:
    value = frame.get("tracingId")
    return value if isinstance(value, str) and len(value) <= MAX_TRACING_ID_CHARS else None


def _is_longer(text: str, max_bytes: int) -> bool:
    """Whether the text takes more bytes; encoded only when that can matter."""
    if len(text) > max_bytes:
        return True
    return len(text) * 4 > max_bytes and len(text.encode("utf-8", "surrogatepass")) > max_bytes
