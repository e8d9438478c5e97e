"""What the mock received: every request and frame, with secrets shown as fingerprints and their owner named.

The raw headers stay reachable in-process for tests (`raw_headers`, `raw_body`); they are in no repr and no JSON view.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.mock.model import Json

SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "x-amz-tagging"})
SECRET_FIELDS = frozenset(
    (
        *("token", "code", "jwt", "refreshToken", "refresh_token", "access_token", "id_token", "idToken", "url"),
        *("client_secret", "codeVerifier", "code_verifier", "resumeToken", "password", "secret", "assertion"),
    )
)


def fingerprint(secret: str) -> str:
    """Return a short one-way mark of a secret, enough to see whether two are the same."""
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:12]


def masked(value: Any) -> Any:
    """Return a copy of parsed JSON in which every secret member is its fingerprint."""
    if isinstance(value, dict):
        return {
            key: fingerprint(item) if key in SECRET_FIELDS and isinstance(item, str) else masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


@dataclass(slots=True)
class Received:
    """One request (or one socket frame, method `FRAME`) as it arrived, and what became of it."""

    number: int
    at: float
    target: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    bearer_of: str | None
    body: Any
    raw_headers: Mapping[str, str] = field(repr=False)
    raw_body: bytes = field(repr=False)
    status: int | None = None
    fault: str | None = None
    correlation_id: str | None = None

    def view(self) -> Json:
        """Return the JSON form for the control port."""
        return {
            "number": self.number,
            "at": self.at,
            "target": self.target,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "bearer_of": self.bearer_of,
            "body": self.body,
            "status": self.status,
            "fault": self.fault,
            "correlation_id": self.correlation_id,
        }


class Recorder:
    """Keeps the last `capacity` received requests; `owner_of` says whose credential an Authorization value is."""

    def __init__(self, now: Callable[[], float], owner_of: Callable[[str], str | None], capacity: int = 2000) -> None:
        self._now = now
        self._owner_of = owner_of
        self._numbers = itertools.count(1)
        self.entries: deque[Received] = deque(maxlen=capacity)

    def request(
        self, target: str, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Received:
        """Record a request before it is answered."""
        authorization = next((value for name, value in headers.items() if name.lower() == "authorization"), None)
        entry = Received(
            number=next(self._numbers),
            at=self._now(),
            target=target,
            method=method,
            path=path,
            query={name: fingerprint(item) if name in _SECRET_QUERY else item for name, item in query.items()},
            headers={name: self._shown(name, value) for name, value in headers.items()},
            bearer_of=self._owner_of(authorization) if authorization else None,
            body=_readable(headers, body),
            raw_headers=headers,
            raw_body=body[:_KEPT_BODY_BYTES],
        )
        self.entries.append(entry)
        return entry

    def frame(self, connection_id: str, frame: Any, raw: str) -> Received:
        """Record one frame that a guest sent."""
        action = frame.get("action") if isinstance(frame, dict) else None
        entry = Received(
            number=next(self._numbers),
            at=self._now(),
            target="webmessaging",
            method="FRAME",
            path=str(action),
            query={"connection": connection_id},
            headers={},
            bearer_of=None,
            body=masked(frame),
            raw_headers={},
            raw_body=raw.encode(),
        )
        self.entries.append(entry)
        return entry

    def _shown(self, name: str, value: str) -> str:
        if name.lower() not in SECRET_HEADERS:
            return value
        scheme, separator, rest = value.partition(" ")
        if name.lower() == "authorization" and separator:
            return f"{scheme} {fingerprint(rest)} ({self._owner_of(value) or 'nobody known'})"
        return fingerprint(value)


_KEPT_BODY_BYTES = 65_536
_SECRET_QUERY = frozenset({"signature", "token", "code", "access_token"})


def _readable(headers: Mapping[str, str], body: bytes) -> Any:
    if not body:
        return None
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if "json" in kind:
        try:
            return masked(json.loads(body))
        except (ValueError, RecursionError):
            return {"unreadable_bytes": len(body)}
    if kind.startswith("application/x-www-form-urlencoded"):
        pairs = (pair.partition("=") for pair in body.decode("utf-8", "replace").split("&"))
        return {name: fingerprint(value) if name in SECRET_FIELDS else value for name, _, value in pairs}
    return {"bytes": len(body)}
