"""Carries one permitted REST call to Genesys and its answer back.

Leaves deciding to the gate, the wire to http.py, tokens to tokens.py, header lists to policy/injection.py. The rule:
only a Permit opens it, redirects are not followed, and nothing that Genesys holds against us becomes a caller's 401.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import TOKEN_UNAVAILABLE, Refusal
from gateway.policy.answer_head import answer_fields, answer_lines, has_field
from gateway.policy.decision import Guest, Permit
from gateway.policy.injection import PassedHeaders, request_lines
from gateway.policy.leaks import masked
from gateway.policy.routes import Route
from gateway.upstream.answer import Answer
from gateway.upstream.answer_cache import AnswerCache, CacheKey, KeptAnswer
from gateway.upstream.bearer import Bearer, Credential
from gateway.upstream.credential_guard import CredentialInBody, guarded, masked_stream
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.quota import QuotaGovernor
from gateway.upstream.rest_answer import (
    picked_body,
    read_refusal,
    refuse_body,
    refuse_unusable,
    tree_of,
)
from gateway.upstream.tokens import TokenBroker

SMALL_BYTES: Final = 65_536
"""Bodies up to this size are read at once; larger ones are streamed."""
AT_ONCE_BYTES: Final = 1_048_576
"""More than a body that arrived together with its head can have: the leg stops reading long before."""
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110 section 9.2.2, of those a route may have
FILTERED_BYTES: Final = 4_194_304
"""Largest answer of a route that lets only some members pass: it has to be read whole."""
JSON: Final = "application/json"
BEARER_AT_FAULT: Final = frozenset({"authentication.required", "bad.credentials", "credentials.expired"})
"""Codes of a 401 that another token may mend (reference: codes common to all operations)."""

Refuge = tuple[str, str]
"""Another organisation and its region."""


@dataclass(slots=True)
class RelayAnswer:
    """What goes back to the caller: lines of filtered headers, and a body that is whole or comes as a stream.

    `upstream_s`: seconds that were spent waiting for Genesys.
    """

    status: int
    lines: bytes
    """Header lines, names in lower case, each ended by CRLF."""
    has_cache_control: bool
    body: bytes | None = field(repr=False)
    upstream_s: float = 0.0
    from_cache: bool = False
    content_length: int | None = None
    moved_to: str | None = None
    """The region that answered in the place of the organisation's own."""
    _answer: Answer | None = field(default=None, repr=False)
    _secret: bytes = field(default=b"", repr=False)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header lines as names and values."""
        pairs = [line.split(": ", 1) for line in self.lines.decode("ascii").split("\r\n")[:-1]]
        return [(name, value) for name, value in pairs]

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises UpstreamFault when it breaks off: what was passed on is then to be cut, not ended."""
        if self._answer is None:
            if self.body:
                yield self.body
            return
        try:
            async for piece in masked_stream(guarded(self._answer.stream(), self._secret)):
                yield piece
        except CredentialInBody:
            raise UpstreamFault(FaultKind.PROTOCOL, "answer holds our credential", answer_seen=True) from None
        finally:
            self._answer.abort()

    def abort(self) -> None:
        """Give up what was not read. Twice does no harm."""
        if self._answer is not None:
            self._answer.abort()


@dataclass(slots=True, repr=False)  # it holds what the caller sent
class _Call:
    """One call on its way: what stays the same when it is sent a second time."""

    org: str
    permit: Permit
    leg: HttpLeg
    passed: PassedHeaders
    body: bytes
    request_id: str
    traceparent: str | None
    deadline: float
    injected: Callable[[str], None]
    slot: int = 0

    @property
    def route(self) -> Route:
        """The route of the permit."""
        return self.permit.route


