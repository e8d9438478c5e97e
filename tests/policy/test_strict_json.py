"""Tests of strict JSON: what two parsers could read differently is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.strict_json import parse_object, parse_object_bytes, serialise


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' {"a": [1, 2.5, -3e2, true, false, null, "x"]} ', {"a": [1, 2.5, -300.0, True, False, None, "x"]}),
        ('{"a":{"b":{"c":"é"}}}', {"a": {"b": {"c": "é"}}}),
        ('{"a":"\\u00e9\\n"}', {"a": "é\n"}),
        ('{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        ('{"a":"\\\\ud800 is text"}', {"a": "\\ud800 is text"}),
        ('{"a":"' + "[{" * 60 + '"}', {"a": "[{" * 60}),
        ('{"a":"\\"' + "[" * 60 + '"}', {"a": '"' + "[" * 60}),
        ('{"a":[' + ",".join(["{}"] * 60) + "]}", {"a": [{}] * 60}),
    ],
)
def test_an_object_is_read(text: str, value: dict[str, object]) -> None:
    assert parse_object(text) == value
    assert parse_object_bytes(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("x", "not JSON"),
        ("{", "not JSON"),
        ("{}{}", "not JSON"),
        ("{'a':1}", "not JSON"),
        ('{"a":1,}', "not JSON"),
        ('{"a":01}', "not JSON"),
        ('{"a":+1}', "not JSON"),
        ('{"a":0x1}', "not JSON"),
        ('{"a":"\t"}', "not JSON"),
        ('{"a":"\\x"}', "not JSON"),
        ("\ufeff{}", "not JSON"),
        ("[]", "not a JSON object"),
        ('"a"', "not a JSON object"),
        ("null", "not a JSON object"),
        ("1", "not a JSON object"),
        ('{"a":1,"a":1}', "key twice"),
        ('{"a":{"b":1,"\\u0062":2}}', "key twice"),
        ('{"a":NaN}', "NaN"),
        ('{"a":Infinity}', "Infinity"),
        ('{"a":-Infinity}', "Infinity"),
        ('{"a":1e999}', "beyond what"),
        ('{"a":"\\ud800"}', "surrogate"),
        ('{"\\udfff":1}', "surrogate"),
        ('{"a":' + "[" * 24 + "]" * 24 + "}", "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_object(text)


def test_an_absurdly_long_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_object('{"a":' + "9" * 5000 + "}")


@pytest.mark.parametrize(
    "data", ['{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32"), b'{"a":"\xff"}', b'{"\xed\xa0\x80":1}']
)
def test_other_encodings_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse_object_bytes(data)


def test_half_a_surrogate_pair_that_is_not_escaped_can_never_be_written_again() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        serialise(parse_object('{"a":"\ud800"}'))


@pytest.mark.parametrize("value", [{"a": 2**64}, {"a": "\ud800"}])
def test_what_parsers_read_differently_is_not_written(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="beyond 64 bits, or half"):
        serialise(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    assert parse_object(serialise(value), max_depth=64) == value
    assert parse_object(json.dumps(value), max_depth=64) == value


@given(st.text(alphabet='{}[]",:\\u0123abdnN.e- \n', max_size=80))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    try:
        value = parse_object(text)
    except ValueError:
        return
    assert json.loads(text) == value


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.booleans(), st.booleans())
def test_compact_text_is_read_as_any_other(value: dict[str, object], compact: bool, escaped: bool) -> None:
    separators = (",", ":") if compact else (" , ", " : ")
    text = json.dumps(value, separators=separators, ensure_ascii=escaped)
    assert parse_object(text, max_depth=64) == json.loads(text)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":NaN}', '{"a":1e999}', '{"a":"\\ud800"}', '{"a":1}{}', '"a"']
)
def test_the_short_cut_lets_nothing_pass_that_the_long_way_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_object(text)
