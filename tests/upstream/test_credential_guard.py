"""However a body is cut into pieces, it passes whole or the credential does not pass at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.leaks import masked
from gateway.upstream.credential_guard import MAX_HELD_BYTES, CredentialInBody, guarded, masked_stream

SECRET = b"abcab-secret"
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
HANDLE = b"gws_" + b"A" * 43
BEARER = b"Bearer abcdefghijklmnopqrstuvwxyz*0123"


async def pieces(body: bytes, cuts: list[int]) -> AsyncIterator[bytes]:
    """The body, cut at these places."""
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    for start, end in pairwise(places):
        yield body[start:end]


@given(before=st.binary(max_size=40), after=st.binary(max_size=40), cuts=st.lists(st.integers(0, 100), max_size=12))
async def test_credential_never_passes(before: bytes, after: bytes, cuts: list[int]) -> None:
    passed = b""
    with pytest.raises(CredentialInBody):  # noqa: PT012 - what passed before the raise is what is judged
        async for piece in guarded(pieces(before + SECRET + after, cuts), SECRET):
            passed += piece
    assert before.startswith(passed)


@given(body=st.binary(max_size=100), cuts=st.lists(st.integers(0, 100), max_size=12))
async def test_other_bodies_pass_whole(body: bytes, cuts: list[int]) -> None:
    passed = [piece async for piece in guarded(pieces(body, cuts), SECRET)]
    assert b"".join(passed) == body
    assert b"" not in passed


async def test_without_credentials_nothing_is_held_back() -> None:
    assert [piece async for piece in guarded(pieces(b"abcdef", [2, 4]), b"")] == [b"ab", b"cd", b"ef"]


BODY = b'{"entities": [{"a": "%s"}, {"access_token": "abc def"}, {"b": "%s"}], "c": "%s"}' % (JWT, HANDLE, BEARER)


@pytest.mark.parametrize("size", [1, 2, 7, 50, 1_000])
async def test_a_stream_is_masked_as_the_whole_is(size: int) -> None:
    got = b"".join([piece async for piece in masked_stream(pieces(BODY, list(range(0, len(BODY), size))))])
    assert got == masked(BODY)
    assert JWT not in got


async def test_a_stream_without_breaks_is_not_held_for_ever() -> None:
    body = b"x" * (3 * MAX_HELD_BYTES)
    got = [piece async for piece in masked_stream(pieces(body, list(range(0, len(body), MAX_HELD_BYTES - 1))))]
    assert (b"".join(got), len(got) > 1) == (body, True)
