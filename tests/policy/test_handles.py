"""Tests of handles: one spelling, one kind each, and nobody else's token is taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.handles import ENTROPY_BYTES, HandleKind, bearer_of, digest, expect, kind_of, mint

ENTROPY = bytes(range(ENTROPY_BYTES))


@pytest.mark.parametrize("kind", list(HandleKind))
def test_a_minted_handle_is_of_its_kind(kind: HandleKind) -> None:
    handle = mint(kind, ENTROPY)
    assert handle.startswith(kind.value)
    assert kind_of(handle) is kind
    assert expect(handle, kind) == digest(handle)


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_any_entropy_makes_a_well_formed_handle(entropy: bytes) -> None:
    assert kind_of(mint(HandleKind.SESSION, entropy)) is HandleKind.SESSION


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_less_or_more_entropy_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        mint(HandleKind.SESSION, bytes(size))


def test_the_digest_is_hexadecimal_and_tells_nothing_of_the_handle() -> None:
    handle = mint(HandleKind.SESSION, ENTROPY)
    assert re.fullmatch(r"[0-9a-f]{64}", digest(handle))
    assert digest(handle) != digest(mint(HandleKind.TICKET, ENTROPY))


def test_the_digest_of_bytes_that_are_not_text_is_still_a_digest() -> None:
    assert len(digest("gws_\udc80")) == 64


GOOD = mint(HandleKind.SESSION, ENTROPY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gws_",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        "gwx_" + GOOD[4:],
        GOOD[:-1] + "9",  # stray bits: the same 32 bytes in a second spelling
        "gws_" + "é" * 43,
    ],
)
def test_a_spoilt_handle_has_no_kind(text: str) -> None:
    assert kind_of(text) is None


@pytest.mark.parametrize("wanted", list(HandleKind))
@pytest.mark.parametrize("given_kind", list(HandleKind))
def test_no_kind_is_taken_for_another(wanted: HandleKind, given_kind: HandleKind) -> None:
    handle = mint(given_kind, ENTROPY)
    if wanted is given_kind:
        assert expect(handle, wanted)
        return
    with pytest.raises(Refusal) as caught:
        expect(handle, wanted)
    assert caught.value.reason is errors.HANDLE_WRONG_KIND
    assert handle not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        (GOOD[:-1], HandleKind.SESSION, errors.SESSION_INVALID),
        (GOOD[:-1], HandleKind.HISTORY, errors.SESSION_INVALID),
        ("gwt_short", HandleKind.TICKET, errors.TICKET_INVALID),
        ("gwb_short", HandleKind.BACKEND, errors.BACKEND_INVALID),
        ("x" * 86, HandleKind.SESSION, errors.PLATFORM_TOKEN),
        ("eyJhbGciOiJIUzI1NiJ9.e30.x", HandleKind.SESSION, errors.PLATFORM_TOKEN),
        ("", HandleKind.SESSION, errors.PLATFORM_TOKEN),
    ],
)
def test_what_is_no_handle_is_refused_by_what_it_is(text: str, kind: HandleKind, reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        expect(text, kind)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (None, None),
        ("Bearer gws_x", "gws_x"),
        ("bearer gws_x", "gws_x"),
        ("BEARER a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="),
    ],
)
def test_a_bearer_is_read_whatever_the_case_of_its_scheme(header: str | None, credential: str | None) -> None:
    assert bearer_of(header) == credential


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer  x", "Bearer x y", "Bearer x,y", "Basic eDp5", "x"]
)
def test_any_other_authorization_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as caught:
        bearer_of(header)
    assert caught.value.reason is errors.HEADER_INVALID
