"""The Platform API's error answers: code, status and text in one table, and the body in its real shape.

Source of the codes: the error list that the published definition gives for every operation.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

# code -> (status, text); {names} are filled from messageParams and stay visible in messageWithParams.
CODES: dict[str, tuple[int, str]] = {
    "bad.request": (400, "The request could not be understood by the server due to malformed syntax: {reason}"),
    "constraint.validation": (400, "{field}: {reason}"),
    "invalid.value": (400, "Value [{value}] is not valid for field type [{field}]. Allowable values are: {allowed}"),
    "invalid.user.context": (
        400,
        (
            "This request requires a user context. "
            "Client credentials cannot be used for requests that require a user context."
        ),
    ),
    "authentication.required": (401, "No authentication bearer token specified in authorization header."),
    "bad.credentials": (401, "Invalid login credentials."),
    "credentials.expired": (401, "The supplied credentials are expired and cannot be used."),
    "ip.not.authorized": (401, "IP address {ip} is not authorized for this organization."),
    "not.authorized": (403, "You are not authorized to perform the requested action."),
    "missing.permissions": (
        403,
        "Unable to perform the requested action. You are missing the following permission(s): {permissions}",
    ),
    "missing.any.permissions": (
        403,
        "Unable to perform the requested action. You must have at least one of these permissions: {permissions}",
    ),
    "missing.division.permission": (
        403,
        "Unable to perform the requested action. You are missing {permissions} in division(s): {divisions}",
    ),
    "app.not.authorized.for.scope": (403, "App is not authorized to use scope {scopes}"),
    "authz.policy.denied": (403, "The request was denied by the following policies: {policies}"),
    "origin.not.allowed": (403, "The request origin is not allowed by the deployment: {origin}"),
    "not.found": (404, "The requested resource was not found."),
    "client.timeout": (408, "The client took too long to send its request."),
    "request.conflict": (409, "The request conflicts with the present state of the resource: {reason}"),
    "request.entity.too.large": (413, "The request is over the size limit. Maximum bytes: {maxBytes}"),
    "unsupported.media.type": (415, "Unsupported Media Type: send application/json"),
    "too.many.requests": (
        429,
        "Rate limit exceeded the maximum [{maxRequests}] requests within [{seconds}] seconds",
    ),
    "internal.server.error": (500, "The server encountered an unexpected condition."),
    "service.unavailable": (503, "Service Unavailable - The server is currently unavailable."),
    "request.timeout": (504, "The request timed out."),
}
# The body says bad.request where our table needs a second text for the same code.
_PUBLIC_CODE = {"invalid.user.context": "bad.request"}


class PlatformError(Exception):
    """An answer that the Platform API gives instead of a result; `code` is a key of `CODES`."""

    def __init__(
        self,
        code: str,
        params: dict[str, str] | None = None,
        limit: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.code = code
        self.params = params or {}
        self.limit = limit
        self.headers = headers or {}
        super().__init__(code)

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return CODES[self.code][0]

    def body(self, correlation_id: str) -> dict[str, Any]:
        """Return the error object with every member that the definition's ErrorBody has."""
        template = CODES[self.code][1]
        body: dict[str, Any] = {
            "message": template.format(**self.params),
            "code": _PUBLIC_CODE.get(self.code, self.code),
            "status": self.status,
            "messageWithParams": template,
            "messageParams": dict(self.params),
            "contextId": correlation_id,
            "details": [],
            "errors": [],
        }
        if self.limit is not None:
            body["limit"] = self.limit
        return body

    def response(self, correlation_id: str) -> web.Response:
        """Return the answer; the same id stands in the body and in the header."""
        headers = {**self.headers, "ININ-Correlation-Id": correlation_id}
        return web.json_response(self.body(correlation_id), status=self.status, headers=headers)


def too_many_requests(name: str, namespace: str, allowed: int, window_s: float, reset_s: int) -> PlatformError:
    """Return the 429 that names the limit in its body and the wait in `Retry-After`."""
    return PlatformError(
        "too.many.requests",
        {"maxRequests": str(allowed), "seconds": str(int(window_s))},
        limit={"key": name, "namespace": namespace, "value": allowed},
        headers={"Retry-After": str(reset_s)},
    )
