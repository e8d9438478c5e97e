"""Token-shaped parts of a body are starred out, whatever carries them, and the length stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import leaks
from gateway.policy.leaks import last_break, masked

JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
HANDLE = b"gws_" + b"A" * 43
BEARER = b"Bearer abcdefghijklmnopqrstuvwxyz*0123"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "%s"}' % JWT, b'{"a": "%s"}' % (b"*" * len(JWT))),
        (b'{"a": "x %s y"}' % BEARER, b'{"a": "x %s y"}' % (b"*" * len(BEARER))),
        (b'{"a": "%s"}' % HANDLE, b'{"a": "%s"}' % (b"*" * len(HANDLE))),
        (b'{"access_token":"short","x":1}', b'{"access_token":"*****","x":1}'),
        (b'{"refreshToken" : "a\\"b"}', b'{"refreshToken" : "****"}'),
        (b'{"jwt": "", "clientSecret": "s"}', b'{"jwt": "", "clientSecret": "*"}'),
        (b'{"clientsecret": "s"}', b'{"clientsecret": "*"}'),
        (b'{"a": "%s"}' % BEARER.replace(b"Bearer", b"bearer"), b'{"a": "%s"}' % (b"*" * len(BEARER))),
        (b'{"idToken": "s", "client_secret": "t"}', b'{"idToken": "*", "client_secret": "*"}'),
        (b'{"text": "Jack_k jk eyJ", "x": "gw_"}',) * 2,
        (b'{"text": "Bearer of news", "token": "next-page", "gw": 1}',) * 2,
        (b'{"id": "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"}',) * 2,
        (b"",) * 2,
    ],
)
def test_what_has_the_shape_of_a_credential_is_starred_out(body: bytes, expected: bytes) -> None:
    assert masked(body) == expected


def test_a_body_without_any_is_the_same_object() -> None:
    body = b'{"results": [{"estimatedWaitTimeSeconds": 42}]}'
    assert masked(body) is body


@given(st.binary(max_size=400))
def test_the_length_never_changes(body: bytes) -> None:
    assert len(masked(body)) == len(body)


FRAGMENTS = [
    JWT,
    HANDLE,
    BEARER,
    b"eyJ",
    b'{"jwt":"a"}',
    b'"id_token": "b"',
    b'"client_secret":"c"',
    b"J_kj",
    b'"',
    b" ",
    b"x",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8))
def test_looking_for_hints_first_hides_no_shape(fragments: list[bytes]) -> None:
    body = b"".join(fragments)
    assert masked(body) == leaks._SHAPES.sub(leaks._star, body)


@pytest.mark.parametrize(("body", "reach"), [(b"abc", 0), (b'{"a":1,"b', 7), (b"x\ny", 2), (b"", 0)])
def test_no_shape_reaches_across_a_break(body: bytes, reach: int) -> None:
    assert last_break(body) == reach
