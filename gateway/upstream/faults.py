"""What can go wrong on the way to Genesys, by kind, and which refusal each kind becomes.

Raised by the whole room; only `refusal_of` speaks to callers. The rule it keeps: a fault always tells whether a byte
of the request may have left and whether a byte of an answer was seen, for nothing else decides if a retry is safe.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from gateway.errors import (
    UPSTREAM_BAD_ANSWER,
    UPSTREAM_BUSY,
    UPSTREAM_TIMEOUT,
    UPSTREAM_UNREACHABLE,
    GatewayError,
    Reason,
    Refusal,
)


class FaultKind(StrEnum):
    """The closed list of faults; the words are the `reason` label of `gateway_upstream_errors_total`."""

    DNS = "dns"
    CONNECT = "connect"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    WRITE_TIMEOUT = "write_timeout"
    READ_TIMEOUT = "read_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    POOL_EXHAUSTED = "pool_exhausted"
    BREAKER_OPEN = "breaker_open"


REASON_OF: Final[dict[FaultKind, Reason]] = {
    FaultKind.DNS: UPSTREAM_UNREACHABLE,
    FaultKind.CONNECT: UPSTREAM_UNREACHABLE,
    FaultKind.CONNECT_TIMEOUT: UPSTREAM_UNREACHABLE,
    FaultKind.TLS: UPSTREAM_UNREACHABLE,
    FaultKind.WRITE_TIMEOUT: UPSTREAM_TIMEOUT,
    FaultKind.READ_TIMEOUT: UPSTREAM_TIMEOUT,
    FaultKind.TOTAL_TIMEOUT: UPSTREAM_TIMEOUT,
    FaultKind.RESET: UPSTREAM_UNREACHABLE,
    FaultKind.PROTOCOL: UPSTREAM_BAD_ANSWER,
    FaultKind.POOL_EXHAUSTED: UPSTREAM_BUSY,
    FaultKind.BREAKER_OPEN: UPSTREAM_BUSY,
}

UPSTREAM_IS_ILL: Final[frozenset[FaultKind]] = frozenset(FaultKind) - {
    FaultKind.POOL_EXHAUSTED,
    FaultKind.BREAKER_OPEN,
}
"""Kinds that speak against the upstream; the other two are our own doing and never open a breaker."""


class UpstreamFault(GatewayError):
    """A request that got no usable answer.

    `request_sent`: a byte of the request may have reached the upstream. `answer_seen`: a byte of its answer came.
    `retry_after_s`: seconds after which trying again makes sense, where that is known. `detail` is for the log.
    """

    def __init__(
        self,
        kind: FaultKind,
        detail: str = "",
        *,
        request_sent: bool = False,
        answer_seen: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else str(kind))
        self.kind = kind
        self.detail = detail
        self.request_sent = request_sent
        self.answer_seen = answer_seen
        self.retry_after_s = retry_after_s

    def refusal(self) -> Refusal:
        """The refusal that a caller gets; says the kind, never the detail."""
        return Refusal(REASON_OF[self.kind], f"{self.kind}.", retry_after_s=self.retry_after_s)
