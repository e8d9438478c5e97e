"""What an answer's head and body are read as: usable or not, with or without a credential, and what a filter leaves."""

from __future__ import annotations

import pytest

from gateway.errors import UPSTREAM_BAD_ANSWER, Refusal
from gateway.upstream import rest_answer
from gateway.upstream.rest_answer import fields_of, picked_body, refuse_body, refuse_unusable, tree_of


def test_fields_are_found_by_any_spelling_the_first_of_each() -> None:
    found = fields_of([(b"Content-TYPE", b"a"), (b"content-type", b"b"), (b"X-Other", b"c"), (b"ETag", b"d")])
    assert found == {"content-type": "a", "etag": "d"}


def test_connection_is_read_in_one_piece() -> None:
    assert fields_of([(b"Connection", b"close"), (b"connection", b"etag")]) == {"connection": "close,etag"}


def test_names_that_somebody_makes_up_fill_no_memory() -> None:
    fields_of([(b"x-made-up-%d" % n, b"") for n in range(3 * rest_answer.MAX_KNOWN_NAMES)])
    assert len(rest_answer._asked_names) <= rest_answer.MAX_KNOWN_NAMES


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        (302, {}, "A redirect"),
        (200, {"content-type": "Text/HTML; charset=utf-8"}, "HTML"),
        (200, {"content-encoding": "br"}, "encoded"),
    ],
)
def test_what_the_api_never_gives_is_refused(status: int, fields: dict[str, str], words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        refuse_unusable(status, fields | {"retry-after": "7"})
    assert (caught.value.reason, caught.value.retry_after_s) == (UPSTREAM_BAD_ANSWER, 7)


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
def test_what_the_api_gives_passes(status: int) -> None:
    refuse_unusable(status, {"content-type": "application/json"})


@pytest.mark.parametrize(
    ("body", "fields"), [(b" <html>", {}), (b'{"a": "the-secret"}', {"content-type": "application/json"})]
)
def test_markup_without_a_type_and_our_own_credential_are_refused(body: bytes, fields: dict[str, str]) -> None:
    with pytest.raises(Refusal):
        refuse_body(body, fields, (b"the-secret",))


def test_a_filter_leaves_what_it_lists_and_refuses_what_it_cannot_read() -> None:
    tree = tree_of((("a", "b"),))
    assert picked_body(b'{"a": {"b": 1, "c": 2}, "d": 3}', tree) == b'{"a":{"b":1}}'
    assert tree_of((("a", "b"),)) is tree
    with pytest.raises(Refusal, match="filters"):
        picked_body(b"not json", tree)
