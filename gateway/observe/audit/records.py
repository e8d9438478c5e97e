"""Audit records: one constructor per action, typed, so that nothing else can be recorded.

A record is cheap: the constant part of its action is added later, by the writer. What a caller may not say has no
parameter here: no body, no header, no query string, no token. Foreign strings are cut and escaped on the way in.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, cast

import orjson

from gateway.observe.audit.actions import ACTIONS, Action
from gateway.observe.audit.plain import Fields, Value, clean, clean_field, is_plain, members_of

Responder = Literal["gateway", "upstream"]

_UNKNOWN_NETWORK: Final = "unknown"


class Record(NamedTuple):
    """One thing that happened: its action, the moment (seconds since 1970), and what is said of it.

    `said`: the fields by ECS name; on the data path at once their JSON, without braces.
    """

    action: Action
    at: float
    said: dict[str, Value] | str

    @property
    def fields(self) -> dict[str, Value]:
        """The fields by ECS name."""
        said = self.said
        return cast("dict[str, Value]", orjson.loads(f"{{{said}}}")) if isinstance(said, str) else said


class Subject:
    """Whom records are about. Built once for a session or connection and then shared by all its records.

    Kept for thousands of guests at once, and so in one form only. `members`: the fields as JSON, each with a comma
    after it, for the records of the data path.
    """

    __slots__ = ("members",)

    def __init__(self, fields: Fields | None = None) -> None:
        """Write the members, once."""
        members = members_of(fields or {})
        self.members = f"{members}," if members else ""

    @property
    def fields(self) -> dict[str, Value]:
        """The fields by ECS name."""
        return cast("dict[str, Value]", orjson.loads(f"{{{self.members[:-1]}}}"))


NOBODY: Final = Subject()


_IPV4: Final = re.compile(
    r"((?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3})(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
)


def cut_ip(address: str) -> str:
    """Return the address without its host part: /24 of IPv4, /48 of IPv6; `unknown` for anything else."""
    plain = _IPV4.fullmatch(address)
    if plain is not None:
        return f"{plain[1]}0"
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return _UNKNOWN_NETWORK
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    prefix = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((ip, prefix), strict=False).network_address)


def iso(at: float) -> str:
    """Return the moment as UTC with microseconds, as in `@timestamp`."""
    return f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='microseconds')[:26]}Z"


def subject(
    *,
    site: str | None = None,
    client_ip: str | None = None,
    client_ref: str | None = None,
    user: str | None = None,
    session_ref: str | None = None,
) -> Subject:
    """Return whom records are about; the address is cut here, so that a full one cannot pass."""
    found = {
        "gateway.site": site,
        "client.ip": None if client_ip is None else cut_ip(client_ip),
        "gateway.ref.client": client_ref,
        "user.id": user,
        "gateway.ref.session": session_ref,
    }
    return Subject({name: value for name, value in found.items() if value is not None})


def _record(action: str, at: float, who: Subject, **named: Value | None) -> Record:
    fields = who.fields
    for name, value in named.items():
        if value is not None:
            field = _FIELD_OF[name]
            fields[field] = clean_field(field, value) if isinstance(value, str) else value
    return Record(ACTIONS[action], at, fields)


def _duration_ns(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e9)


# Argument names of `_record` and the fields they fill. A table, because ECS names are no Python names.
_FIELD_OF: Final[dict[str, str]] = {
    "request_id": "http.request.id", "trace_id": "trace.id", "reason": "event.reason", "duration": "event.duration",
    "route": "gateway.route", "method": "http.request.method", "path": "url.path",
    "status": "http.response.status_code",
    "request_bytes": "http.request.bytes", "response_bytes": "http.response.bytes", "region": "gateway.region",
    "responder": "gateway.responder", "upstream": "gateway.upstream_duration", "conversation": "gateway.conversation",
    "attempts": "gateway.attempts", "backend": "gateway.backend", "auth_method": "gateway.auth.method",
    "kid": "gateway.auth.kid", "issuer": "gateway.auth.issuer", "findings": "gateway.auth.findings",
    "session_expires": "gateway.session.expires",
    "session_ref": "gateway.ref.session", "token_ref": "gateway.ref.token", "scopes": "gateway.token.scopes",
    "token_expires": "gateway.token.expires", "client": "gateway.token.client", "token_kind": "gateway.token.kind",
    "grant": "gateway.token.grant",
    "error": "error.type", "ws_code": "gateway.ws.code", "initiator": "gateway.ws.initiator",
    "messages": "gateway.ws.messages", "ws_bytes": "gateway.ws.bytes", "origin": "gateway.origin",
    "limiter": "gateway.limiter", "sha256": "gateway.config.sha256", "config_version": "gateway.config.version",
    "changed_keys": "gateway.config.changed_keys", "secret": "gateway.secret.name", "old_fp": "gateway.secret.old_fp",
    "new_fp": "gateway.secret.new_fp", "pid": "process.pid", "python": "gateway.python",
    "predecessors": "gateway.predecessors", "who_acted": "gateway.admin.who", "verb": "gateway.admin.verb",
    "target": "gateway.admin.target", "site": "gateway.site",
}  # fmt: skip


def session_issued(
    *, at: float, who: Subject, auth_method: str, session_ref: str, expires_at: float, kid: str | None = None,
    issuer: str | None = None, findings: Iterable[str] = (), duration_s: float | None = None,
    token_ref: str | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A guest session, or a fresh handle of one, was given out (class A). `findings`: rules that its proof broke, where
    they are only reported; `token_ref`: the reference of the handle.
    """
    return _record("session.issued", at, who, auth_method=auth_method, session_ref=session_ref, kid=kid, issuer=issuer,
                   token_ref=token_ref,
                   findings=list(findings) or None, session_expires=iso(expires_at), duration=_duration_ns(duration_s),
                   request_id=request_id,
                   trace_id=trace_id)  # fmt: skip


