"""What a client may say on a Guest API socket, and when: a table of phases, and a verdict on each frame.

Leaves the wire to the relay, the content of messages to `frame_content`, Genesys' frames to `server_frames`. The
rule: only listed actions, configured first, one guest token per socket, and never a credential from or to the client.
Every message of every guest comes by here: a frame is parsed once, judged by look-ups, and written once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.frame_answers import refusal_frame
from gateway.policy.frame_content import OwnAttributes, rewrite_message, strip_attributes
from gateway.policy.injection import ContextRules
from gateway.policy.limits import Limit, charge, retry_after
from gateway.policy.strict_json import parse_object_bytes, serialise_bytes

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


_CONFIGURE, _LOGIN, _MESSAGE, _ECHO, _REQUEST = Kind


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
_MOVES: Final = {phase: {kind: VERDICTS[phase, kind] for kind in Kind} for phase in Phase}

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
    own: OwnAttributes = field(init=False, repr=False, compare=False)
    """The attributes as they are put into messages."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", OwnAttributes(dict(self.attributes)))


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
    kinds: dict[str, Kind] = field(init=False, repr=False, compare=False)
    """The admitted actions, and what sort of frame each makes."""

    def __post_init__(self) -> None:
        for action in sorted(self.actions):
            if action not in ACTIONS:
                raise ValueError(f"{action} is not an action of the Guest API; known are {', '.join(sorted(ACTIONS))}")
            if ACTIONS[action][1] is Listing.NEVER:
                raise ValueError(f"{action} is never admitted: its answer would give a Genesys credential to the page")
        object.__setattr__(self, "kinds", {action: ACTIONS[action][0] for action in self.actions})


@dataclass(slots=True)
class SessionPace:
    """Counts that Genesys keeps per session: all sockets of one session share one, and it goes on to the next."""

    messages: float = 0.0
    configures: float = 0.0


@dataclass(slots=True)
class SocketState:
    """What is remembered of a socket between frames. `guest` is None until the client's token has told it.

    It belongs to one socket and is changed in place by the verdicts: by a frame that passes, and by nothing else but
    the count of refusals.
    """

    guest: SocketGuest | None = None
    phase: Phase = Phase.NEW
    client_token: str | None = field(default=None, repr=False)
    requests: float = 0.0
    echoes: float = 0.0
    refusals: float = 0.0
    session: SessionPace = field(default_factory=SessionPace)


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


ClientVerdict = bytes | Answer | Close | NeedsJwt
"""Bytes: pass these on to Genesys."""


def client_frame(state: SocketState, payload: bytes, rules: SocketRules, now: float) -> ClientVerdict:
    """The verdict on one text frame of the client. Never raises a Refusal: it is the answer."""
    if len(payload) > rules.max_frame_bytes:
        return Close(CLOSE_TOO_LARGE, errors.FRAME_TOO_LARGE.code, errors.FRAME_TOO_LARGE)
    frame: dict[str, object] = {}
    try:
        frame = parse_object_bytes(payload)
        return _judge(state, frame, rules, now)
    except ValueError as exc:  # of the parser, or of the writer behind all rules
        return _refuse(state, Refusal(errors.FRAME_MALFORMED, f"the frame {exc}"), _tracing_id(frame), now)
    except Refusal as refusal:
        return _refuse(state, refusal, _tracing_id(frame), now)


def binary_frame() -> Close:
    """The verdict on a binary frame of the client."""
    return Close(CLOSE_BINARY, errors.FRAME_BINARY.code, errors.FRAME_BINARY)


def with_jwt(needs: NeedsJwt, jwt: str) -> bytes:
    """The sign-in as Genesys takes it: `data.code` is the Genesys JWT, despite its name."""
    data = needs.frame.get("data")
    members = data if isinstance(data, dict) else {}
    return serialise_bytes({**needs.frame, "data": {**members, "code": jwt}})


def refuse_login(state: SocketState, needs: NeedsJwt, now: float) -> Answer | Close:
    """The answer when no Genesys JWT is to be had for the guest; the client may configure in another way."""
    state.phase = Phase.NEW
    refusal = Refusal(errors.FRAME_LOGIN, "no Genesys sign-in is to be had for this visitor")
    return _refuse(state, refusal, needs.tracing_id, now)


