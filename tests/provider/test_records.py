"""Audit records of the provider: what they say, and what they never hold."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import SETS
from gateway.provider.answers import Asked
from gateway.provider.records import COUNTED, Records
from tests.provider.parts import ANNA, NOW, Trail


async def test_a_minted_token_names_its_visitor_by_pseudonym(trail: Trail) -> None:
    counted: list[str] = []
    records = Records(trail, counted.append)
    await records.minted(
        Asked(NOW, "request-1", "2001:db8:1:2::3"), token="gwa_secret", kind="access", client="genesys",
        expires_at=NOW + 900, person=ANNA, scopes=("openid", "email"), backend=None,
    )  # fmt: skip
    (record,) = trail.records
    assert record.action.name == "token.minted"
    assert record.fields["client.ip"] == "2001:db8:1::"
    assert record.fields["gateway.token.scopes"] == ["email", "openid"]
    assert record.fields["user.id"] == trail.pseudonym("shop", ANNA.sub, NOW)
    assert record.fields["gateway.ref.session"] == trail.ref("session", ANNA.session_id)
    assert "gwa_secret" not in repr(record)
    assert counted == []


async def test_a_revocation_says_why(trail: Trail) -> None:
    counted: list[str] = []
    records = Records(trail, counted.append)
    await records.revoked(Asked(NOW), token="t", kind="code", client="genesys", reason="replayed")
    await records.revoked(Asked(NOW), token="t", kind="refresh", client="genesys", reason="asked")
    assert [record.fields["event.reason"] for record in trail.records] == ["replayed", "asked"]
    assert counted == ["replay_revoked", "revoked"]
    assert set(counted) <= set(COUNTED)
    assert "client.ip" not in trail.records[0].fields


async def test_a_revocation_that_cannot_be_recorded_is_not_counted(trail: Trail) -> None:
    counted: list[str] = []
    trail.failure = Refusal(errors.AUDIT_UNAVAILABLE)
    with pytest.raises(Refusal):
        await Records(trail, counted.append).revoked(Asked(NOW), token="t", kind="code", client="g", reason="replayed")
    assert counted == []


def test_every_counted_word_has_its_series() -> None:
    assert set(SETS["oauth_grant"]) == set(COUNTED)
    metrics = Metrics()
    Records(Trail(), lambda word: metrics.oauth_grants.child(word).inc()).count("code_minted")
    text, _ = metrics.exposition("text/plain")
    assert b'gateway_oauth_grants_total{grant="code_minted"} 1.0' in text


def test_counting_hands_the_word_on() -> None:
    counted: list[str] = []
    Records(Trail(), counted.append).count("code_minted")
    assert counted == ["code_minted"]
