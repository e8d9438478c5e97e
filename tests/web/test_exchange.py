"""What handlers share: members of JSON, single headers."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.errors import Refusal
from gateway.web.exchange import check_single_headers, refuse_unknown, text_member


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
