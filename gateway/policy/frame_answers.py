"""Frames that the gateway itself sends to a client: refusals, in the shapes that Genesys' own errors have.

Leaves when to refuse to `frames`. The rule: the text starts with our stable code, so that a reader can look it up,
and the number is one that existing clients already understand.
"""

from __future__ import annotations

from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.strict_json import serialise

CODES: Final[dict[str, int]] = {
    errors.FRAME_MALFORMED.code: 400,
    errors.FRAME_ALREADY_CONFIGURED.code: 400,
    errors.FRAME_ACTION.code: 403,
    errors.FRAME_DEPLOYMENT.code: 403,
    errors.FRAME_TOKEN.code: 403,
    errors.FRAME_LOGIN.code: 403,
    errors.TICKET_MISSING.code: 403,
    errors.FRAME_NOT_CONFIGURED.code: 4007,
    errors.FRAME_TEXT.code: 4011,
    errors.FRAME_ATTRIBUTES.code: 4013,
    errors.FRAME_RATE.code: 429,
}
"""The frame's `code` by our reason. 401 is avoided: clients answer it by signing in again, for ever."""
RATE_ERROR_CODE: Final = 4029
UNKNOWN_CODE: Final = 5000


def refusal_frame(refusal: Refusal, tracing_id: str | None) -> str:
    """The frame that tells a client why its own was refused; `tracing_id` is that of the refused frame."""
    words = refusal.detail or refusal.reason.cause
    text = f"{refusal.code}: {words}"
    code = CODES.get(refusal.code, UNKNOWN_CODE)
    frame: dict[str, object] = {"type": "response", "class": "string", "code": code, "body": text}
    if refusal.reason is errors.FRAME_RATE:
        body = {"retryAfter": refusal.retry_after_s or 1, "errorCode": RATE_ERROR_CODE, "errorMessage": text}
        frame |= {"class": "TooManyRequestsErrorMessage", "body": body}
    if tracing_id is not None:
        frame["tracingId"] = tracing_id
    return serialise(frame)
