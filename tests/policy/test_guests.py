"""Tests of the guest session: every move of the table, the ends, and ids that only the key can make."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.guests import (
    MOVES,
    Act,
    Event,
    GuestSession,
    Person,
    SessionRules,
    State,
    check_alive,
    ends_at,
    guest_id,
    handle_expires_at,
    issuer_subject,
    next_move,
    open_session,
    refresh_person,
    renew,
    rotates_handle,
    state_of,
    upgrade,
    upstream_token,
)

KEY = bytes(range(32))
NOW = 1_790_000_000.0
RULES = SessionRules(idle_s=600, absolute_s=3600, handle_s=900)
ADA = Person("shop", "ada", "Ada", "ada@shop.example")
BOB = Person("shop", "bob")


def session(person: Person | None = None, now: float = NOW) -> GuestSession:
    return open_session(
        session_id="s1", site="shop", org="acme", guest="g1", token="t1", person=person, rules=RULES, now=now
    )


def test_the_table_knows_every_state_and_event() -> None:
    assert set(MOVES) == {(state, event) for state in State for event in Event}


def test_no_move_lowers_a_verified_session() -> None:
    for event in Event:
        act, after = MOVES[State.VERIFIED, event]
        assert after in {State.VERIFIED, State.ENDED}
        assert (after is State.ENDED) is (act is Act.END)


def test_nothing_but_a_proof_makes_a_session_verified() -> None:
    for (state, event), (_, after) in MOVES.items():
        if after is State.VERIFIED and state is not State.VERIFIED:
            assert event in {Event.PROVE_SAME, Event.PROVE_OTHER}


@pytest.mark.parametrize(
    ("held", "person", "now", "expected"),
    [
        (None, None, NOW, (Act.OPEN, State.ANONYMOUS)),
        (None, ADA, NOW, (Act.OPEN, State.VERIFIED)),
        (session(), None, NOW, (Act.RENEW, State.ANONYMOUS)),
        (session(), ADA, NOW, (Act.UPGRADE, State.VERIFIED)),
        (session(ADA), None, NOW, (Act.RENEW, State.VERIFIED)),
        (session(ADA), ADA, NOW, (Act.RENEW, State.VERIFIED)),
        (session(ADA), BOB, NOW, (Act.REPLACE, State.VERIFIED)),
        (session(ADA), Person("other-issuer", "ada"), NOW, (Act.REPLACE, State.VERIFIED)),
        (session(ADA), Person("shop", "Ada"), NOW, (Act.REPLACE, State.VERIFIED)),
        (session(ADA), ADA, NOW + 600, (Act.OPEN, State.VERIFIED)),
        (session(), None, NOW + 600, (Act.OPEN, State.ANONYMOUS)),
    ],
)
def test_a_call_for_a_session_makes_its_move(
    held: GuestSession | None, person: Person | None, now: float, expected: tuple[Act, State]
) -> None:
    assert next_move(held, person, now) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (None, (Act.OPEN, State.ANONYMOUS)),
        (session(), (Act.RENEW, State.ANONYMOUS)),
        (session(ADA), (Act.REFUSE, State.VERIFIED)),
    ],
)
def test_a_failed_sign_in_never_continues_somebodys_verified_session(
    held: GuestSession | None, expected: tuple[Act, State]
) -> None:
    assert next_move(held, None, NOW, proof_failed=True) == expected


def test_only_a_change_of_identity_takes_the_old_handle_away() -> None:
    assert {act for act in Act if rotates_handle(act)} == {Act.UPGRADE, Act.REPLACE, Act.END}


def test_a_session_ends_at_the_earlier_of_its_two_ends() -> None:
    fresh = session()
    assert ends_at(fresh) == NOW + 600
    assert ends_at(replace(fresh, last_used_at=NOW + 3500)) == NOW + 3600


@pytest.mark.parametrize(
    ("after_s", "state"), [(0, State.ANONYMOUS), (599.9, State.ANONYMOUS), (600, State.ENDED), (99_999, State.ENDED)]
)
def test_a_session_ends_after_its_idle_time(after_s: float, state: State) -> None:
    assert state_of(session(), NOW + after_s) is state


def test_no_session_is_no_state_and_a_proven_one_is_verified() -> None:
    assert state_of(None, NOW) is State.NONE
    assert state_of(session(ADA), NOW) is State.VERIFIED


def test_an_ended_session_is_refused() -> None:
    check_alive(session(), NOW + 599)
    with pytest.raises(Refusal) as caught:
        check_alive(session(), NOW + 600)
    assert caught.value.reason is errors.SESSION_EXPIRED


def test_renewing_moves_the_idle_end_but_never_the_absolute_one() -> None:
    held = session()
    for step in range(1, 7):
        held = renew(held, NOW + step * 599)
    assert ends_at(held) == NOW + 3600
    with pytest.raises(Refusal):
        renew(held, NOW + 3600)


def test_a_clock_that_is_set_back_does_not_age_a_session() -> None:
    assert renew(session(), NOW - 1000).last_used_at == NOW


def test_an_upgrade_keeps_the_conversation_and_takes_the_identity() -> None:
    anonymous = session()
    proven = upgrade(anonymous, "g-ada", ADA, NOW + 60)
    assert (proven.id, proven.upstream_token, proven.created_at, proven.expires_at) == (
        anonymous.id,
        anonymous.upstream_token,
        anonymous.created_at,
        anonymous.expires_at,
    )
    assert (proven.verified, proven.guest_id, proven.issuer, proven.external_ref) == (True, "g-ada", "shop", "ada")
    assert (proven.display_name, proven.email, proven.last_used_at) == ("Ada", "ada@shop.example", NOW + 60)


def test_a_verified_session_is_never_upgraded_to_somebody_else() -> None:
    with pytest.raises(ValueError, match="never upgraded"):
        upgrade(session(ADA), "g-bob", BOB, NOW)


def test_an_ended_session_is_not_upgraded() -> None:
    with pytest.raises(Refusal):
        upgrade(session(), "g-ada", ADA, NOW + 600)


def test_a_new_proof_of_the_same_visitor_refreshes_the_name() -> None:
    again = refresh_person(session(ADA), Person("shop", "ada", "Ada L."), NOW + 5)
    assert (again.display_name, again.email, again.last_used_at) == ("Ada L.", None, NOW + 5)


@pytest.mark.parametrize("held", [session(ADA), session()])
def test_a_proof_of_somebody_else_refreshes_nothing(held: GuestSession) -> None:
    with pytest.raises(ValueError, match="not of this session's visitor"):
        refresh_person(held, BOB, NOW)


def test_a_handle_never_outlives_its_session() -> None:
    assert handle_expires_at(session(), RULES, NOW) == NOW + 900
    assert handle_expires_at(session(), RULES, NOW + 3000) == NOW + 3600


def test_secrets_and_personal_data_stay_out_of_the_repr() -> None:
    text = repr(replace(session(ADA), upstream_token="secret-token")) + repr(ADA)
    for hidden in ("secret-token", "Ada", "ada@shop.example", "'ada'"):
        assert hidden not in text


@pytest.mark.parametrize("made", [guest_id(KEY, 1, "acme", "shop", "ada"), upstream_token(KEY, "shop", "ada")])
def test_ids_are_uuids_of_version_8(made: str) -> None:
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant, str(parsed)) == (8, uuid.RFC_4122, made)


def test_a_guest_id_depends_on_each_of_its_inputs() -> None:
    ids = {
        guest_id(KEY, 1, "acme", "shop", "ada"),
        guest_id(KEY[::-1], 1, "acme", "shop", "ada"),
        guest_id(KEY, 2, "acme", "shop", "ada"),
        guest_id(KEY, 1, "other", "shop", "ada"),
        guest_id(KEY, 1, "acme", "bank", "ada"),
        guest_id(KEY, 1, "acme", "shop", "Ada"),
        upstream_token(KEY, "shop", "ada"),
        upstream_token(KEY, "bank", "ada"),
    }
    assert len(ids) == 8
    assert guest_id(KEY, 1, "acme", "shop", "ada") == guest_id(KEY, 1, "acme", "shop", "ada")


def test_no_two_lists_of_parts_read_alike() -> None:
    assert guest_id(KEY, 1, "a", "bc", "d") != guest_id(KEY, 1, "ab", "c", "d")
    assert guest_id(KEY, 1, "a", "b", "cd") != guest_id(KEY, 1, "a", "bc", "d")


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("a", "a "), ("42", "042"), ("A", "a")])
def test_spellings_that_look_alike_are_different_people(one: str, other: str) -> None:
    assert guest_id(KEY, 1, "acme", "shop", one) != guest_id(KEY, 1, "acme", "shop", other)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_issuers_and_subjects_never_blend(issuer: str, subject: str, other: str, another: str) -> None:
    same = (issuer, subject) == (other, another)
    assert (issuer_subject(issuer, subject) == issuer_subject(other, another)) is same


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        guest_id(b"short", 1, "acme", "shop", "ada")
