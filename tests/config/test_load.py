"""Layers, provenance, and every fault of shape by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import Loaded, load
from gateway.config.shipped import shipped_config
from gateway.errors import ConfigFault

SITE = """
version = 1
[orgs.my-org]
region = "eu-west-1"
[sites.shop]
org = "my-org"
deployment_id = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
origins = ["https://shop.example"]
[[routes]]
name = "a"
match = "GET /a"
"""


def loaded(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **flags: object) -> Loaded:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path, environ or {}, {key.replace("__", "."): value for key, value in flags.items()})


def faults(tmp_path: Path, text: str, environ: dict[str, str] | None = None, **flags: object) -> dict[str, str]:
    with pytest.raises(ConfigFault) as caught:
        loaded(tmp_path, text, environ, **flags)
    return dict(caught.value.faults)


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(tmp_path: Path) -> None:
    text = "version = 1\n[log]\nlevel = 'error'\n"
    environ = {"GATEWAY_LOG__LEVEL": "warning"}
    for got, level, origin in (
        (loaded(tmp_path, "version = 1"), "info", "default"),
        (loaded(tmp_path, text), "error", "file"),
        (loaded(tmp_path, text, environ), "warning", "environment GATEWAY_LOG__LEVEL"),
        (loaded(tmp_path, text, environ, log__level="debug"), "debug", "flag"),
    ):
        assert (got.config.log.level, got.origins_of_values["log.level"]) == (level, origin)


def test_every_effective_value_has_an_origin(tmp_path: Path) -> None:
    got = loaded(tmp_path, SITE, {"GATEWAY_SITES__SHOP__ORIGINS": '["https://b.example"]'})
    assert got.origins_of_values["sites.shop.deployment_id"] == "file"
    assert got.origins_of_values["sites.shop.origins"] == "environment GATEWAY_SITES__SHOP__ORIGINS"
    assert got.origins_of_values["sites.shop.session.idle_s"] == "default"
    assert got.origins_of_values["routes[0].match"] == "file"
    assert got.origins_of_values["routes[0].timeout_s"] == "default"
    assert got.directory == tmp_path


def test_without_a_file_the_environment_alone_makes_a_configuration() -> None:
    got = load(None, {"GATEWAY_VERSION": "1", "GATEWAY_ORGS__ACME__REGION": "euw1"})
    assert got.config.orgs["acme"].region == "euw1"
    assert got.path is None


def test_all_faults_come_together(tmp_path: Path) -> None:
    found = faults(tmp_path, "version = 3\nx = 1\n[log]\nlevel = 'loud'", {"GATEWAY_SERVER__DRAIN_S": "soon"})
    assert set(found) == {"version", "x", "log.level", "server.drain_s"}


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        (b"version = 1\n[server\n", "line 2", "is not TOML"),
        (b"version = 1\nversion = 1\n", "line 2", "is not TOML"),
        (b"version = 1\n# \xff\n", "line 2", "is not UTF-8"),
        (b"x" * (4 * 1024 * 1024 + 1), "config.toml", "is larger"),
    ],
)
def test_a_file_that_cannot_be_parsed_names_the_line(tmp_path: Path, content: bytes, where: str, words: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigFault) as caught:
        load(path, {})
    [(key, message)] = caught.value.faults
    assert where in key
    assert words in message


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="No such file"):
        load(tmp_path / "no.toml", {})


def test_a_plain_secret_stays_out_of_every_repr(tmp_path: Path) -> None:
    got = loaded(
        tmp_path,
        "version = 1\ndev = true\n[backends.a]\nkey = 'canary'\nprevious_key = 'canary'\n[admin]\ntoken = 'canary'",
    )
    assert "canary" not in repr(got)
    assert "canary" not in str(got.config)


def test_a_flag_reaches_into_a_list_by_its_index() -> None:
    loaded = load(shipped_config(), {}, {"sites.shop.visitors.issuers.0.one_use": True})
    assert loaded.config.sites["shop"].visitors.issuers[0].one_use


@pytest.mark.parametrize("index", ["9", "first", "-1"])
def test_a_flag_beyond_a_list_is_a_fault(index: str) -> None:
    with pytest.raises(ConfigFault, match="no index"):
        load(shipped_config(), {}, {f"sites.shop.visitors.issuers.{index}.one_use": True})
