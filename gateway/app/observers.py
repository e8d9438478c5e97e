"""Binds what the upstream rooms tell to metrics, audit log and application log; they themselves know none of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from gateway.errors import Refusal
from gateway.gate import Gate
from gateway.observe.audit import records
from gateway.observe.cells import CounterCell
from gateway.observe.log import CURRENT
from gateway.observe.metrics import Metrics
from gateway.upstream.bearer import Bearer, TokenKey
from gateway.upstream.faults import FaultKind
from gateway.upstream.self_check import CLIENT_CREDENTIALS, TokenOwner
from gateway.upstream.token_state import FetchFailure

log = structlog.get_logger(__name__)

METRIC_REASON: Final[dict[FaultKind, str]] = {
    FaultKind.WRITE_TIMEOUT: "read_timeout",
    FaultKind.TOTAL_TIMEOUT: "read_timeout",
}
"""Faults whose metric label is another word than their own."""
TOKEN_RESULT: Final[dict[FetchFailure, str]] = {
    FetchFailure.THROTTLED: "throttled",
    FetchFailure.UNREACHABLE: "unreachable",
    FetchFailure.TIMEOUT: "unreachable",
    FetchFailure.UNAVAILABLE: "unreachable",
    FetchFailure.GARBLED: "malformed",
}
"""How a failed fetch is counted; what is not named here was refused."""
AUTH_REASON: Final[dict[FetchFailure, str]] = {
    FetchFailure.INVALID_CLIENT: "invalid_client",
    FetchFailure.UNAUTHORIZED_CLIENT: "missing_permission",
    FetchFailure.WRONG_ORGANIZATION: "wrong_region",
    FetchFailure.REFUSED: "other",
}
"""Failed fetches that are failures of authentication, by the metric's word."""
OWN_ROUTE: Final = "(gateway)"
"""The route in records of calls that the gateway makes for itself."""
OWN_REQUEST: Final = "none"
"""Their request id, where no request made them needed."""


HINTS: Final[dict[FetchFailure, str]] = {
    FetchFailure.INVALID_CLIENT: "wrong id or secret, another region than this one, or a disabled client: Genesys "
    "answers all of them alike; try `gateway clients drift`",
    FetchFailure.UNAUTHORIZED_CLIENT: "id, secret and region are right; the grant type of the client is another one",
    FetchFailure.WRONG_ORGANIZATION: "the token is of another organisation or client than [orgs.X] says",
    FetchFailure.GARBLED: "something else than the login host answers at this address",
}
"""What an operator should look at; a wrong region looks like a wrong password."""


class LegMetrics:
    """Counts what one leg does. `upstream`: api, login, messaging_ws or jwks."""

    def __init__(self, metrics: Metrics, upstream: str, region: str) -> None:
        self._metrics = metrics
        self._upstream = upstream
        self._region = region
        self._duration = metrics.upstream_request_duration.child(upstream, region)
        self._answers: dict[int, CounterCell] = {}
        self._breaker = metrics.circuit_breaker_open.child(upstream, region)

    def answered(self, status: int, duration_s: float) -> None:
        """An answer's head came."""
        cell = self._answers.get(status)
        if cell is None:
            cell = self._answers[status] = self._metrics.upstream_requests.child(
                self._upstream, self._region, str(status)
            )
        cell.value += 1.0
        self._duration.observe(duration_s)

    def failed(self, kind: FaultKind, duration_s: float) -> None:
        """A request ended without a usable answer."""
        reason = METRIC_REASON.get(kind, str(kind))
        self._metrics.upstream_errors.child(self._upstream, self._region, reason).inc()
        log.warning("upstream.failed", upstream=self._upstream, region=self._region, kind=str(kind))

    def retried(self, kind: FaultKind) -> None:
        """A request is sent a second time."""
        self._metrics.upstream_retries.child(self._upstream, METRIC_REASON.get(kind, str(kind))).inc()

    def breaker_moved(self, state: str) -> None:
        """The circuit breaker moved."""
        self._breaker.set(0 if state == "closed" else 1)
        log.warning("upstream.breaker", upstream=self._upstream, region=self._region, state=state)