def session_denied(
    *, at: float, who: Subject, reason: str, auth_method: str | None = None, route: str | None = None,
    status: int | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A visitor's proof was refused (class C)."""
    return _record("session.denied", at, who, reason=reason, auth_method=auth_method, route=route, status=status,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def session_ended(
    *, at: float, who: Subject, reason: Literal["expired", "revoked", "logout"], session_ref: str,
    duration_s: float | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A guest session is over (class B)."""
    return _record("session.ended", at, who, reason=reason, session_ref=session_ref, duration=_duration_ns(duration_s),
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def token_minted(
    *, at: float, who: Subject, token_ref: str, client: str, expires_at: float, scopes: Iterable[str] = (),
    token_kind: str | None = None, grant: str | None = None, region: str | None = None, backend: str | None = None,
    request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A token, code, ticket or handle was made or fetched (class A)."""
    return _record("token.minted", at, who, token_ref=token_ref, client=client, token_expires=iso(expires_at),
                   scopes=sorted(scopes) or None, token_kind=token_kind, grant=grant, region=region, backend=backend,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def token_refused(
    *, at: float, who: Subject, reason: str, status: int | None = None, client: str | None = None,
    grant: str | None = None,
    region: str | None = None, backend: str | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A token was asked for and refused, by us or by Genesys (class C)."""
    return _record("token.refused", at, who, reason=reason, status=status, client=client, grant=grant, region=region,
        backend=backend,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def token_revoked(
    *, at: float, who: Subject, token_ref: str, client: str | None = None, token_kind: str | None = None,
    reason: str | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A token or handle was made worthless before its end (class A)."""
    return _record("token.revoked", at, who, token_ref=token_ref, client=client, token_kind=token_kind, reason=reason,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


_PROXY_ALLOWED: Final = ACTIONS["proxy.allowed"]
_MAX_CALLS: Final = 2_048
_made: Final = tuple.__new__
_calls: dict[tuple[str, str, str, str, str, str | None], str] = {}  # members of a call that few values make up


def _call(route: str, method: str, path: str, region: str, responder: str, backend: str | None) -> str:
    named: dict[str, Value] = {
        "gateway.route": route, "http.request.method": method, "url.path": path, "gateway.region": region,
        "gateway.responder": responder,
    }  # fmt: skip
    if backend is not None:
        named["gateway.backend"] = backend
    if len(_calls) >= _MAX_CALLS:
        _calls.clear()
    text = _calls[route, method, path, region, responder, backend] = members_of(named)
    return text


def proxy_allowed(  # noqa: PLR0917 - by position it costs a third less, once per proxied call
    at: float, who: Subject, request_id: str, route: str, method: str, path: str, status: int,
    request_bytes: int, response_bytes: int, region: str, responder: Responder, duration_s: float, upstream_s: float,
    conversation: str | None = None, backend: str | None = None, token_ref: str | None = None,
    trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A permitted call was carried (class B). On the data path, and so also by position: every argument is ours or
    already checked.

    `token_ref`: the receipt of the credential that was injected.
    """
    call = _calls.get((route, method, path, region, responder, backend)) or _call(
        route, method, path, region, responder, backend
    )
    about = f',"gateway.conversation":"{conversation}"' if conversation is not None else ""
    if token_ref is not None:
        about = f'{about},"gateway.ref.token":"{token_ref}"'
    if trace_id is not None:
        about = f'{about},"trace.id":"{trace_id}"'
    if is_plain(f"{request_id}{conversation}{token_ref}{trace_id}"):
        said = (
            f'{who.members}{call},"http.request.id":"{request_id}","http.response.status_code":{status},'
            f'"http.request.bytes":{request_bytes},"http.response.bytes":{response_bytes},'
            f'"event.duration":{int(duration_s * 1e9)},"gateway.upstream_duration":{int(upstream_s * 1e9)}{about}'
        )
        return _made(Record, (_PROXY_ALLOWED, at, said))  # as Record(...), in half the time
    return _record(
        "proxy.allowed", at, who, route=route, method=method, path=path, region=region, responder=responder,
        backend=backend, request_id=request_id, status=status, request_bytes=request_bytes,
        response_bytes=response_bytes, duration=int(duration_s * 1e9), upstream=int(upstream_s * 1e9),
        conversation=conversation, token_ref=token_ref, trace_id=trace_id,
    )  # fmt: skip


def proxy_aggregated(
    *, at: float, who: Subject, route: str, method: str, count: int, first: str, last: str, statuses: Sequence[str],
    summed: Fields, tokens: Sequence[str] = (), conversations: Sequence[str] = (),
) -> Record:  # fmt: skip
    """Carried calls of one session, route and minute in one (class B); `summed`: their sums."""
    fields: dict[str, Value] = {
        **who.fields, **summed, "gateway.route": route, "http.request.method": method,
        "gateway.aggregate.count": count, "gateway.aggregate.first": first,
        "gateway.aggregate.last": last, "gateway.aggregate.statuses": list(statuses),
    }  # fmt: skip
    for name, named in (("tokens", tokens), ("conversations", conversations)):
        if named:
            fields[f"gateway.aggregate.{name}"] = list(named)
    return Record(ACTIONS["proxy.aggregated"], at, fields)


def proxy_denied(
    *, at: float, who: Subject, reason: str, route: str | None = None, method: str | None = None,
    path: str | None = None,
    status: int | None = None, backend: str | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A call was refused at the door (class C). `path` is a route's template, never the raw path."""
    return _record("proxy.denied", at, who, reason=reason, route=route, method=method, path=path, status=status,
                   backend=backend, request_id=request_id, trace_id=trace_id)  # fmt: skip


def proxy_upstream_error(
    *, at: float, who: Subject, error: str, route: str | None = None, method: str | None = None,
    path: str | None = None,
    status: int | None = None, region: str | None = None, attempts: int | None = None, duration_s: float | None = None,
    backend: str | None = None, token_ref: str | None = None, request_id: str | None = None,
    trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A permitted call failed on its way (class B)."""
    return _record("proxy.upstream_error", at, who, error=error, route=route, method=method, path=path, status=status,
                   region=region, attempts=attempts, duration=_duration_ns(duration_s), backend=backend,
                   token_ref=token_ref, request_id=request_id, trace_id=trace_id)  # fmt: skip


def ws_opened(
    *, at: float, who: Subject, site: str, region: str | None = None, conversation: str | None = None,
    token_ref: str | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A guest's WebSocket is open on both legs (class B). `token_ref`: of the guest token that it will carry."""
    return _record("ws.opened", at, who, site=site, region=region, conversation=conversation, token_ref=token_ref,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def ws_closed(
    *, at: float, who: Subject, code: int, initiator: Literal["client", "gateway", "upstream"], messages: int,
    bytes_: int,
    region: str | None = None, conversation: str | None = None, duration_s: float | None = None,
    reason: str | None = None, token_ref: str | None = None,
    request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A guest's WebSocket is closed (class B). `token_ref`: of the guest token that it carried."""
    return _record("ws.closed", at, who, ws_code=code, initiator=initiator, messages=messages, ws_bytes=bytes_,
                   region=region, conversation=conversation, duration=_duration_ns(duration_s), reason=reason,
                   token_ref=token_ref, request_id=request_id, trace_id=trace_id)  # fmt: skip


def origin_denied(
    *, at: float, who: Subject, reason: str, origin: str | None = None, route: str | None = None,
    method: str | None = None, status: int | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A page of an origin that is not listed asked (class C)."""
    return _record("origin.denied", at, who, reason=reason, origin=origin, route=route, method=method, status=status,
                   request_id=request_id, trace_id=trace_id)  # fmt: skip


def ratelimit_blocked(
    *, at: float, who: Subject, limiter: str, reason: str | None = None, route: str | None = None,
    method: str | None = None, status: int | None = None, request_id: str | None = None, trace_id: str | None = None,
) -> Record:  # fmt: skip
    """A limit refused a call (class C)."""
    return _record("ratelimit.blocked", at, who, limiter=limiter, reason=reason, route=route, method=method,
                   status=status, request_id=request_id, trace_id=trace_id)  # fmt: skip


def config_loaded(*, at: float, sha256: str, version: int | None = None, changed_keys: Sequence[str] = ()) -> Record:
    """A configuration takes effect (class A); `changed_keys` are keys, never values."""
    return _record(
        "config.loaded", at, NOBODY, sha256=sha256, config_version=version, changed_keys=list(changed_keys) or None
    )


def config_rejected(*, at: float, reason: str, sha256: str | None = None, keys: Sequence[str] = ()) -> Record:
    """A configuration was refused and the old one stays (class A); `keys` are those at fault."""
    return _record("config.rejected", at, NOBODY, reason=reason, sha256=sha256, changed_keys=list(keys) or None)


def secret_rotated(*, at: float, name: str, new_fp: str, old_fp: str | None = None) -> Record:
    """A secret changed (class A); only fingerprints are said."""
    return _record("secret.rotated", at, NOBODY, secret=name, new_fp=new_fp, old_fp=old_fp)


def gateway_started(
    *, at: float, pid: int, python: str | None = None, config_sha256: str | None = None,
    predecessors: Sequence[str] = (),
) -> Record:  # fmt: skip
    """The gateway is about to serve (class A)."""
    return _record("gateway.started", at, NOBODY, pid=pid, python=python, sha256=config_sha256,
                   predecessors=list(predecessors) or None)  # fmt: skip


def gateway_stopping(*, at: float, pid: int, reason: str | None = None) -> Record:
    """The gateway begins to drain (class A)."""
    return _record("gateway.stopping", at, NOBODY, pid=pid, reason=reason)


def admin_action(
    *, at: float, who_acted: str, verb: str, target: str | None = None, site: str | None = None,
    request_id: str | None = None,
) -> Record:  # fmt: skip
    """Somebody with administrative rights did something (class A)."""
    return _record("admin.action", at, NOBODY, who_acted=who_acted, verb=verb, target=target, site=site,
                   request_id=request_id)  # fmt: skip


def audit_read(*, at: float, query: str, count: int, who_acted: str | None = None) -> Record:
    """Somebody searched this log (class A)."""
    fields: dict[str, Value] = {"gateway.read.query": clean(query, 512), "gateway.read.count": count}
    if who_acted is not None:
        fields["gateway.admin.who"] = clean(who_acted, 128)
    return sealing("audit.read", at, fields)


def sealing(action: str, at: float, fields: Fields) -> Record:
    """A record of the log about itself; only this room makes them. Raises KeyError for an unknown action."""
    return Record(ACTIONS[action], at, dict(fields))
