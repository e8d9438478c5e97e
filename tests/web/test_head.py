"""What the fields of a request say, and that it is found out once."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.errors import Refusal
from gateway.observe.cells import CounterCell
from gateway.policy.handles import HandleKind, digest, mint
from gateway.web.head import Head, Headers

HANDLE = mint(HandleKind.SESSION, b"\x01" * 32)


def headers(**fields: str) -> Headers:
    return CIMultiDictProxy(CIMultiDict({name.replace("_", "-"): value for name, value in fields.items()}))


def test_a_handle_is_known_by_its_kind_and_digest() -> None:
    credential = Head(headers(Authorization=f"Bearer {HANDLE}")).credential()
    assert credential is not None
    assert (credential.bearer, credential.kind, credential.digest) == (HANDLE, HandleKind.SESSION, digest(HANDLE))
    assert HANDLE not in repr(credential)
    assert digest(HANDLE) not in repr(credential)


def test_a_key_of_a_backend_has_no_kind_and_no_digest() -> None:
    credential = Head(headers(Authorization="Bearer a-key")).credential()
    assert credential is not None
    assert (credential.kind, credential.digest) == (None, "")


def test_nobody_is_no_credential_and_a_wrong_one_is_refused_each_time() -> None:
    assert Head(headers()).credential() is None
    wrong = Head(headers(Authorization="Basic abc"))
    for _ in range(2):
        with pytest.raises(Refusal, match="Authorization"):
            wrong.credential()


def test_what_passes_is_judged_once_and_what_does_not_is_refused_each_time() -> None:
    head = Head(headers(Accept="application/json", Cookie="a=b"))
    assert head.passed().lines == b"accept: application/json\r\n"
    assert head.passed() is head.passed()
    wrong = Head(headers(Accept="a\x7f"))
    for _ in range(2):
        with pytest.raises(Refusal, match="accept"):
            wrong.passed()


def test_beliefs_are_looked_for_once() -> None:
    asked: list[Headers] = []

    def find(found: object) -> tuple[CounterCell, ...]:
        assert isinstance(found, CIMultiDictProxy)
        asked.append(found)
        return ()

    head = Head(headers(Host="gw"))
    assert head.beliefs(find) == head.beliefs(find) == ()
    assert len(asked) == 1


def test_a_head_that_is_kept_reads_its_fields_again() -> None:
    again = headers(Host="gw", Accept="a/b")
    head = Head(headers(Host="gw"), lambda: again)
    assert head.headers is again
    assert head.passed().lines == b"accept: a/b\r\n"
