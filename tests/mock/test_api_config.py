"""mock_api_config.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.mock.api_config import ApiConfigInvalid, Demand, load_api_config, read_api_config
from gateway.mock.catalogue import Catalogue

ROW: dict[str, Any] = {"id": "getDate", "auth": "oauth", "perm": "NONE"}


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue({"GET /api/v2/date": ROW})


def test_demands_are_read_and_invented_endpoints_join_the_catalogue(catalogue: Catalogue, tmp_path: Path) -> None:
    file = tmp_path / "mock_api_config.json"
    endpoints = {"GET /api/v2/date": {"permissions": ["a:b:c"]}, "POST /api/v2/x/{y}": {"invented": True}}
    file.write_text(json.dumps({"endpoints": endpoints}))
    demands = load_api_config(file, catalogue)
    assert demands["GET /api/v2/date"] == Demand(permissions=("a:b:c",))
    found = catalogue.find("POST", "/api/v2/x/1")
    assert found is not None
    assert found[0].id == "invented"


def test_all_faults_are_told_together(catalogue: Catalogue) -> None:
    endpoints: dict[str, Any] = {
        "DATE": {},
        "GET /api/v2/none": {},
        "GET /api/v2/date": {"scope": "x", "scopes": "y", "match": "SOME", "invented": True},
        "PUT /api/v2/date": 5,
    }
    with pytest.raises(ApiConfigInvalid) as invalid:
        read_api_config({"endpoints": endpoints}, catalogue)
    text = str(invalid.value)
    for part in (
        "DATE: must be `METHOD /path`",
        "GET /api/v2/none: not an operation",
        "unknown member scope",
        "scopes must be a list",
        "match must be ANY or ALL",
        "exists at Genesys Cloud",
        "PUT /api/v2/date: must be an object",
    ):
        assert part in text


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_file_without_endpoints_is_refused(catalogue: Catalogue, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ApiConfigInvalid):
        load_api_config(tmp_path / "x.json", catalogue)
