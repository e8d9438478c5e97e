"""Every field that an audit record may hold: its JSON type, bound and meaning (ECS 9.4 names, then our own).

Data only. A field that is not in this table does not exist: the schema refuses it, the tests check it.
"""

from dataclasses import dataclass
from typing import Final, Literal

ECS_VERSION: Final = "9.4.0"
FORMAT: Final = "audit/1"

Kind = Literal["string", "integer", "number", "boolean", "strings"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: JSON type, longest text, pattern where the form is fixed, and what it says."""

    kind: Kind
    says: str
    max_chars: int = 256
    pattern: str | None = None


BASE64_SHA256: Final = "^[A-Za-z0-9+/]{43}=$"
REF: Final = "^h:[0-9a-f]{32}$"

COMMON: Final[dict[str, Field]] = {
    "@timestamp": Field(
        "string", "UTC, microseconds, when it happened", 27, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
    ),
    "event.sequence": Field("integer", "position in this writer's log, from 0, without holes"),
    "gateway.prev": Field(
        "string", "leaf hash of the record before; for the first the hash of the origin", 44, BASE64_SHA256
    ),
    "event.id": Field(
        "string", "UUID version 7", 36, r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
    ),
    "ecs.version": Field("string", "version of the Elastic Common Schema", 8),
    "event.kind": Field("string", "always event", 8),
    "event.action": Field("string", "the kind of record: a row of the table of actions", 32),
    "event.category": Field("strings", "ECS categories"),
    "event.type": Field("strings", "ECS types"),
    "event.outcome": Field("string", "success or failure", 8, "^(success|failure)$"),
    "service.name": Field("string", "always gateway", 16),
    "service.version": Field("string", "release of the gateway", 32),
    "service.node.name": Field("string", "node of the deployment", 64),
    "gateway.schema": Field("string", "format of this log", 8, "^audit/1$"),
    "gateway.writer": Field("string", "the process start that wrote this record", 128),
}

ABOUT: Final[dict[str, Field]] = {
    "gateway.site": Field("string", "site, by its name in the configuration", 64),
    "gateway.route": Field("string", "route, by its name in the configuration", 64),
    "client.ip": Field("string", "address of the caller, cut to /24 (IPv4) or /48 (IPv6)", 64),
    "user.id": Field(
        "string", "pseudonym of the visitor: epoch of the key, then 24 hex digits", 64, r"^(p\d{6}|s):[0-9a-f]{24}$"
    ),
    "gateway.ref.client": Field(
        "string", "HMAC of the full address under the key of the day", 64, r"^c\d{8}:[0-9a-f]{24}$"
    ),
    "gateway.ref.session": Field("string", "HMAC of the session's id: the same for all of its handles", 34, REF),
    "http.request.id": Field("string", "request id, also in the answer", 64),
    "trace.id": Field("string", "trace id (W3C)", 32),
    "event.duration": Field("integer", "nanoseconds"),
    "event.reason": Field("string", "stable reason code", 64),
}

OWN: Final[dict[str, Field]] = {
    "gateway.auth.method": Field("string", "how the visitor proved itself", 64),
    "gateway.auth.kid": Field("string", "key id of the verified proof", 128),
    "gateway.auth.findings": Field("strings", "codes of rules that the proof broke, and that were only reported"),
    "gateway.auth.issuer": Field("string", "issuer of the verified proof", 255),
    "gateway.session.expires": Field("string", "end of the session", 27),
    "gateway.ref.token": Field("string", "HMAC of the token or handle that was given out, or injected", 34, REF),
    "gateway.token.scopes": Field("strings", "scopes or permissions of the token"),
    "gateway.token.expires": Field("string", "end of the token", 27),
    "gateway.token.client": Field(
        "string", "backend or relying party by its name in the configuration; OAuth client as org.client", 160
    ),
    "gateway.token.kind": Field("string", "handle, ticket, code, id_token or refresh", 32),
    "gateway.token.grant": Field("string", "grant_type that was asked with, where the token endpoint knows it", 64),
    "gateway.region": Field("string", "Genesys region", 32),
    "gateway.responder": Field("string", "who answered: gateway or upstream", 8, "^(gateway|upstream)$"),
    "gateway.upstream_duration": Field("integer", "nanoseconds waited for the upstream"),
    "gateway.conversation": Field("string", "conversation id, clear or h: and its HMAC, by configuration", 64),
    "gateway.attempts": Field("integer", "tries at the upstream"),
    "gateway.backend": Field("string", "backend caller, by its name in the configuration", 64),
    "gateway.aggregate.count": Field("integer", "calls that this record stands for"),
    "gateway.aggregate.first": Field("string", "time of the first of them", 27),
    "gateway.aggregate.last": Field("string", "time of the last of them", 27),
    "gateway.aggregate.statuses": Field("strings", "status and how often, as 200=12"),
    "gateway.aggregate.tokens": Field("strings", "references of the credentials that were injected"),
    "gateway.aggregate.conversations": Field("strings", "conversations, each as in gateway.conversation"),
    "http.request.method": Field("string", "method", 16),
    "http.request.bytes": Field("integer", "bytes of the request body"),
    "http.response.status_code": Field("integer", "status sent to the caller"),
    "http.response.bytes": Field("integer", "bytes of the answer's body"),
    "url.path": Field("string", "template of the route, never the raw path", 255),
    "error.type": Field("string", "reason of an upstream failure, from a closed list", 64),
    "gateway.ws.code": Field("integer", "WebSocket close code"),
    "gateway.ws.initiator": Field("string", "who closed: client, gateway or upstream", 8),
    "gateway.ws.messages": Field("integer", "messages carried, both directions"),
    "gateway.ws.bytes": Field("integer", "bytes carried, both directions"),
    "gateway.origin": Field("string", "Origin header as sent, escaped and cut", 255),
    "gateway.limiter": Field("string", "limit that refused", 64),
    "gateway.config.sha256": Field("string", "SHA-256 of the configuration", 64, "^[0-9a-f]{64}$"),
    "gateway.config.version": Field("integer", "version of the configuration's format"),
    "gateway.config.changed_keys": Field("strings", "keys that changed, without values"),
    "gateway.secret.name": Field("string", "secret, by its name in the configuration", 128),
    "gateway.secret.old_fp": Field("string", "fingerprint of the secret before", 64),
    "gateway.secret.new_fp": Field("string", "fingerprint of the secret after", 64),
    "process.pid": Field("integer", "process id"),
    "gateway.python": Field("string", "version of Python", 32),
    "gateway.predecessors": Field("strings", "heads of earlier writers: origin, size and root"),
    "gateway.admin.who": Field("string", "who acted", 128),
    "gateway.admin.verb": Field("string", "what was done", 64),
    "gateway.admin.target": Field("string", "to what", 255),
}

SEAL: Final[dict[str, Field]] = {
    "gateway.deployment": Field("string", "deployment: first part of the origin", 64),
    "gateway.segment.index": Field("integer", "number of this segment, from 0"),
    "gateway.segment.previous": Field("string", "file name of the segment before", 160),
    "gateway.segment.previous_bytes": Field(
        "integer", "valid bytes of the segment before; what follows them there is void"
    ),
    "gateway.segment.edge": Field("strings", "right edge of the tree before this record, largest subtree first"),
    "gateway.segment.cause": Field("string", "start, size, age, fault or unlinked", 16),
    "gateway.key.vkey": Field("string", "verifier key (C2SP signed note)", 255),
    "gateway.key.not_before": Field("string", "first moment of the key's validity", 27),
    "gateway.key.not_after": Field("string", "last moment of the key's validity", 27),
    "gateway.key.next_vkey": Field("string", "verifier key that follows this one", 255),
    "gateway.checkpoint.size": Field("integer", "records under the checkpoint"),
    "gateway.checkpoint.note": Field("string", "signed checkpoint (C2SP tlog-checkpoint); always the last field", 2048),
    "gateway.peers": Field("strings", "latest checkpoint notes of other writers"),
    "gateway.recovered.writer": Field("string", "writer that ended without audit.closed", 128),
    "gateway.recovered.size": Field("integer", "whole records found"),
    "gateway.recovered.root": Field("string", "root of the tree over them", 44, BASE64_SHA256),
    "gateway.recovered.torn_bytes": Field("integer", "bytes of a torn last line"),
    "gateway.recovered.state": Field("string", "clean, torn or inconsistent", 16),
    "gateway.gap.count": Field("integer", "records that could not be written"),
    "gateway.gap.first": Field("string", "time of the first of them", 27),
    "gateway.gap.last": Field("string", "time of the last of them", 27),
    "gateway.suppressed.action": Field("string", "kind of record that was folded", 32),
    "gateway.suppressed.reason": Field("string", "its reason", 64),
    "gateway.suppressed.count": Field("integer", "how many were folded"),
    "gateway.suppressed.window": Field("integer", "seconds of the window"),
    "gateway.suppressed.clients": Field("integer", "distinct client networks, counted up to 1,024"),
    "gateway.pruned.writer": Field("string", "writer whose segment was removed", 128),
    "gateway.pruned.segment": Field("integer", "number of the removed segment"),
    "gateway.pruned.first": Field("integer", "first sequence number removed"),
    "gateway.pruned.last": Field("integer", "last sequence number removed"),
    "gateway.pruned.sha256": Field("string", "SHA-256 of the removed bytes", 64, "^[0-9a-f]{64}$"),
    "gateway.pruned.leaf": Field("string", "leaf hash of the last record removed", 44, BASE64_SHA256),
    "gateway.pruned.note": Field("string", "last checkpoint of the removed segment", 2048),
    "gateway.undone.id": Field("string", "event.id of the grant that was refused to its caller after all", 36),
    "gateway.read.query": Field("string", "filters of a query of this log", 512),
    "gateway.read.count": Field("integer", "records that matched"),
    "gateway.verified.count": Field("integer", "records verified"),
    "gateway.verified.findings": Field("strings", "kinds of findings"),
}

FIELDS: Final[dict[str, Field]] = COMMON | ABOUT | OWN | SEAL
