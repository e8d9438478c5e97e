"""Carries one permitted REST call to Genesys and its answer back.

Leaves deciding to the gate, the wire to http.py, tokens to tokens.py, header lists to policy/injection.py. The rule:
only a Permit opens it, redirects are not followed, and nothing that Genesys holds against us becomes a caller's 401.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.errors import TOKEN_UNAVAILABLE, UPSTREAM_BAD_ANSWER, Refusal
from gateway.policy.answer_head import answer_fields, answer_lines, has_field
from gateway.policy.decision import Guest, Permit
from gateway.policy.injection import PassedHeaders, request_lines
from gateway.policy.routes import Route
from gateway.upstream.answer import Answer
from gateway.upstream.answer_cache import AnswerCache, CacheKey, KeptAnswer
from gateway.upstream.bearer import Bearer, Credential
from gateway.upstream.credential_guard import CredentialInBody, guarded, masked_stream
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.quota import QuotaGovernor
from gateway.upstream.rest_answer import (
    passing_body,
    refusal_in,
    refuse_unusable,
    tree_for,
)
from gateway.upstream.tokens import TokenBroker

SMALL_BYTES: Final = 65_536
"""Bodies up to this size are read at once; larger ones are streamed."""
AT_ONCE_BYTES: Final = 1_048_576
"""More than a body that arrived together with its head can have: the leg stops reading long before."""
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110 section 9.2.2, of those a route may have
REFUSAL_BYTES: Final = 65_536
FILTERED_BYTES: Final = 4_194_304
"""Largest answer of a route that lets only some members pass: it has to be read whole."""
JSON: Final = "application/json"
BEARER_AT_FAULT: Final = frozenset({"authentication.required", "bad.credentials", "credentials.expired"})
"""Codes of a 401 that another token may mend (reference: codes common to all operations)."""

Refuge = tuple[str, str]
"""Another organisation and its region."""


@dataclass(slots=True)
class RelayAnswer:
    """What goes back to the caller: lines of filtered headers, and a body that is whole or comes as a stream."""

    status: int
    lines: bytes
    """Header lines, names in lower case, each ended by CRLF."""
    has_cache_control: bool
    body: bytes | None = field(repr=False)
    content_length: int | None = None
    upstream_s: float = 0.0
    """Seconds that were spent waiting for Genesys."""
    _answer: Answer | None = field(default=None, repr=False)
    _secret: bytes = field(default=b"", repr=False)
    from_cache: bool = False
    moved_to: str | None = None
    """The region that answered in the place of the organisation's own."""

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
    """One call on its way: what stays the same when it is sent a second time, and what was spent on it."""

    permit: Permit
    route: Route
    org: str
    leg: HttpLeg
    passed: PassedHeaders
    body: bytes
    request_id: str
    traceparent: str | None
    deadline: float
    injected: Callable[[str], None]
    slot: int = 0
    waited_s: float = 0.0
    has_moved: bool = False


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
        self._legs: dict[str, HttpLeg] = {}
        self._tokens = tokens
        self._cache = cache if cache is not None else AnswerCache()

    def call(
        self,
        permit: Permit,
        *,
        passed: PassedHeaders,
        body: bytes,
        request_id: str,
        traceparent: str | None = None,
        guest_jwt: str | None = None,
        injected: Callable[[str], None] = lambda _reference: None,
    ) -> Coroutine[Any, Any, RelayAnswer]:
        """Make the call and return its answer; a body above `SMALL_BYTES` is still to be streamed or aborted.

        `guest_jwt` is the guest's own Genesys JWT, for routes of auth `webmessaging-jwt`. `injected` hears the
        reference of each client's token before it is sent, so that each has its receipt. Raises, when awaited, Refusal:
        TOKEN_UNAVAILABLE, UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT, UPSTREAM_BAD_ANSWER, UPSTREAM_BUSY.
        """
        route, org = permit.route, permit.org
        call = _Call(
            permit, route, org, self._legs.get(org) or self._leg(org), passed,
            permit.upstream_body(body),
            request_id, traceparent, time.monotonic() + route.timeout_s, injected,
        )  # fmt: skip
        if route.cache_s > 0:
            return self._kept_or_made(call, guest_jwt)
        return self._as_client(call) if route.auth == "oauth" else self._as_guest(call, guest_jwt)

    def forget_answers(self) -> None:
        """Empty the cache, and forget which leg leads to whom; called when the configuration changes."""
        self._cache.clear()
        self._legs.clear()

    def _leg(self, org: str) -> HttpLeg:
        """The leg to an organisation; it is looked up once."""
        return self._legs.setdefault(org, self._leg_of(org))

    async def _as_client(self, call: _Call) -> RelayAnswer:
        """Call with the bearer of the route's client, mostly at hand, as are a connection and the whole answer."""
        client, permit, quota = call.route.client, call.permit, self._quota
        if client is None:
            raise ValueError(f"route {call.route.name} has no client")
        try:
            if quota is not None:
                call.slot = quota.take(call.org, client, permit.site, is_guest=isinstance(permit.caller, Guest))
            bearer = self._tokens.held(call.org, client, call.slot)
            if bearer is None:
                bearer = await self._tokens.bearer(call.org, client, call.deadline, call.slot)
            call.injected(bearer.reference)
            credential = bearer.credential()
            answer = await self._send(call, credential)
            if answer.status == 401:
                answer, credential = await self._after_401(call, client, bearer, answer)
            back = self._judged(call, answer, credential.secret)
            return back if back is not None else await self._read(call, answer, credential.secret)
        except (UpstreamFault, Refusal) as fault:
            return await self._elsewhere(call, fault)

    async def _as_guest(self, call: _Call, guest_jwt: str | None) -> RelayAnswer:
        """Call with the guest's own Genesys JWT, or with nothing where the operation asks for nothing."""
        if (call.route.auth == "webmessaging-jwt") != (guest_jwt is not None):
            raise ValueError(f"route {call.route.name}: a guest JWT is given exactly where the route asks for it")
        try:
            credential = None if guest_jwt is None else Credential(guest_jwt)
        except ValueError as exc:
            raise Refusal(UPSTREAM_BAD_ANSWER, "The JWT that Genesys gave this guest cannot be sent.") from exc
        secret = b"" if credential is None else credential.secret
        try:
            answer = await self._send(call, credential)
            back = self._judged(call, answer, secret)
            return back if back is not None else await self._read(call, answer, secret)
        except UpstreamFault as fault:
            raise fault.refusal() from fault

    def _send(self, call: _Call, credential: Credential | None) -> Coroutine[Any, Any, Answer]:
        """Send the call (http.py repeats it where nothing can happen twice); gives the head of its answer."""
        permit, route = call.permit, call.route
        method = route.upstream.method
        lines = request_lines(
            call.passed,
            authorization=b"" if credential is None else credential.line,
            origin=None if route.auth == "oauth" else permit.upstream_origin,
            request_id=call.request_id,
            content_type=JSON if route.body_template is not None else None,
            traceparent=call.traceparent,
        )
        return call.leg.send(
            method,
            permit.upstream_target.encode("ascii"),
            lines,
            call.body,
            deadline=call.deadline,
            idempotent=method in IDEMPOTENT,
            may_retry=route.retry != "never",
        )

    def _judged(self, call: _Call, answer: Answer, secret: bytes) -> RelayAnswer | None:
        """What goes back of an answer whose head is usable; None: its body is small, and has not come whole yet."""
        try:
            fields, route, status = answer_fields(answer.headers), call.route, answer.status
            call.waited_s += answer.waited_s
            if self._quota is not None and route.client is not None:
                self._quota.heard(call.org, route.client, call.slot, status, fields)
            refuse_unusable(status, fields)
            tree, length = tree_for(route.answer, status), answer.plan.length
            body = answer.whole(AT_ONCE_BYTES if tree is None else FILTERED_BYTES)
            if body is not None:
                return _back(call, answer, fields, passing_body(body, fields, secret, tree), secret)
            if tree is not None or answer.complete or (length is not None and length <= SMALL_BYTES):
                return None
            return _back(call, answer, fields, None, secret)
        except BaseException:
            answer.abort()
            raise

    @staticmethod
    async def _read(call: _Call, answer: Answer, secret: bytes) -> RelayAnswer:
        """The same once the body has been read."""
        try:
            fields, tree = answer_fields(answer.headers), tree_for(call.route.answer, answer.status)
            body = await answer.read(AT_ONCE_BYTES if tree is None else FILTERED_BYTES)
            return _back(call, answer, fields, passing_body(body, fields, secret, tree), secret)
        except BaseException:
            answer.abort()
            raise

    async def _after_401(self, call: _Call, client: str, bearer: Bearer, answer: Answer) -> tuple[Answer, Credential]:
        """Genesys does not take the bearer: once more with a new one, where that can help.

        A 401 was answered before anything was carried out, so that any method may be sent again. Raises
        Refusal(TOKEN_UNAVAILABLE).
        """
        call.waited_s += answer.waited_s
        code, context_id = refusal_in(await answer.read(REFUSAL_BYTES))
        if (code is None or code in BEARER_AT_FAULT) and self._tokens.reject(bearer) and call.route.retry != "never":
            bearer = await self._tokens.bearer(call.org, client, call.deadline, call.slot)
            call.injected(bearer.reference)
            answer = await self._send(call, bearer.credential())
            if answer.status != 401:
                return answer, bearer.credential()
            code, context_id = refusal_in(await answer.read(REFUSAL_BYTES))
        told = f"Genesys refused the credential of client {client}: {code or 'no code'}"
        raise Refusal(TOKEN_UNAVAILABLE, f"{told}, contextId {context_id or 'unknown'}", retry_after_s=5)

    async def _elsewhere(self, call: _Call, fault: UpstreamFault | Refusal) -> RelayAnswer:
        """A read that could not reach its organisation goes where the configuration says; else the fault is told."""
        refuge = None if call.has_moved or not _may_move(call.route, fault) else self._refuge_of(call.org)
        if refuge is None:
            if isinstance(fault, UpstreamFault):
                raise fault.refusal() from fault
            raise fault
        call.org, region = refuge
        call.leg, call.has_moved = self._leg(call.org), True
        answer = await self._as_client(call)
        answer.moved_to = region
        return answer

    async def _kept_or_made(self, call: _Call, guest_jwt: str | None) -> RelayAnswer:
        """The answer that is kept for such a call, or a new one, which is kept from now on where it may be."""
        key = self._cache_key(call.permit, call.passed)
        kept = None if key is None else self._cache.get(key)
        if kept is not None:
            return RelayAnswer(kept.status, kept.lines, kept.has_cache_control, kept.body, from_cache=True)
        answer = await (self._as_client(call) if call.route.auth == "oauth" else self._as_guest(call, guest_jwt))
        if key is not None and answer.status == 200 and answer.body is not None and answer.moved_to is None:
            keep = KeptAnswer(answer.status, answer.lines, answer.has_cache_control, answer.body)
            self._cache.put(key, keep, call.route.cache_s)
        return answer

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


def _back(call: _Call, answer: Answer, fields: Mapping[bytes, bytes], body: bytes | None, secret: bytes) -> RelayAnswer:
    """The answer that goes back, with the body that passes, or (None) with one that is still to be streamed."""
    lines = answer_lines(fields, secret)
    has_cache_control = b"cache-control" in fields and has_field(lines, b"cache-control")
    if body is None:
        length = answer.plan.length
        return RelayAnswer(answer.status, lines, has_cache_control, None, length, call.waited_s, answer, secret)
    return RelayAnswer(answer.status, lines, has_cache_control, body, len(body), call.waited_s)


def _may_move(route: Route, fault: UpstreamFault | Refusal) -> bool:
    """May the call be made elsewhere? Only a read of nobody's conversation, of which no byte has gone out."""
    if route.upstream.method != "GET" or route.owner is not None:
        return False
    if isinstance(fault, Refusal):
        return fault.reason is TOKEN_UNAVAILABLE
    return not fault.request_sent and fault.kind is not FaultKind.POOL_EXHAUSTED
