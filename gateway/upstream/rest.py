"""Carries one permitted REST call to Genesys and its answer back.

Leaves deciding to the gate, the wire to http.py, tokens to tokens.py, header lists to policy/injection.py. The rule:
only a Permit opens it, redirects are not followed, and nothing that Genesys holds against us becomes a caller's 401.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import orjson

from gateway.errors import TOKEN_UNAVAILABLE, UPSTREAM_BAD_ANSWER, Refusal
from gateway.policy.answer_filter import Tree, compile_ways, picked
from gateway.policy.decision import Guest, Permit
from gateway.policy.injection import PASSED_ANSWER_HEADERS, answer_headers, contains_secret, upstream_request_headers
from gateway.policy.leaks import masked
from gateway.policy.routes import Route
from gateway.upstream.answer import Answer
from gateway.upstream.answer_cache import AnswerCache, CacheKey, KeptAnswer
from gateway.upstream.bearer import Bearer
from gateway.upstream.credential_guard import CredentialInBody, guarded, masked_stream
from gateway.upstream.faults import FaultKind, UpstreamFault
from gateway.upstream.framing import Header
from gateway.upstream.http import HttpLeg
from gateway.upstream.quota import QuotaGovernor
from gateway.upstream.tokens import TokenBroker

SMALL_BYTES: Final = 65_536
"""Bodies up to this size are read at once; larger ones are streamed."""
AT_ONCE_BYTES: Final = 1_048_576
"""More than a body that arrived together with its head can have: the leg stops reading long before."""
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110 section 9.2.2, of those a route may have
FILTERED_BYTES: Final = 4_194_304
"""Largest answer of a route that lets only some members pass: it has to be read whole."""
JSON: Final = "application/json"
HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
BEARER_AT_FAULT: Final = frozenset({"authentication.required", "bad.credentials", "credentials.expired"})
"""Codes of a 401 that another token may mend (reference: codes common to all operations)."""
VARYING: Final = ("accept", "accept-language")
CONDITIONAL: Final = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})

ASKED: Final = PASSED_ANSWER_HEADERS | {"connection", "content-encoding"}
MAX_KNOWN_NAMES: Final = 1_024
_asked_names: dict[bytes, str] = {}  # spelling as received -> lower-case name, "" for fields that nobody asks about

InboundHeaders = Iterable[tuple[str, str]]


@dataclass(slots=True)
class RelayAnswer:
    """What goes back to the caller: filtered headers, and a body that is whole or comes as a stream.

    `upstream_s`: seconds that were spent waiting for Genesys. `correlation_id`: Genesys' own id of the call.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None = field(repr=False)
    upstream_s: float = 0.0
    correlation_id: str | None = None
    from_cache: bool = False
    content_length: int | None = None
    _answer: Answer | None = field(default=None, repr=False)
    _secrets: tuple[bytes, ...] = field(default=(), repr=False)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises UpstreamFault when it breaks off: what was passed on is then to be cut, not ended."""
        if self._answer is None:
            if self.body:
                yield self.body
            return
        try:
            async for piece in masked_stream(guarded(self._answer.stream(), self._secrets)):
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

    permit: Permit
    leg: HttpLeg
    inbound: tuple[tuple[str, str], ...]
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
    ) -> None:
        """`quota`: that of all tokens; absent: calls are not counted."""
        self._quota = quota
        self._leg_of = leg_of
        self._tokens = tokens
        self._cache = cache if cache is not None else AnswerCache()

    async def call(
        self,
        permit: Permit,
        *,
        inbound: InboundHeaders,
        body: bytes,
        request_id: str,
        traceparent: str | None = None,
        guest_jwt: str | None = None,
        injected: Callable[[str], None] = lambda _reference: None,
    ) -> RelayAnswer:
        """Make the call and return its answer; a body above `SMALL_BYTES` is still to be streamed or aborted.

        `guest_jwt` is the guest's own Genesys JWT, for routes of auth `webmessaging-jwt`. `injected` hears the
        reference of each client's token before it is sent, so that each has its receipt. Raises Refusal:
        TOKEN_UNAVAILABLE, UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT, UPSTREAM_BAD_ANSWER, UPSTREAM_BUSY, HEADER_INVALID.
        """
        route = permit.route
        headers = tuple(inbound)
        key = self._cache_key(permit, headers) if route.cache_s > 0 else None
        if key is not None and (kept := self._cache.get(key)) is not None:
            return RelayAnswer(kept.status, list(kept.headers), kept.body, from_cache=True)
        call = _Call(
            permit=permit,
            leg=self._leg_of(permit.org),
            inbound=headers,
            body=body if route.body_template is None else route.body_template,
            request_id=request_id,
            traceparent=traceparent,
            deadline=time.monotonic() + route.timeout_s,
            injected=injected,
        )
        try:
            if route.auth == "oauth":
                answer = await self._as_oauth_client(call)
            else:
                answer = await self._as_guest(call, guest_jwt)
        except UpstreamFault as fault:
            raise fault.refusal() from fault
        if key is not None and answer.status == 200 and answer.body is not None:
            self._cache.put(key, KeptAnswer(answer.status, tuple(answer.headers), answer.body), route.cache_s)
        return answer

    def forget_answers(self) -> None:
        """Empty the cache; called when the configuration changes."""
        self._cache.clear()

    async def _as_guest(self, call: _Call, guest_jwt: str | None) -> RelayAnswer:
        """Call with the guest's own Genesys JWT, or with nothing where the operation asks for nothing."""
        if (call.route.auth == "webmessaging-jwt") != (guest_jwt is not None):
            raise ValueError(f"route {call.route.name}: a guest JWT is given exactly where the route asks for it")
        answer, waited_s = await self._send(call, guest_jwt)
        return await self._finish(call, answer, waited_s, guest_jwt)

    async def _as_oauth_client(self, call: _Call) -> RelayAnswer:
        """Call with the bearer of the route's client; when Genesys does not take it, once more with a new one.

        A 401 was answered before anything was carried out, so that any method may be sent again.
        """
        if self._quota is not None and call.route.client is not None:
            permit = call.permit
            is_guest = isinstance(permit.caller, Guest)
            call.slot = self._quota.take(permit.org, call.route.client, permit.site, is_guest=is_guest)
        bearer = await self._bearer(call)
        credential = bearer.reveal()
        answer, waited_s = await self._send(call, credential)
        if answer.status != 401:
            return await self._finish(call, answer, waited_s, credential)
        code, context_id = await _read_refusal(answer)
        if (code is None or code in BEARER_AT_FAULT) and self._tokens.reject(bearer) and call.route.retry != "never":
            bearer = await self._bearer(call)
            answer, again_s = await self._send(call, bearer.reveal())
            waited_s += again_s
            if answer.status != 401:
                return await self._finish(call, answer, waited_s, bearer.reveal())
            code, context_id = await _read_refusal(answer)
        told = f"Genesys refused the credential of client {call.route.client}: {code or 'no code'}"
        raise Refusal(TOKEN_UNAVAILABLE, f"{told}, contextId {context_id or 'unknown'}", retry_after_s=5)

    async def _bearer(self, call: _Call) -> Bearer:
        """The bearer of the route's client, about to be injected."""
        if call.route.client is None:
            raise ValueError(f"route {call.route.name} has no client")
        bearer = await self._tokens.bearer(call.permit.org, call.route.client, call.deadline, call.slot)
        call.injected(bearer.reference)
        return bearer

    async def _send(self, call: _Call, credential: str | None) -> tuple[Answer, float]:
        """Send the call (http.py repeats it where nothing can happen twice); returns its head, and seconds waited."""
        permit, route = call.permit, call.route
        headers = upstream_request_headers(
            call.inbound,
            bearer=credential,
            origin=None if route.auth == "oauth" else permit.upstream_origin,
            request_id=call.request_id,
            content_type=JSON if route.body_template is not None else None,
            traceparent=call.traceparent,
        )
        wire: list[Header] = [(name.encode(), value.encode()) for name, value in headers]  # all ASCII by now
        method = route.upstream.method
        started = time.monotonic()
        answer = await call.leg.request(
            method,
            permit.upstream_target.encode("ascii"),
            wire,
            call.body,
            deadline=call.deadline,
            idempotent=method in IDEMPOTENT,
            may_retry=route.retry != "never",
        )
        return answer, time.monotonic() - started

    async def _finish(self, call: _Call, answer: Answer, waited_s: float, credential: str | None) -> RelayAnswer:
        """Judge the head, take a small body at once, and filter what goes back."""
        fields, route = _fields(answer.headers), call.route
        if self._quota is not None and route.client is not None:
            self._quota.heard(call.permit.org, route.client, call.slot, answer.status, fields)
        try:
            _refuse_unusable(answer.status, fields)
            secrets = () if credential is None else (credential,)
            encoded = tuple([secret.encode("latin-1") for secret in secrets])
            length = answer.content_length
            body: bytes | None = None
            filtered = bool(route.answer) and 200 <= answer.status < 300
            if filtered or answer.complete or (length is not None and length <= SMALL_BYTES):
                most = FILTERED_BYTES if filtered else AT_ONCE_BYTES
                body = answer.whole(most)
                if body is None:
                    body = await answer.read(most)
                _refuse_body(body, fields, encoded)
                body = masked(_picked(body, _tree_of(route.answer)) if filtered and body else body)
        except BaseException:
            answer.abort()
            raise
        return RelayAnswer(
            status=answer.status,
            headers=answer_headers(fields.items(), secrets),
            body=body,
            upstream_s=waited_s,
            correlation_id=fields.get("inin-correlation-id"),
            content_length=length if body is None else len(body),
            _answer=answer if body is None else None,
            _secrets=encoded,
        )

    def _cache_key(self, permit: Permit, inbound: tuple[tuple[str, str], ...]) -> CacheKey | None:
        """The key under which this call's answer may be kept, or None.

        What Genesys says in Cache-Control is not asked: it forbids keeping nearly everything, and `cache_s` is the
        operator's word against it. Answers made with a guest's own credential are never kept.
        """
        route = permit.route
        if route.cache_s <= 0 or route.upstream.method != "GET" or route.auth == "webmessaging-jwt":
            return None
        sent = {name.lower(): value for name, value in inbound}
        if not CONDITIONAL.isdisjoint(sent):
            return None
        return (permit.site, permit.org, route.name, permit.upstream_target, *(sent.get(name, "") for name in VARYING))


