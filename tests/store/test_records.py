"""Records of sessions and handles open in their own place only, and show nothing private."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from gateway.policy.guests import GuestSession
from gateway.store.records import (
    HandleRecord,
    SessionRecord,
    open_handle,
    open_session_record,
    seal_handle,
    seal_session,
)
from gateway.store.sealing import SealBroken, Sealer

SEALER = Sealer({1: b"k" * 32}, os.urandom)
SESSION = GuestSession(
    id="s1",
    site="shop",
    org="acme",
    guest_id="g1",
    verified=True,
    issuer="zendesk",
    external_ref="ann ☃",
    created_at=1.5,
    last_used_at=2.5,
    expires_at=100.5,
    idle_s=1800,
    upstream_token="the-upstream-token",
    display_name="Ann",
    email=None,
)
RECORD = SessionRecord(SESSION, 3, 1.5)


def test_a_session_is_read_back_as_it_was() -> None:
    assert open_session_record(seal_session(RECORD, SEALER), "s1", SEALER) == RECORD


def test_nothing_private_is_readable() -> None:
    value = seal_session(RECORD, SEALER)
    for private in ("the-upstream-token", "ann ☃", "Ann"):
        assert private.encode() not in value


def test_a_session_does_not_open_under_another_id() -> None:
    other = SessionRecord(replace(SESSION, id="s2"), 3, 1.5)
    with pytest.raises(SealBroken):
        open_session_record(seal_session(other, SEALER), "s1", SEALER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"verified":true', b'"verified":null'),
        (b'"g1"', b'"g2"'),
        (b"100.5", b"999.5"),
        (b'"generation":3', b'"generation":2'),
    ],
)
def test_no_public_member_can_be_changed(old: bytes, new: bytes) -> None:
    value = seal_session(RECORD, SEALER)
    assert old in value
    with pytest.raises(SealBroken):
        open_session_record(value.replace(old, new), "s1", SEALER)


@pytest.mark.parametrize("value", [b"", b"{}", b"\n", b"{}\n", b"null\nx"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(SealBroken):
        open_session_record(value, "s1", SEALER)


def test_a_handle_opens_under_its_own_kind_and_digest_only() -> None:
    record = HandleRecord("shop", "s1", 3, 100.5, "the.genesys.jwt")
    value = seal_handle(record, "history", "d1", SEALER)
    assert open_handle(value, "history", "d1", SEALER) == record
    assert b"genesys" not in value
    assert "genesys" not in repr(record)
    for kind, digest in (("session", "d1"), ("history", "d2")):
        with pytest.raises(SealBroken):
            open_handle(value, kind, digest, SEALER)
