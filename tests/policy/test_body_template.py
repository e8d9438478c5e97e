"""Body templates: what is a placeholder, what is a fault, and that nothing put in gets out of its string."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.body_template import BodyFault, BodyTemplate, Placeholder, parse_body

VALUES = {"conversationId": "c-1", "guest_id": "g-1", "site": "shop", "external_id": "anna", "verified": "true"}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({}, "{}"),
        ({"state": "disconnected"}, '{"state":"disconnected"}'),
        ({"a": "{guest_id}"}, '{"a":"g-1"}'),
        ({"a": "x {guest_id}/{site} y"}, '{"a":"x g-1/shop y"}'),
        ({"a": "{{{site}}}", "b": "{{site}}", "c": "}}{{"}, '{"a":"{shop}","b":"{site}","c":"}{"}'),
        ({"a": {"b": ["{site}", ["{verified}"], 1]}, "c": []}, '{"a":{"b":["shop",["true"],1]},"c":[]}'),
        ({"n": 1, "f": 1.5, "t": True, "z": None}, '{"n":1,"f":1.5,"t":true,"z":null}'),
        ({"é": 'ü"\\\n{conversationId}'}, '{"é":"ü\\"\\\\\\nc-1"}'),
    ],
)
def test_placeholders_in_texts_are_filled_and_all_else_stands_as_it_is(body: dict[str, object], sent: str) -> None:
    assert parse_body(body).fill(VALUES).decode() == sent


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"a": "{"}, "stands alone"),
        ({"a": "x}"}, "stands alone"),
        ({"a": ["{a{b}"]}, "stands alone"),
        ({"a": {"{site}": 1}}, "in its name"),
        ({"}": 1}, "in its name"),
    ],
)
def test_a_brace_that_means_nothing_is_a_fault(body: dict[str, object], says: str) -> None:
    with pytest.raises(BodyFault, match=says):
        parse_body(body)


def test_a_template_knows_its_names_and_shows_itself() -> None:
    template = parse_body({"a": "{site} and {guest_id}", "b": "{site}"})
    assert template.names == {"site", "guest_id"}
    assert str(template) == '{"a":"{site} and {guest_id}","b":"{site}"}'
    assert parse_body({"a": ""}).names == frozenset()


def test_what_stands_together_is_one_piece() -> None:
    assert parse_body({"a": [1, "x"], "b": "y"}).parts == (b'{"a":[1,"x"],"b":"y"}',)
    assert parse_body({"a": "{site}"}) == BodyTemplate((b'{"a":"', Placeholder("site"), b'"}'))


@given(st.text())
def test_whatever_is_put_in_stays_one_text_and_is_not_searched(value: str) -> None:
    filled = parse_body({"a": "<{site}>", "b": "{guest_id}"}).fill({"site": value, "guest_id": "{site}"})
    assert orjson.loads(filled) == {"a": f"<{value}>", "b": "{site}"}


def test_what_utf_8_cannot_say_is_escaped() -> None:
    assert parse_body({"a": "{site}"}).fill({"site": "\ud800"}) == b'{"a":"\\ud800"}'


_TEXT = st.text(st.characters(exclude_characters="{}", codec="utf-8"))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_TEXT, _JSON, max_size=4))
def test_a_body_without_braces_is_sent_as_it_always_was(body: dict[str, object]) -> None:
    template = parse_body(body)
    assert template.fill({}) == orjson.dumps(body)
    assert json.loads(str(template)) == body
