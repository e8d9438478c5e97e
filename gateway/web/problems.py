"""Refusals into HTTP answers: the one place where an error becomes bytes for a caller.

RFC 9457 problem details everywhere; the OAuth endpoints keep OAuth's own shape (RFC 6749 section 5.2) with our code
beside. Nothing of an exception's text leaves; only the reason's fixed words and the refusal's own detail.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from aiohttp import web

from gateway.errors import Refusal

SERVER = "gateway"
REFUSAL_PREFIX = "urn:gateway:refusal:"
"""Problem types are identifiers, not addresses (RFC 9457 section 3.1.1); docs/refusals.md explains each code."""


def problem_type(code: str) -> str:
    """The stable problem type URI of a code."""
    return REFUSAL_PREFIX + code


def problem_body(refusal: Refusal, request_id: str) -> dict[str, object]:
    """The members of the problem details object."""
    reason = refusal.reason
    body: dict[str, object] = {
        "type": problem_type(reason.code),
        "title": reason.title,
        "status": reason.status,
        "detail": f"{_sentence(refusal.detail) if refusal.detail else reason.cause} {reason.remedy}",
        "code": reason.code,
        "request_id": request_id,
    }
    if refusal.retry_after_s is not None:
        body["retry_after"] = refusal.retry_after_s
    return body


def _sentence(text: str) -> str:
    """The detail of a refusal, whose writers think in clauses, as a sentence."""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def problem_answer(refusal: Refusal, *, request_id: str, headers: Mapping[str, str]) -> web.Response:
    """The problem answer, with the headers (CORS, Vary) that this exchange owes on any answer."""
    return _answer(
        refusal, orjson.dumps(problem_body(refusal, request_id)), "application/problem+json", request_id, headers
    )


def oauth_error_answer(refusal: Refusal, *, request_id: str, headers: Mapping[str, str]) -> web.Response:
    """The refusal in OAuth's shape; 401 names the Basic scheme, as RFC 6749 section 5.2 demands."""
    reason = refusal.reason
    body = {
        "error": reason.oauth,
        "error_description": refusal.detail or f"{reason.cause} {reason.remedy}",
        "code": reason.code,
        "request_id": request_id,
    }
    # RFC 6749 section 5.2: every error is 400, but for a client that failed to authenticate.
    answer = _answer(refusal, orjson.dumps(body), "application/json", request_id, headers)
    if reason.oauth == "invalid_client":
        answer.headers["WWW-Authenticate"] = 'Basic realm="gateway", charset="UTF-8"'
    elif reason.status == web.HTTPUnauthorized.status_code:
        answer.set_status(web.HTTPBadRequest.status_code)
        del answer.headers["WWW-Authenticate"]
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _answer(
    refusal: Refusal, body: bytes, content_type: str, request_id: str, headers: Mapping[str, str]
) -> web.Response:
    answer = web.Response(status=refusal.status, body=body, headers=headers)
    answer.headers["Content-Type"] = content_type
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Server"] = SERVER
    if request_id:
        answer.headers["X-Request-Id"] = request_id
    if refusal.retry_after_s is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == web.HTTPUnauthorized.status_code:
        scheme = 'DPoP algs="ES256",' if refusal.code.startswith("dpop.") else 'Bearer realm="gateway",'
        answer.headers["WWW-Authenticate"] = f'{scheme} error="{refusal.reason.oauth}"'
    return answer
