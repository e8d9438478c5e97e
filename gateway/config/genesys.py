"""Reads the shipped facts about Genesys (regions, operations, beliefs) once, for the pure rooms that reason about them.

Works alike in the source tree and in an installed wheel. Leaves all meaning to `gateway.policy`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from gateway.policy.beliefs import Beliefs, parse_beliefs
from gateway.policy.operations import Catalogue, parse_catalogue
from gateway.policy.regions import Region, RegionTable, parse_regions


@cache
def region_table() -> RegionTable:
    """Return the table of regions; read from the package once per process."""
    return parse_regions(_shipped("genesys-regions.json"))


@cache
def catalogue() -> Catalogue:
    """Return the catalogue of Platform API operations; read from the package once per process."""
    return parse_catalogue(_shipped("genesys-operations.json"))


@cache
def beliefs() -> Beliefs:
    """Return what people believe about Genesys and is not so; read from the package once per process."""
    return parse_beliefs(_shipped("beliefs.json"))


def resolve_region(text: str) -> Region:
    """Return the region that `text` means. Raises `gateway.policy.regions.RegionUnknown`."""
    return region_table().resolve(text)


def _shipped(name: str) -> Any:
    return orjson.loads((files("gateway") / "data" / name).read_bytes())
