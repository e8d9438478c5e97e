"""Ids of visitors: a table of what each form makes, and of what it refuses."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.policy.guests import guest_id, issuer_subject
from gateway.policy.subjects import IdKey, SubjectRules, anonymous_id, person_key, visitor_id

KEY = IdKey(b"k" * 32, 1, "acme", "shop")
NAMESPACE = uuid.UUID("9c0d9a52-31a4-4a0b-8a26-4cf86ab9b5d1")
HMAC = SubjectRules()


def test_by_default_the_id_is_a_uuid_of_version_8_that_depends_on_everything() -> None:
    found = uuid.UUID(visitor_id(HMAC, KEY, "zendesk", "42"))
    assert (found.version, found.variant) == (8, uuid.RFC_4122)
    others = [
        visitor_id(HMAC, IdKey(b"l" * 32, 1, "acme", "shop"), "zendesk", "42"),
        visitor_id(HMAC, IdKey(b"k" * 32, 2, "acme", "shop"), "zendesk", "42"),
        visitor_id(HMAC, IdKey(b"k" * 32, 1, "other", "shop"), "zendesk", "42"),
        visitor_id(HMAC, IdKey(b"k" * 32, 1, "acme", "club"), "zendesk", "42"),
        visitor_id(HMAC, KEY, "okta", "42"),
        visitor_id(SubjectRules(brand="shoes"), KEY, "zendesk", "42"),
        visitor_id(SubjectRules(brand="hats"), KEY, "zendesk", "42"),
        anonymous_id(HMAC, KEY, "42"),
    ]
    assert len({str(found), *others}) == len(others) + 1


def test_ids_of_before_the_subject_rules_stay_the_same() -> None:
    assert visitor_id(HMAC, KEY, "z", "42") == guest_id(KEY.key, 1, "acme", "shop", issuer_subject("z", "42"))


@pytest.mark.parametrize(
    ("one", "two"),
    [("42", " 42"), ("A", "a"), ("\u00e9", "e\u0301"), ("x", "x "), ("0", "00")],
)
def test_nothing_is_normalised(one: str, two: str) -> None:
    assert visitor_id(HMAC, KEY, "z", one) != visitor_id(HMAC, KEY, "z", two)


def test_base32_is_the_same_128_bits_in_26_characters() -> None:
    text = visitor_id(SubjectRules(form="base32"), KEY, "z", "42")
    assert len(text) == 26
    assert text.isalnum()
    assert text == text.lower()
    assert anonymous_id(SubjectRules(form="base32"), KEY, "s") != anonymous_id(HMAC, KEY, "s")


def test_uuid5_is_what_any_other_system_with_the_namespace_computes() -> None:
    rules = SubjectRules("uuid5", namespace=NAMESPACE)
    assert visitor_id(rules, KEY, "z", "42") == str(uuid.uuid5(NAMESPACE, "42"))
    branded = SubjectRules("uuid5", namespace=NAMESPACE, brand="shoes")
    assert visitor_id(branded, KEY, "z", "42") == str(uuid.uuid5(NAMESPACE, "shoes:42"))


def test_passthrough_is_the_identifier_itself() -> None:
    assert visitor_id(SubjectRules("passthrough"), KEY, "z", "customer-42") == "customer-42"
    assert visitor_id(SubjectRules("passthrough", brand="shoes"), KEY, "z", "42") == "shoes:42"
    assert visitor_id(SubjectRules("passthrough", allow_at=True), KEY, "z", "a@b.c") == "a@b.c"


@pytest.mark.parametrize(
    ("rules", "subject"),
    [
        (SubjectRules("passthrough"), "ada@shop.example"),
        (SubjectRules("passthrough"), "two words"),
        (SubjectRules("passthrough"), "Zo\u00eb"),
        (SubjectRules("passthrough"), "tab\there"),
        (SubjectRules("passthrough"), "x" * 256),
        (SubjectRules("passthrough", brand="shoes"), "x" * 250),
    ],
)
def test_what_passthrough_cannot_carry_is_refused(rules: SubjectRules, subject: str) -> None:
    with pytest.raises(Refusal) as refused:
        visitor_id(rules, KEY, "z", subject)
    assert refused.value.code == "visitor.subject_invalid"
    assert subject not in str(refused.value)


def test_guests_of_whom_nothing_is_known_have_keyed_ids_under_every_rule() -> None:
    assert anonymous_id(SubjectRules("passthrough"), KEY, "s") == anonymous_id(HMAC, KEY, "s")


@pytest.mark.parametrize(
    ("kind", "form", "namespace"),
    [("uuid5", "uuid", None), ("hmac", "uuid", NAMESPACE), ("passthrough", "base32", None)],
)
def test_rules_that_contradict_themselves_are_none(kind: str, form: str, namespace: uuid.UUID | None) -> None:
    with pytest.raises(ValueError, match=r"uuid5|hmac"):
        SubjectRules(kind, form, namespace)  # type: ignore[arg-type]  # parametrized words


def test_the_secret_parts_are_in_no_repr() -> None:
    assert "kkkk" not in repr(KEY)
    assert str(NAMESPACE) not in repr(SubjectRules("uuid5", namespace=NAMESPACE))


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=9), st.text(max_size=9))
def test_no_two_visitors_share_a_key(one: str, two: str, issuer: str, other: str) -> None:
    same = (issuer, one) == (other, two)
    for rules in (HMAC, SubjectRules(brand="b")):
        assert (person_key(rules, issuer, one) == person_key(rules, other, two)) is same


def test_guests_of_two_sorts_with_one_word_are_two() -> None:
    assert anonymous_id(HMAC, KEY, "x") != anonymous_id(HMAC, KEY, "x", "socket")
    assert anonymous_id(HMAC, KEY, "x", "socket") == guest_id(KEY.key, 1, "acme", "shop", issuer_subject("socket", "x"))
