"""Sealed values open for their own record only."""

from __future__ import annotations

import os

import pytest

from gateway.store.sealing import SealBroken, Sealer

KEY = b"k" * 32


def test_what_is_sealed_opens_in_its_place_only() -> None:
    sealer = Sealer({1: KEY}, os.urandom)
    sealed = sealer.seal(b"token", b"site/s1")
    assert b"token" not in sealed
    assert sealer.open(sealed, b"site/s1") == b"token"
    with pytest.raises(SealBroken):
        sealer.open(sealed, b"site/s2")


def test_any_changed_byte_is_noticed() -> None:
    sealer = Sealer({1: KEY}, os.urandom)
    sealed = sealer.seal(b"token", b"c")
    for position in range(len(sealed)):
        spoilt = bytearray(sealed)
        spoilt[position] ^= 1
        with pytest.raises(SealBroken):
            sealer.open(bytes(spoilt), b"c")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:length], b"c")


def test_an_older_key_of_the_ring_still_opens_and_the_newest_seals() -> None:
    old, both, new = Sealer({1: KEY}, os.urandom), Sealer({1: KEY, 2: b"n" * 32}, os.urandom), None
    sealed = old.seal(b"token", b"c")
    assert both.open(sealed, b"c") == b"token"
    assert both.seal(b"token", b"c")[0] == 2
    new = Sealer({2: b"n" * 32}, os.urandom)
    with pytest.raises(SealBroken):
        new.open(sealed, b"c")


@pytest.mark.parametrize("keys", [{}, {0: KEY}, {256: KEY}, {1: b"short"}])
def test_a_ring_without_proper_keys_is_refused(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError):
        Sealer(keys, os.urandom)


def test_a_sealer_shows_no_key() -> None:
    assert "kkkk" not in repr(Sealer({1: KEY}, os.urandom))
