"""Foreign text comes out as one printable line, and fields as members of one JSON object."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.audit.plain import clean, clean_field, is_plain, members_of
from gateway.observe.redaction import scrub


@pytest.mark.parametrize(
    ("text", "shown"),
    [("https://shop.example", "https://shop.example"), ("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202eevil",
        "\\u202eevil"),
     ("\ud800", "\\ud800"), ("caf\u00e9", "caf\u00e9"), ("a" * 300, "a" * 255), ("\x7f", "\\x7f"),
     ("https://u:p@h/x?token=abc", "https://[redacted]@h/x?[redacted]"), ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA",
         "[jwt]")],
)  # fmt: skip
def test_foreign_text_is_one_clean_line(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.from_regex(r"[0-9A-Za-z-]{1,64}", fullmatch=True))
def test_what_looks_like_an_id_is_shown_as_it_is_because_nothing_is_hidden_in_it(text: str) -> None:
    assert clean(text) == text == scrub(text)


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("gateway.origin", "http://203.0.113.77:8088", "http://203.0.113.77:8088"),
        ("gateway.origin", "https://[2001:db8:1:2::9]", "https://[2001:db8:1:2::9]"),
        ("gateway.origin", "http://shop.example", "http://shop.example"),
        ("gateway.origin", "http://203.0.113.77/path", "http://203.0.113.0/path"),
        ("gateway.origin", "203.0.113.77", "203.0.113.0"),
        ("gateway.origin", "http://u:p@203.0.113.77", "http://[redacted]@203.0.113.0"),
        ("gateway.route", "http://203.0.113.77:8088", "http://203.0.113.0:8088"),
        ("unknown", "203.0.113.77", "203.0.113.0"),
    ],
)
def test_an_origin_keeps_an_address_as_its_host_and_nothing_else_does(name: str, text: str, shown: str) -> None:
    assert clean_field(name, text) == shown
    assert orjson.loads(f"{{{members_of({name: text, 'url.path': 'é'})}}}")[name] == shown


@given(st.text(max_size=300))
def test_plain_text_stands_in_json_as_it_is(text: str) -> None:
    if is_plain(text):
        assert orjson.loads(f'"{text}"') == text


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "é", "\x7f", "a" * 257])
def test_what_is_not_plain_is_told(text: str) -> None:
    assert not is_plain(text)


@given(st.dictionaries(st.sampled_from(["http.request.id", "url.path", "unknown"]), st.text(max_size=400)))
def test_members_are_printable_and_keep_their_names(fields: dict[str, str]) -> None:
    members = members_of(fields)
    assert "\n" not in members
    assert set(orjson.loads(f"{{{members}}}")) == set(fields)


def test_a_lone_surrogate_a_huge_number_and_a_long_list_are_survived() -> None:
    found = orjson.loads(f"{{{members_of({'url.path': chr(0xD800), 'x': 2**70, 'y': ['é'] * 100})}}}")
    assert (found["url.path"], found["x"], len(found["y"])) == ("\\ud800", -1, 64)
