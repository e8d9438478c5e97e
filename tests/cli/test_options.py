"""Shared options: the file that is used, and single keys set for one run."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import load_config, print_json


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, prefix: str) -> Path:
    path.write_text(f"version = 1\n[store]\nprefix = '{prefix}'\n")
    return path


def test_the_named_file_goes_before_the_one_in_the_directory_and_the_fallback(here: Path) -> None:
    fallback, named = written(here / "f.toml", "fallback"), written(here / "n.toml", "named")
    assert load_config(None, fallback=fallback).config.store.prefix == "fallback"
    written(here / "config.toml", "directory")
    assert load_config(None, fallback=fallback).config.store.prefix == "directory"
    assert load_config(named, fallback=fallback).config.store.prefix == "named"


def test_without_any_file_the_command_says_how_to_name_one(here: Path) -> None:
    with pytest.raises(CommandFault, match="--config") as caught:
        load_config(None)
    assert caught.value.exit_code is Exit.CONFIG


def test_a_setting_has_the_type_of_its_key(here: Path) -> None:
    path = written(here / "config.toml", "x")
    loaded = load_config(
        path, ("server.drain_s=5", "server.listen=127.0.0.1:1", 'server.trusted_proxies=["10.0.0.0/8"]')
    )
    server = loaded.config.server
    assert (server.drain_s, server.listen, server.trusted_proxies) == (5, "127.0.0.1:1", ("10.0.0.0/8",))
    assert loaded.origins_of_values["server.listen"] == "flag"


@pytest.mark.parametrize("setting", ["novalue", "=x", "server.drain_s=soon"])
def test_a_setting_that_is_none_is_a_usage_error(here: Path, setting: str) -> None:
    with pytest.raises(click.UsageError):
        load_config(written(here / "config.toml", "x"), (setting,))


def test_json_goes_to_stdout_as_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"b": 1, "a": [True]})
    assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": [\n    true\n  ]\n}\n'
