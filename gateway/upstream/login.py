"""Asks a region's login host for a token, and reads what comes back.

Leaves when to ask, and keeping the token, to tokens.py. The rule: an answer is a token only when every part of it is
right; all else is one named failure, and neither secret nor token gets into any message.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.framing import Header
from gateway.upstream.http import HttpLeg
from gateway.upstream.token_state import FetchFailure

MAX_ANSWER_BYTES: Final = 65_536
MAX_LIFE_S: Final = 38_880_000  # the longest that Genesys gives (SCIM clients, 450 days)
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/*]{8,4096}=*")  # RFC 6750 section 2.1, and `*`, which Genesys uses
_SECONDS: Final = re.compile(rb"[0-9]{1,6}")
_OAUTH_ERRORS: Final[dict[str, FetchFailure]] = {
    "invalid_client": FetchFailure.INVALID_CLIENT,
    "unauthorized_client": FetchFailure.UNAUTHORIZED_CLIENT,
    "temporarily_unavailable": FetchFailure.UNAVAILABLE,
    "server_error": FetchFailure.UNAVAILABLE,
}
_TIMEOUTS: Final = frozenset({FaultKind.READ_TIMEOUT, FaultKind.WRITE_TIMEOUT, FaultKind.TOTAL_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Granted:
    """A token and its life."""

    token: str = field(repr=False)
    life_s: int


@dataclass(frozen=True, slots=True)
class Denied:
    """No token, why, and the Retry-After that came with it."""

    failure: FetchFailure
    retry_after_s: float | None = None


def read_login_answer(status: int, headers: Sequence[Header], body: bytes) -> Granted | Denied:
    """Classify a login host's answer."""
    if status == 200:
        return _read_grant(body)
    retry_after_s = _retry_after_s(headers)
    if status == 429:
        return Denied(FetchFailure.THROTTLED, retry_after_s)
    if status >= 500:
        return Denied(FetchFailure.UNAVAILABLE, retry_after_s)
    if status not in {400, 401, 403}:
        return Denied(FetchFailure.GARBLED, retry_after_s)  # a redirect, a 404: something else stands in for the host
    document = _read_object(body)
    if document is None or not isinstance(document.get("error"), str):
        return Denied(FetchFailure.GARBLED, retry_after_s)
    return Denied(_OAUTH_ERRORS.get(str(document["error"]), FetchFailure.REFUSED), retry_after_s)


def _read_grant(body: bytes) -> Granted | Denied:
    """A 200 is a grant only with a token, its type and a sane life."""
    document = _read_object(body) or {}
    token, kind, life_s = (document.get(name) for name in ("access_token", "token_type", "expires_in"))
    well_formed = (
        isinstance(token, str)
        and _TOKEN.fullmatch(token) is not None
        and isinstance(kind, str)
        and kind.lower() == "bearer"
        and isinstance(life_s, int)
        and not isinstance(life_s, bool)
        and 0 < life_s <= MAX_LIFE_S
    )
    if not well_formed:
        return Denied(FetchFailure.GARBLED)
    return Granted(str(token), int(str(life_s)))


def _read_object(body: bytes) -> dict[str, object] | None:
    """The JSON object of a body, or None."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _retry_after_s(headers: Sequence[Header]) -> float | None:
    """The first Retry-After given in seconds; the date form is not used by Genesys and is left out."""
    for name, value in headers:
        if name.lower() == b"retry-after" and _SECONDS.fullmatch(value):
            return float(value)
    return None


class LoginDesk:
    """The token endpoint of one region. At most `concurrency` requests of this node are with it at once."""

    def __init__(self, leg: HttpLeg, *, timeout_s: float = 5.0, concurrency: int = 4) -> None:
        self._leg = leg
        self._timeout_s = timeout_s
        self._turnstile = asyncio.Semaphore(concurrency)

    async def ask(self, client_id: str, secret: str) -> Granted | Denied:
        """Ask once, within `timeout_s` of getting a turn. Never raises for what the upstream does."""
        pair = base64.b64encode(f"{client_id}:{secret}".encode())
        headers = [
            (b"authorization", b"Basic " + pair),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
        ]
        async with self._turnstile:
            deadline = asyncio.get_running_loop().time() + self._timeout_s
            try:
                answer = await self._leg.request(
                    "POST",
                    b"/oauth/token",
                    headers,
                    b"grant_type=client_credentials",
                    deadline=deadline,
                    idempotent=True,  # a second token does no harm; the first is never used
                )
                body = await answer.read(MAX_ANSWER_BYTES)
            except UpstreamFault as fault:
                if fault.kind is FaultKind.PROTOCOL:
                    return Denied(FetchFailure.GARBLED)
                late = fault.kind in _TIMEOUTS
                return Denied(FetchFailure.TIMEOUT if late else FetchFailure.UNREACHABLE, fault.retry_after_s)
        return read_login_answer(answer.status, answer.headers, body)
