"""What an answer's head and body are read as: usable or not, with or without a credential, and what a filter leaves."""

from __future__ import annotations

import pytest

from gateway.errors import UPSTREAM_BAD_ANSWER, Refusal
from gateway.upstream.rest_answer import passing_body, picked_body, refuse_unusable, tree_for, tree_of


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        (302, {}, "A redirect"),
        (200, {b"content-type": b"Text/HTML; charset=utf-8"}, "HTML"),
        (403, {b"content-type": b"application/xhtml+xml"}, "HTML"),
        (200, {b"content-encoding": b"br"}, "encoded"),
    ],
)
def test_what_the_api_never_gives_is_refused(status: int, fields: dict[bytes, bytes], words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        refuse_unusable(status, fields | {b"retry-after": b"7"})
    assert (caught.value.reason, caught.value.retry_after_s) == (UPSTREAM_BAD_ANSWER, 7)


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
def test_what_the_api_gives_passes(status: int) -> None:
    refuse_unusable(status, {b"content-type": b"application/json"})
    refuse_unusable(status, {b"content-type": b"application/json; charset=utf-8", b"content-encoding": b"Identity"})
    refuse_unusable(status, {})


@pytest.mark.parametrize(
    ("body", "fields"), [(b" <html>", {}), (b'{"a": "the-secret"}', {b"content-type": b"application/json"})]
)
def test_markup_without_a_type_and_our_own_credential_are_refused(body: bytes, fields: dict[bytes, bytes]) -> None:
    with pytest.raises(Refusal):
        passing_body(body, fields, b"the-secret", None)


def test_a_body_passes_that_holds_no_credential() -> None:
    assert passing_body(b'{"a": "b"}', {}, b"the-secret", None) == b'{"a": "b"}'
    assert passing_body(b'{"a": "the-secret"}', {}, b"", None) == b'{"a": "the-secret"}'


def test_a_filtered_body_is_searched_before_and_masked_after() -> None:
    tree = tree_of((("a",),))
    assert passing_body(b'{"a": {"jwt": "x"}, "b": 1}', {}, b"", tree) == b'{"a":{"jwt":"*"}}'
    assert passing_body(b"", {}, b"", tree) == b""
    with pytest.raises(Refusal, match="credential"):
        passing_body(b'{"a": 1, "b": "the-secret"}', {}, b"the-secret", tree)


@pytest.mark.parametrize(("status", "is_filtered"), [(200, True), (299, True), (404, False), (304, False)])
def test_an_error_keeps_its_body_on_a_route_that_filters(status: int, *, is_filtered: bool) -> None:
    assert (tree_for((("a",),), status) is not None) is is_filtered
    assert tree_for((), status) is None


def test_a_filter_leaves_what_it_lists_and_refuses_what_it_cannot_read() -> None:
    tree = tree_of((("a", "b"),))
    assert picked_body(b'{"a": {"b": 1, "c": 2}, "d": 3}', tree) == b'{"a":{"b":1}}'
    assert tree_of((("a", "b"),)) is tree
    with pytest.raises(Refusal, match="filters"):
        picked_body(b"not json", tree)