class TokenWatch:
    """Counts and records what the token broker does; alarms where an operator has to act."""

    def __init__(self, metrics: Metrics, gate: Gate, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._gate = gate
        self._clock = clock
        self._served = metrics.token_requests.child("cache", "ok")

    def served(self, key: TokenKey) -> None:
        """A held token was handed out."""
        self._served.value += 1.0

    def fetch_started(self, key: TokenKey) -> None:
        """The login host is being asked."""
        log.debug("token.fetch", org=key.org, client=key.client)

    def fetch_succeeded(
        self, key: TokenKey, duration_s: float, life_s: int, previous_secret: bool, reference: str
    ) -> None:
        """A token came, and is on record."""
        self._metrics.token_requests.child("upstream", "ok").inc()
        self._metrics.token_fetch_duration.child().observe(duration_s)
        expires_at = self._clock() + life_s
        self._metrics.token_expiry.child(key.name).set(expires_at)
        if previous_secret:
            log.warning("token.previous_secret", org=key.org, client=key.client, secret_version=key.secret_version)

    def fetch_failed(self, key: TokenKey, duration_s: float, failure: FetchFailure, alarm: bool) -> None:
        """No token came."""
        self._metrics.token_requests.child("upstream", TOKEN_RESULT.get(failure, "refused")).inc()
        if failure in AUTH_REASON:
            self._metrics.upstream_auth_failures.child("login", key.region, AUTH_REASON[failure]).inc()
        write = log.error if alarm else log.warning
        about = {"org": key.org, "region": key.region, "client": key.client, "endpoint": key.endpoint}
        write("token.fetch_failed", failure=str(failure), hint=HINTS.get(failure), **about)
        self._gate.note(
            records.token_refused(
                at=self._clock(), who=records.NOBODY, reason=str(failure), client=key.name, region=key.region
            )
        )

    def owner_told(self, key: TokenKey, owner: TokenOwner) -> None:
        """Genesys has said whose the token is: at start, and after each rotation."""
        about = {"org": key.org, "client": key.client, "grant_type": owner.grant_type, "state": owner.state}
        log.info("token.owner", organization=owner.organization_id, roles=len(owner.roles), **about)
        if owner.grant_type not in (None, CLIENT_CREDENTIALS):
            log.error("token.grant_type", **about)
        if not owner.roles:
            log.warning("token.no_roles", **about)

    def rejected(self, key: TokenKey, dropped: bool) -> None:
        """Genesys answered 401 to a token that should have been good."""
        self._metrics.upstream_auth_failures.child("api", key.region, "token_expired").inc()
        log.warning("token.rejected", org=key.org, client=key.client, dropped=dropped)

    def own_call(self, path: str, bearer: Bearer, status: int | None) -> None:
        """The gateway asked Genesys something for itself: on record like the calls that it carries for others."""
        told, key = CURRENT.get(), bearer.key
        request_id, trace_id = (told.request_id, told.trace_id) if told is not None else (OWN_REQUEST, None)
        if status is None:
            self._gate.note_use(
                records.proxy_upstream_error(
                    at=self._clock(), who=records.NOBODY, error="upstream.unreachable", route=OWN_ROUTE, method="GET",
                    path=path, region=key.region, token_ref=bearer.reference, request_id=request_id, trace_id=trace_id,
                )
            )  # fmt: skip
            return
        self._gate.note_use(
            records.proxy_allowed(
                at=self._clock(), who=records.NOBODY, request_id=request_id, route=OWN_ROUTE, method="GET", path=path,
                status=status, request_bytes=0, response_bytes=0, region=key.region, responder="upstream",
                duration_s=0.0, upstream_s=0.0, token_ref=bearer.reference, trace_id=trace_id,
            )
        )  # fmt: skip

    async def record(self, bearer: Bearer, life_s: int) -> bool:
        """Put a new token on record, durably, before it is used (class A). False: it could not be; it is not used."""
        minted = records.token_minted(
            at=self._clock(), who=records.NOBODY, token_ref=bearer.reference, client=bearer.key.name,
            expires_at=self._clock() + life_s, token_kind="genesys", region=bearer.key.region,
        )  # fmt: skip
        try:
            await self._gate.granted(minted)
        except Refusal as refusal:
            log.error("token.unrecorded", code=refusal.code, org=bearer.key.org, client=bearer.key.client)
            return False
        return True
