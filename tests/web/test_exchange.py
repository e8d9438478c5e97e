"""What handlers share: strict JSON, bounded bodies, single headers."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.errors import Refusal
from gateway.web.exchange import check_single_headers, parse_object, refuse_unknown, text_member


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"{", b'{"a":1}{"b":2}', b'{"a":1,"a":2}', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b"nope"],
)
def test_what_is_not_one_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_object(data)
    assert refused.value.code == "request.json_malformed"


def test_an_object_is_read() -> None:
    assert parse_object(b'{"a": {"b": 1}}') == {"a": {"b": 1}}


@pytest.mark.parametrize("value", [1, "", "x" * 11, [], {}])
def test_a_member_of_another_kind_or_size_is_refused(value: object) -> None:
    with pytest.raises(Refusal):
        text_member({"a": value}, "a", 10)


def test_an_absent_member_is_none() -> None:
    assert text_member({}, "a", 10) is None
    assert text_member({"a": "b"}, "a", 10) == "b"


def test_an_unknown_member_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refusal, match="known are a, b"):
        refuse_unknown({"c": 1}, frozenset({"a", "b"}))


def test_harmless_headers_may_stand_twice() -> None:
    from multidict import CIMultiDict

    request = make_mocked_request("GET", "/", headers=CIMultiDict([("Accept", "a"), ("Accept", "b"), ("Host", "gw")]))
    check_single_headers(request)
