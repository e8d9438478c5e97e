"""The Guest API's frames: the envelope of every answer class, and the check of every request before it is obeyed.

Pure: a frame in, a checked frame or a GuestError out. What the frames do is said in guest_sessions, guest_messages and
guest_files. Classes and codes follow the official transport's test frames.
"""

from __future__ import annotations

import json
import re
from typing import Any

from gateway.mock.model import Json

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# action -> required members, beside `action` and `token`, with the JSON type each must have.
ACTIONS: dict[str, dict[str, type]] = {
    "configureSession": {"deploymentId": str},
    "configureAuthenticatedSession": {"deploymentId": str, "data": dict},
    "onMessage": {"message": dict},
    "echo": {"message": dict},
    "getJwt": {},
    "getConfiguration": {"deploymentId": str},
    "onAttachment": {"attachmentId": str, "fileName": str, "fileType": str},
    "getAttachment": {"attachmentId": str},
    "deleteAttachment": {"attachmentId": str},
    "closeSession": {"closeAllConnections": bool},
    "resumeToken": {},
    "disconnectCustomer": {},
}
# Members that may be absent or null.
OPTIONAL: dict[str, type] = {
    "startNew": bool,
    "journeyContext": dict,
    "channel": dict,
    "fileSize": int,
    "fileMd5": str,
    "errorsAsJson": bool,
}
CONFIGURE = frozenset({"configureSession", "configureAuthenticatedSession"})

TEXTS: dict[int, str] = {
    400: "Bad request",
    401: "Session authentication expired",
    403: "Forbidden",
    409: "Conversation is read only",
    4000: "Feature unavailable",
    4001: "File type is not allowed",
    4002: "File size is not allowed",
    4003: "File content is not allowed",
    4004: "File name is invalid",
    4005: "File name is too long",
    4006: "Session expired",
    4007: "Session not found",
    4008: "Attachment has expired",
    4009: "Attachment not found",
    4010: "Attachment was not uploaded",
    4011: "Message is too long",
    4013: "Custom attributes are too large",
    4017: "Cannot downgrade to an unauthenticated session",
    4020: "Missing parameter",
    4102: "File is empty",
    5000: "Unexpected error",
}


class GuestError(Exception):
    """A request that the socket refuses; answered as class `string` with the code in the envelope."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = code
        self.text = f"{TEXTS[code]}: {detail}" if detail else TEXTS[code]
        super().__init__(self.text)

    def frame(self, tracing_id: str | None) -> Json:
        """Return the refusal as a frame."""
        return answer("string", self.text, code=self.code, tracing_id=tracing_id)


class RateExceeded(GuestError):
    """A request over a limit; answered in the class that carries `retryAfter`."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(400)
        self.retry_after_s = retry_after_s

    def frame(self, tracing_id: str | None) -> Json:
        """Return the refusal as a TooManyRequestsErrorMessage with code 429 outside and 4029 inside."""
        body = {
            "retryAfter": self.retry_after_s,
            "errorCode": 4029,
            "errorMessage": "Message rate too high for this session",
        }
        return answer("TooManyRequestsErrorMessage", body, code=429, tracing_id=tracing_id)


class UploadRefused(GuestError):
    """A refusal to hand out an upload address; the envelope says 200 and the body holds the real code."""

    def __init__(self, code: int, attachment_id: str, timestamp: str) -> None:
        super().__init__(code)
        self.attachment_id, self.timestamp = attachment_id, timestamp

    def frame(self, tracing_id: str | None) -> Json:
        """Return the refusal as GenerateUrlError."""
        body = {
            "attachmentId": self.attachment_id,
            "errorCode": self.code,
            "errorMessage": self.text,
            "timestamp": self.timestamp,
        }
        return answer("GenerateUrlError", body, tracing_id=tracing_id)


def answer(kind: str, body: Any, *, code: int = 200, tracing_id: str | None = None, pushed: bool = False) -> Json:
    """Return an envelope of class `kind`; `pushed` makes it a `message` instead of a `response`."""
    frame: Json = {"type": "message" if pushed else "response", "class": kind, "code": code, "body": body}
    if tracing_id is not None:
        frame["tracingId"] = tracing_id
    return frame


def parse(text: str) -> Json:
    """Return the JSON object of a text frame; raises GuestError 400 when it is none."""
    try:
        frame = json.loads(text, parse_constant=_refuse_constant)
        # A lone surrogate is good JSON but no text; whoever measures its bytes would stumble.
        json.dumps(frame, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise GuestError(400, "the frame is not JSON") from exc
    if not isinstance(frame, dict):
        raise GuestError(400, "the frame is not an object")
    return frame


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def tracing_id_of(frame: Json) -> str | None:
    """Return the frame's tracingId when it is a string."""
    value = frame.get("tracingId")
    return value if isinstance(value, str) else None


def check(frame: Json) -> str:
    """Return the action of a well-formed frame; raises GuestError 400 or 4020 (missing or mistyped parameter)."""
    action = frame.get("action")
    if not isinstance(action, str) or action not in ACTIONS:
        raise GuestError(400, f"unknown action {str(action)[:40]!r}")
    if "tracingId" in frame and not isinstance(frame["tracingId"], str):
        raise GuestError(400, "tracingId must be a string")
    token = frame.get("token")
    if not isinstance(token, str):
        raise GuestError(4020, "token")
    if not _UUID.fullmatch(token):
        raise GuestError(400, "token must be a UUID")
    for name, kind in ACTIONS[action].items():
        if name not in frame:
            raise GuestError(4020, name)
        if not isinstance(frame[name], kind):
            raise GuestError(400, f"{name} has the wrong type")
    for name, kind in OPTIONAL.items():
        value = frame.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise GuestError(400, f"{name} has the wrong type")
    if "attachmentId" in frame and not _UUID.fullmatch(str(frame["attachmentId"])):
        raise GuestError(400, "attachmentId must be a UUID")
    if action == "configureAuthenticatedSession" and not isinstance(frame["data"].get("code"), str):
        raise GuestError(4020, "data.code")
    return action


def custom_attributes(frame: Json) -> tuple[dict[str, str], list[str]]:
    """Return the custom attributes of both slots merged, and the names on which the two slots disagree.

    The java client writes `channel` beside `message`, mobile and browser clients inside it; the inner one wins.
    """
    merged: dict[str, str] = {}
    conflicts: list[str] = []
    for holder in (frame, frame["message"]):
        slot = _attributes_of(holder)
        conflicts += [name for name, value in slot.items() if name in merged and merged[name] != value]
        merged.update(slot)
    return merged, conflicts


def _attributes_of(holder: Json) -> dict[str, str]:
    value: Any = holder
    for step in ("channel", "metadata", "customAttributes"):
        value = value.get(step)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise GuestError(400, f"{step} must be an object")
    if not all(isinstance(item, str) for item in value.values()):
        raise GuestError(400, "customAttributes must be strings")
    return dict(value)


def attributes_size_bytes(attributes: dict[str, str]) -> int:
    """Return what counts against the limit: keys and values in UTF-8."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())
