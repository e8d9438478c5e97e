"""The table of actions: what each kind of audit record means in ECS and OCSF, its failure class, and the fields it
may hold.

Data only. Class A: granted or administered, durable before it takes effect. Class B: use of a grant, queued and never
dropped silently. Class C: a refusal, given whether or not it can be recorded.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

FailureClass = Literal["A", "B", "C"]

_WHO: Final = (
    "gateway.site",
    "client.ip",
    "gateway.ref.client",
    "user.id",
    "gateway.ref.session",
    "http.request.id",
    "trace.id",
)
_HTTP: Final = ("gateway.route", "http.request.method", "url.path", "http.response.status_code", "gateway.backend")
_CARRIED: Final = ("http.request.bytes", "http.response.bytes", "gateway.region", "gateway.responder", "event.duration",
                   "gateway.upstream_duration", "gateway.conversation", "gateway.attempts")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """One row: the name, its ECS words, its failure class, its OCSF class and activity, and its optional and
    required fields.
    """

    name: str
    category: tuple[str, ...]
    type: tuple[str, ...]
    outcome: str
    failure_class: FailureClass
    ocsf: tuple[int, int]
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = field(default=())

    @property
    def fields(self) -> frozenset[str]:
        """The fields that this kind of record may hold beside the common ones."""
        return frozenset((*self.needs, *self.may))


def _seal(name: str, needs: tuple[str, ...], may: tuple[str, ...] = (), outcome: str = "success") -> Action:
    return Action(name, ("configuration",), ("info",), outcome, "A", (6002, 99), needs, may)


_ROWS: Final = (
    Action("session.issued", ("authentication", "session"), ("start",), "success", "A", (3002, 1),
           ("gateway.site", "gateway.auth.method", "gateway.ref.session", "gateway.session.expires"),
           (*_WHO, "gateway.ref.token", "gateway.auth.kid", "gateway.auth.issuer", "gateway.auth.findings",
               "event.duration")),
    Action("session.denied", ("authentication",), ("start",), "failure", "C", (3002, 1),
           ("event.reason",), (*_WHO, *_HTTP, "gateway.auth.method")),
    Action("session.ended", ("session",), ("end",), "success", "B", (3002, 2),
           ("event.reason", "gateway.ref.session"), (*_WHO, "event.duration")),
    Action("token.minted", ("api",), ("creation", "allowed"), "success", "A", (3003, 1),
           ("gateway.ref.token", "gateway.token.client", "gateway.token.expires"),
           (*_WHO, "gateway.token.scopes", "gateway.token.kind", "gateway.token.grant", "gateway.region",
               "gateway.backend")),
    Action("token.refused", ("api",), ("creation", "denied"), "failure", "C", (3003, 1),
           ("event.reason",), (*_WHO, "http.response.status_code", "gateway.token.client", "gateway.token.grant",
               "gateway.region", "gateway.backend")),
    Action("token.revoked", ("api",), ("deletion",), "success", "A", (3003, 99),
           ("gateway.ref.token",), (*_WHO, "gateway.token.client", "gateway.token.kind", "event.reason")),
    Action("proxy.allowed", ("api",), ("access", "allowed"), "success", "B", (6003, 2),
           ("gateway.route", "http.request.method", "http.response.status_code"),
           (*_WHO, *_HTTP, *_CARRIED, "gateway.ref.token")),
    Action("proxy.aggregated", ("api",), ("access", "allowed"), "success", "B", (6003, 2),
           ("gateway.route", "http.request.method", "gateway.aggregate.count", "gateway.aggregate.first",
               "gateway.aggregate.last", "gateway.aggregate.statuses"),
           (*_WHO, "url.path", "gateway.backend", "gateway.region", "http.request.bytes", "http.response.bytes",
               "event.duration", "gateway.upstream_duration", "gateway.aggregate.tokens",
               "gateway.aggregate.conversations")),
    Action("proxy.denied", ("api",), ("access", "denied"), "failure", "C", (6003, 99),
           ("event.reason",), (*_WHO, *_HTTP)),
    Action("proxy.upstream_error", ("api",), ("access",), "failure", "B", (6003, 99),
           ("error.type",), (*_WHO, *_HTTP, *_CARRIED, "gateway.ref.token")),
    Action("ws.opened", ("api", "session"), ("start",), "success", "B", (6003, 99),
           ("gateway.site",), (*_WHO, "gateway.region", "gateway.conversation", "gateway.ref.token")),
    Action("ws.closed", ("api", "session"), ("end",), "success", "B", (6003, 99),
           ("gateway.ws.code", "gateway.ws.initiator", "gateway.ws.messages", "gateway.ws.bytes"),
           (*_WHO, "gateway.region", "gateway.conversation", "gateway.ref.token", "event.duration", "event.reason")),
    Action("origin.denied", ("api",), ("access", "denied"), "failure", "C", (4002, 99),
           ("event.reason",), (*_WHO, *_HTTP, "gateway.origin")),
    Action("ratelimit.blocked", ("api",), ("access", "denied"), "failure", "C", (4002, 99),
           ("gateway.limiter",), (*_WHO, *_HTTP, "event.reason")),
    Action("config.loaded", ("configuration",), ("change",), "success", "A", (3004, 3),
           ("gateway.config.sha256",), ("gateway.config.version", "gateway.config.changed_keys")),
    Action("config.rejected", ("configuration",), ("change",), "failure", "A", (3004, 3),
           ("event.reason",), ("gateway.config.sha256", "gateway.config.changed_keys")),
    Action("secret.rotated", ("configuration",), ("change",), "success", "A", (3004, 3),
           ("gateway.secret.name", "gateway.secret.new_fp"), ("gateway.secret.old_fp",)),
    Action("gateway.started", ("process",), ("start",), "success", "A", (6002, 3),
           ("process.pid",), ("gateway.python", "gateway.predecessors", "gateway.config.sha256")),
    Action("gateway.stopping", ("process",), ("end",), "success", "A", (6002, 4), ("process.pid",), ("event.reason",)),
    Action("admin.action", ("configuration",), ("change",), "success", "A", (6003, 3),
           ("gateway.admin.who", "gateway.admin.verb"), ("gateway.admin.target", "gateway.site", "http.request.id")),
    _seal("audit.opened", ("gateway.deployment", "gateway.segment.index", "gateway.segment.cause",
        "gateway.segment.edge",
                           "gateway.key.vkey", "gateway.key.not_before", "gateway.key.not_after"),
          ("gateway.segment.previous", "gateway.segment.previous_bytes")),
    _seal("audit.closed", ("gateway.checkpoint.size", "gateway.checkpoint.note")),
    _seal("audit.checkpoint", ("gateway.checkpoint.size", "gateway.checkpoint.note")),
    _seal("audit.peers", ("gateway.peers",)),
    _seal("audit.key", ("gateway.key.next_vkey", "gateway.key.not_before", "gateway.key.not_after")),
    _seal("audit.recovered", ("gateway.recovered.writer", "gateway.recovered.size", "gateway.recovered.root",
                              "gateway.recovered.torn_bytes", "gateway.recovered.state")),
    _seal("audit.gap", ("gateway.gap.count", "gateway.gap.first", "gateway.gap.last", "event.reason"),
        outcome="failure"),
    _seal("audit.suppressed", ("gateway.suppressed.action", "gateway.suppressed.reason", "gateway.suppressed.count",
                               "gateway.suppressed.window", "gateway.suppressed.clients")),
    _seal("audit.pruned", ("gateway.pruned.writer", "gateway.pruned.segment", "gateway.pruned.first",
        "gateway.pruned.last",
                           "gateway.pruned.sha256", "gateway.pruned.leaf"), ("gateway.pruned.note",)),
    _seal("audit.undone", ("gateway.undone.id",)),
    _seal("audit.read", ("gateway.read.query", "gateway.read.count"), ("gateway.admin.who",)),
    _seal("audit.verified", ("gateway.verified.count", "gateway.verified.findings")),
)  # fmt: skip

ACTIONS: Final[dict[str, Action]] = {row.name: row for row in _ROWS}
