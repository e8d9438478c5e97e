"""The table of reasons: stable words, sensible statuses, sentences for people."""

from __future__ import annotations

import re

import pytest

from gateway import errors
from gateway.errors import REASONS, ConfigFault, Refusal


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_tells_cause_and_remedy(code: str) -> None:
    reason = REASONS[code]
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", code)
    assert 400 <= reason.status < 600
    assert reason.cause.endswith(".")
    assert reason.remedy.endswith(".")
    assert not reason.title.endswith(".")


def test_a_code_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        errors._reason("internal.error", 500, "t", "c.", "r.")


def test_a_refusal_shows_its_code_and_detail() -> None:
    refusal = Refusal(errors.RATE_LIMITED, "The limit per guest is used up.", retry_after_s=3)
    assert (refusal.code, refusal.status, refusal.retry_after_s) == ("limit.rate", 429, 3)
    assert str(refusal) == "limit.rate: The limit per guest is used up."
    assert str(Refusal(errors.INTERNAL)) == "internal.error"


def test_a_configuration_fault_lists_every_fault_by_key() -> None:
    fault = ConfigFault([("sites.shop.origins[2]", "has a path"), ("orgs.acme.region", "is unknown")])
    assert str(fault) == "sites.shop.origins[2]: has a path\norgs.acme.region: is unknown"