class RestRelay:
    """Makes permitted calls. `leg_of` gives the API leg of an organisation's region by the organisation's name.

    Times are of `time.monotonic`, which is the loop's clock, only finer and cheaper: asking for the running loop is a
    system call in Python 3.11, and uvloop's own clock stands still within a turn.
    """

    def __init__(
        self,
        leg_of: Callable[[str], HttpLeg],
        tokens: TokenBroker,
        *,
        cache: AnswerCache | None = None,
        quota: QuotaGovernor | None = None,
        refuge_of: Callable[[str], Refuge | None] = lambda org: None,
    ) -> None:
        """`quota`: that of all tokens; absent: calls are not counted. `refuge_of`: where reads of an organisation go
        that cannot reach it, as declared.
        """
        self._refuge_of = refuge_of
        self._quota = quota
        self._leg_of = leg_of
        self._tokens = tokens
        self._cache = cache if cache is not None else AnswerCache()

    async def call(
        self,
        permit: Permit,
        *,
        passed: PassedHeaders,
        body: bytes,
        request_id: str,
        traceparent: str | None = None,
        guest_jwt: str | None = None,
        injected: Callable[[str], None] = lambda _reference: None,
    ) -> RelayAnswer:
        """Make the call and return its answer; a body above `SMALL_BYTES` is still to be streamed or aborted.

        `guest_jwt` is the guest's own Genesys JWT, for routes of auth `webmessaging-jwt`. `injected` hears the
        reference of each client's token before it is sent, so that each has its receipt. Raises Refusal:
        TOKEN_UNAVAILABLE, UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT, UPSTREAM_BAD_ANSWER, UPSTREAM_BUSY.
        """
        route = permit.route
        key = self._cache_key(permit, passed) if route.cache_s > 0 else None
        if key is not None and (kept := self._cache.get(key)) is not None:
            return RelayAnswer(kept.status, kept.lines, kept.has_cache_control, kept.body, from_cache=True)
        call = _Call(
            org=permit.org,
            permit=permit,
            leg=self._leg_of(permit.org),
            passed=passed,
            body=body if route.body_template is None else route.body_template,
            request_id=request_id,
            traceparent=traceparent,
            deadline=time.monotonic() + route.timeout_s,
            injected=injected,
        )
        try:
            if route.auth == "oauth":
                answer = await self._as_declared(call)
            else:
                answer = await self._as_guest(call, guest_jwt)
        except UpstreamFault as fault:
            raise fault.refusal() from fault
        if key is not None and answer.status == 200 and answer.body is not None and answer.moved_to is None:
            kept = KeptAnswer(answer.status, answer.lines, answer.has_cache_control, answer.body)
            self._cache.put(key, kept, route.cache_s)
        return answer

    def forget_answers(self) -> None:
        """Empty the cache; called when the configuration changes."""
        self._cache.clear()

    async def _as_guest(self, call: _Call, guest_jwt: str | None) -> RelayAnswer:
        """Call with the guest's own Genesys JWT, or with nothing where the operation asks for nothing."""
        if (call.route.auth == "webmessaging-jwt") != (guest_jwt is not None):
            raise ValueError(f"route {call.route.name}: a guest JWT is given exactly where the route asks for it")
        credential = None if guest_jwt is None else Credential(guest_jwt)
        answer, waited_s = await self._send(call, credential)
        return await self._finish(call, answer, waited_s, credential)

    async def _as_declared(self, call: _Call) -> RelayAnswer:
        """Call the organisation of the permit; a read that could not reach it goes where the configuration says."""
        try:
            return await self._as_oauth_client(call)
        except (UpstreamFault, Refusal) as fault:
            refuge = self._refuge_of(call.org) if _may_move(call.route, fault) else None
            if refuge is None:
                raise
        call.org, region = refuge
        call.leg = self._leg_of(call.org)
        answer = await self._as_oauth_client(call)
        answer.moved_to = region
        return answer

    async def _as_oauth_client(self, call: _Call) -> RelayAnswer:
        """Call with the bearer of the route's client; when Genesys does not take it, once more with a new one.

        A 401 was answered before anything was carried out, so that any method may be sent again.
        """
        if self._quota is not None and call.route.client is not None:
            permit = call.permit
            is_guest = isinstance(permit.caller, Guest)
            call.slot = self._quota.take(call.org, call.route.client, permit.site, is_guest=is_guest)
        bearer = await self._bearer(call)
        credential = bearer.credential()
        answer, waited_s = await self._send(call, credential)
        if answer.status != 401:
            return await self._finish(call, answer, waited_s, credential)
        code, context_id = await read_refusal(answer)
        if (code is None or code in BEARER_AT_FAULT) and self._tokens.reject(bearer) and call.route.retry != "never":
            bearer = await self._bearer(call)
            answer, again_s = await self._send(call, bearer.credential())
            waited_s += again_s
            if answer.status != 401:
                return await self._finish(call, answer, waited_s, bearer.credential())
            code, context_id = await read_refusal(answer)
        told = f"Genesys refused the credential of client {call.route.client}: {code or 'no code'}"
        raise Refusal(TOKEN_UNAVAILABLE, f"{told}, contextId {context_id or 'unknown'}", retry_after_s=5)

    async def _bearer(self, call: _Call) -> Bearer:
        """The bearer of the route's client, about to be injected."""
        if call.route.client is None:
            raise ValueError(f"route {call.route.name} has no client")
        bearer = await self._tokens.bearer(call.org, call.route.client, call.deadline, call.slot)
        call.injected(bearer.reference)
        return bearer

    async def _send(self, call: _Call, credential: Credential | None) -> tuple[Answer, float]:
        """Send the call (http.py repeats it where nothing can happen twice); returns its head, and seconds waited."""
        permit, route = call.permit, call.route
        lines = request_lines(
            call.passed,
            authorization=b"" if credential is None else credential.line,
            origin=None if route.auth == "oauth" else permit.upstream_origin,
            request_id=call.request_id,
            content_type=JSON if route.body_template is not None else None,
            traceparent=call.traceparent,
        )
        method = route.upstream.method
        started = time.monotonic()
        answer = await call.leg.send(
            method,
            permit.upstream_target.encode("ascii"),
            lines,
            call.body,
            deadline=call.deadline,
            idempotent=method in IDEMPOTENT,
            may_retry=route.retry != "never",
        )
        return answer, time.monotonic() - started

    async def _finish(self, call: _Call, answer: Answer, waited_s: float, credential: Credential | None) -> RelayAnswer:
        """Judge the head, take a small body at once, and filter what goes back."""
        fields, route = answer_fields(answer.headers), call.route
        if self._quota is not None and route.client is not None:
            self._quota.heard(call.org, route.client, call.slot, answer.status, fields)
        try:
            refuse_unusable(answer.status, fields)
            secret = b"" if credential is None else credential.secret
            length = answer.content_length
            body: bytes | None = None
            filtered = bool(route.answer) and 200 <= answer.status < 300
            if filtered or answer.complete or (length is not None and length <= SMALL_BYTES):
                most = FILTERED_BYTES if filtered else AT_ONCE_BYTES
                body = answer.whole(most)
                if body is None:
                    body = await answer.read(most)
                refuse_body(body, fields, secret)
                body = masked(picked_body(body, tree_of(route.answer)) if filtered and body else body)
        except BaseException:
            answer.abort()
            raise
        lines = answer_lines(fields, secret)
        return RelayAnswer(
            status=answer.status,
            lines=lines,
            has_cache_control=b"cache-control" in fields and has_field(lines, b"cache-control"),
            body=body,
            upstream_s=waited_s,
            content_length=length if body is None else len(body),
            _answer=answer if body is None else None,
            _secret=secret,
        )

    @staticmethod
    def _cache_key(permit: Permit, passed: PassedHeaders) -> CacheKey | None:
        """The key under which this call's answer may be kept, or None.

        What Genesys says in Cache-Control is not asked: it forbids keeping nearly everything, and `cache_s` is the
        operator's word against it. Answers made with a guest's own credential are never kept.
        """
        route = permit.route
        if route.cache_s <= 0 or route.upstream.method != "GET" or route.auth == "webmessaging-jwt":
            return None
        if passed.is_conditional:
            return None
        return (permit.site, permit.org, route.name, permit.upstream_target, *passed.varying)


def _may_move(route: Route, fault: UpstreamFault | Refusal) -> bool:
    """May the call be made elsewhere? Only a read of nobody's conversation, of which no byte has gone out."""
    if route.upstream.method != "GET" or route.owner is not None:
        return False
    if isinstance(fault, Refusal):
        return fault.reason is TOKEN_UNAVAILABLE
    return not fault.request_sent and fault.kind is not FaultKind.POOL_EXHAUSTED
