"""The table of fields: nothing in it could hold what must not be recorded."""

import re

from gateway.observe.audit.fields import ABOUT, COMMON, FIELDS, OWN, SEAL


def test_groups_do_not_overlap() -> None:
    assert len(FIELDS) == len(COMMON) + len(ABOUT) + len(OWN) + len(SEAL)


def test_patterns_compile_and_every_field_says_what_it_is() -> None:
    for name, field in FIELDS.items():
        assert field.says, name
        if field.pattern:
            assert re.compile(field.pattern).pattern == field.pattern


def test_no_field_is_for_content_or_credentials() -> None:
    for name in FIELDS:
        assert (
            not re.search(r"body\.|header|cookie|authorization|password|query$|email|text|message$", name)
            or name == "gateway.read.query"
        )
