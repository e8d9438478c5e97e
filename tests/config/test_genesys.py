"""The shipped facts load from the package, once."""

from __future__ import annotations

import pytest

from gateway.config import genesys
from gateway.policy.regions import RegionUnknown


def test_the_shipped_facts_load_once_per_process() -> None:
    assert genesys.catalogue() is genesys.catalogue()
    assert genesys.region_table() is genesys.region_table()
    assert len(genesys.region_table().regions) == 18


def test_a_region_resolves_by_the_shipped_table() -> None:
    assert genesys.resolve_region("dublin").aws_region == "eu-west-1"
    with pytest.raises(RegionUnknown):
        genesys.resolve_region("nowhere")
