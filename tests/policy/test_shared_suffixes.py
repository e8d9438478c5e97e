"""Tests of the table of shared suffixes: its entries are in the form in which origins compare them."""

from __future__ import annotations

import pytest

from gateway.policy.hostnames import is_canonical_host
from gateway.policy.shared_suffixes import SHARED_SUFFIXES


def test_every_suffix_is_a_canonical_host_of_two_labels_or_more() -> None:
    for suffix in SHARED_SUFFIXES:
        assert is_canonical_host(suffix)
        assert "." in suffix


@pytest.mark.parametrize(
    "suffix",
    ["co.uk", "com.au", "github.io", "vercel.app", "cloudfront.net", "s3.amazonaws.com", "blob.core.windows.net"],
)
def test_well_known_suffixes_stand_in_it(suffix: str) -> None:
    assert suffix in SHARED_SUFFIXES


def test_a_name_that_one_party_owns_does_not() -> None:
    assert not {"shop.example", "example.co.uk", "genesys.com"} & SHARED_SUFFIXES