def _judge(state: SocketState, frame: dict[str, object], rules: SocketRules, now: float) -> bytes | NeedsJwt:
    """Pass a parsed frame, or raise the Refusal of the first rule that it breaks; the state changes last.

    Raises ValueError for what parses and cannot be written again.
    """
    action = frame.get("action")
    if type(action) is not str:
        raise Refusal(errors.FRAME_MALFORMED, "the frame has no action")
    kind = rules.kinds.get(action)
    if kind is None:
        raise Refusal(errors.FRAME_ACTION)
    move = _MOVES[state.phase][kind]
    if isinstance(move, Reason):
        raise Refusal(move)
    token = state.client_token
    if token is None or frame.get("token") != token:
        token = _new_token(state, frame.get("token"))
    configures = kind is _CONFIGURE or kind is _LOGIN
    if configures or "deploymentId" in frame:
        _check_deployment(frame, rules)
    guest = state.guest or _derived(rules, token)
    if configures:
        kind = _signing_in(kind, guest, frame, rules)
    if kind is _MESSAGE:
        rewrite_message(frame, guest.own, rules.context.refused_keys)
    else:
        strip_attributes(frame)
    frame["token"] = guest.upstream_token
    payload = serialise_bytes(frame)  # before a JWT is fetched for it
    _pace(state, kind, now)
    state.guest, state.phase, state.client_token = guest, move, token
    return NeedsJwt(frame, _tracing_id(frame)) if kind is _LOGIN else payload


def _signing_in(kind: Kind, guest: SocketGuest, frame: dict[str, object], rules: SocketRules) -> Kind:
    """What sort of configure this is: where the site signs in at Genesys, a verified guest's becomes a sign-in.

    The client's own `data.code` is dropped: the relay sets it.
    """
    if kind is _CONFIGURE and rules.genesys_login and guest.verified:
        kind = _LOGIN
        frame["action"] = LOGIN_ACTION
    if kind is _LOGIN and not guest.verified:
        raise Refusal(errors.FRAME_LOGIN)
    if "resumeToken" in frame:
        raise Refusal(errors.FRAME_ACTION, "resumeToken is never admitted")
    data = frame.get("data")
    if kind is _LOGIN and isinstance(data, dict):
        data.pop("code", None)
    return kind


def _new_token(state: SocketState, token: object) -> str:
    """The token of a socket that had none. Raises Refusal(FRAME_TOKEN): one socket has one token, a UUID."""
    if not isinstance(token, str) or _UUID.fullmatch(token) is None:
        raise Refusal(errors.FRAME_TOKEN, "token is missing or not a UUID")
    if state.client_token is not None:
        raise Refusal(errors.FRAME_TOKEN)
    return token


def _check_deployment(frame: dict[str, object], rules: SocketRules) -> None:
    """`configure*` must name the site's deployment; any other frame that names one must name the same."""
    named = frame.get("deploymentId")
    if named == rules.deployment_id:
        return
    if not isinstance(named, str) or named.lower() != rules.deployment_id.lower():
        raise Refusal(errors.FRAME_DEPLOYMENT)


def _derived(rules: SocketRules, token: str) -> SocketGuest:
    if rules.derive_guest is None:
        raise Refusal(errors.TICKET_MISSING)
    return rules.derive_guest(token)


def _pace(state: SocketState, kind: Kind, now: float) -> None:
    """Count a frame that passes. Raises Refusal(FRAME_RATE); nothing is charged then."""
    session = state.session
    requests = _charge(state.requests, REQUESTS, now)
    if kind is _MESSAGE:
        session.messages = _charge(session.messages, MESSAGES, now)
    elif kind is _ECHO:
        state.echoes = _charge(state.echoes, ECHOES, now)
    elif kind is not _REQUEST:
        session.configures = _charge(session.configures, CONFIGURES, now)
    state.requests = requests


def _charge(rest_at: float, limit: Limit, now: float) -> float:
    """When the count will be at rest again. Raises Refusal(FRAME_RATE)."""
    if rest_at <= now:  # at rest already: a limit admits one at least
        return now + limit.interval_s
    after, wait_s = charge(rest_at, now, limit.rate_per_s, limit.burst)
    if wait_s:
        raise Refusal(errors.FRAME_RATE, retry_after_s=retry_after(wait_s))
    return after


def _refuse(state: SocketState, refusal: Refusal, tracing_id: str | None, now: float) -> Answer | Close:
    """Answer a refused frame; close a socket that goes on and on."""
    after, wait_s = charge(state.refusals, now, REFUSALS.rate_per_s, REFUSALS.burst)
    if wait_s:
        return Close(CLOSE_ABUSE, refusal.code, refusal.reason)
    state.refusals = after
    return Answer(refusal_frame(refusal, tracing_id), refusal.reason)


def _tracing_id(frame: dict[str, object]) -> str | None:
    value = frame.get("tracingId")
    return value if isinstance(value, str) and len(value) <= MAX_TRACING_ID_CHARS else None
