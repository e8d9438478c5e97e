"""Every kind of fault has a refusal, and a refusal tells the kind but no detail."""

from __future__ import annotations

import pytest

from gateway.upstream.faults import REASON_OF, UPSTREAM_IS_ILL, FaultKind, UpstreamFault
from gateway.upstream.http import is_safe_to_retry


def test_every_kind_becomes_one_refusal() -> None:
    assert set(REASON_OF) == set(FaultKind)
    assert {reason.status for reason in REASON_OF.values()} == {502, 503, 504}
    assert {FaultKind.POOL_EXHAUSTED, FaultKind.BREAKER_OPEN}.isdisjoint(UPSTREAM_IS_ILL)


def test_refusal_tells_the_kind_and_keeps_the_detail() -> None:
    refusal = UpstreamFault(FaultKind.DNS, "internal.host.name", retry_after_s=4).refusal()
    assert (refusal.code, refusal.detail, refusal.retry_after_s) == ("upstream.unreachable", "dns.", 4)


@pytest.mark.parametrize("kind", list(FaultKind))
@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("idempotent", [False, True])
def test_retry_is_safe_only_unsent_or_idempotent_before_any_answer(
    kind: FaultKind, sent: bool, seen: bool, idempotent: bool
) -> None:
    fault = UpstreamFault(kind, request_sent=sent, answer_seen=seen)
    unsent = not sent and kind is FaultKind.CONNECT
    repeatable = sent and idempotent and not seen and kind is FaultKind.RESET
    assert is_safe_to_retry(fault, idempotent=idempotent) is (unsent or repeatable)