async def _read_refusal(answer: Answer) -> tuple[str | None, str | None]:
    """Code and contextId of a 401's body; None where it is not Genesys' error object."""
    body = await answer.read(SMALL_BYTES)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(document, dict):
        return None, None
    code, context_id = document.get("code"), document.get("contextId")
    return (
        code[:64] if isinstance(code, str) else None,
        context_id[:64] if isinstance(context_id, str) else None,
    )


def _fields(headers: Sequence[Header]) -> dict[str, str]:
    """The fields that somebody asks about, by lower-case name, the first of each; Connection in one piece."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key = _asked_names.get(name)
        if key is None:
            key = _learn(name)
        if key and key not in fields:
            fields[key] = value.decode("latin-1")
        elif key == "connection":
            fields[key] += "," + value.decode("latin-1")
    return fields


def _learn(name: bytes) -> str:
    """The lower-case name of a field that somebody asks about, or nothing; remembered."""
    key = name.decode("latin-1").lower()
    key = key if key in ASKED else ""
    if len(_asked_names) < MAX_KNOWN_NAMES:
        _asked_names[name] = key
    return key


def _refuse_unusable(status: int, fields: Mapping[str, str]) -> None:
    """Refuse what the API never gives: redirects, HTML, encoded bodies (asked for unencoded, and unsearchable)."""
    if 300 <= status < 400 and status != 304:
        told = f"A redirect ({status})."
    elif fields.get("content-type", "").partition(";")[0].strip().lower() in HTML:
        told = f"HTML with status {status}."
    elif fields.get("content-encoding", "identity").strip().lower() != "identity":
        told = "An encoded body."
    else:
        return
    raise Refusal(UPSTREAM_BAD_ANSWER, told, retry_after_s=_whole_seconds(fields.get("retry-after")))


def _refuse_body(body: bytes, fields: Mapping[str, str], secrets: tuple[bytes, ...]) -> None:
    """Refuse a body that is HTML under no name, or that carries our credential back."""
    if "content-type" not in fields and body.lstrip()[:1] == b"<":
        raise Refusal(UPSTREAM_BAD_ANSWER, "Markup without a type.")
    if contains_secret(body, secrets):
        raise Refusal(UPSTREAM_BAD_ANSWER, "The answer held a credential of the gateway.")


@lru_cache(maxsize=1_024)
def _tree_of(ways: tuple[tuple[str, ...], ...]) -> Tree:
    return compile_ways(ways)


def _picked(body: bytes, tree: Tree) -> bytes:
    """What of a JSON body passes. Raises Refusal(UPSTREAM_BAD_ANSWER): what cannot be filtered does not pass."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refusal(UPSTREAM_BAD_ANSWER, "The answer is not the JSON that this route filters.") from exc
    return orjson.dumps(picked(document, tree))


def _whole_seconds(text: str | None) -> int | None:
    """A Retry-After in seconds."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else None
