"""Which log a command works on: a directory, or what the configuration names."""

from pathlib import Path

import click
import pytest

from gateway.cli.audit_options import anchor_notes, moment, settings_of, trusted_keys
from gateway.cli.exits import CommandFault, Exit
from tests.observe.audit.making import Made, key, pem_of

SHIPPED = Path(__file__).resolve().parents[2] / "config.toml"


def test_a_directory_goes_before_everything(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, SHIPPED, None, None, "n")
    assert (settings.dir, settings.deployment, settings.node, settings.dev) == (tmp_path, "gateway", "n", False)


def test_else_the_configuration_names_it() -> None:
    settings = settings_of(None, SHIPPED, None, None, None)
    assert settings.dir == SHIPPED.parent / ".gateway" / "audit"
    assert settings.dev


def test_a_key_file_is_read_or_named_as_missing(tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(pem_of(1))
    assert settings_of(tmp_path, None, tmp_path / "k", "test", "gw1").key_pem == pem_of(1)
    with pytest.raises(CommandFault) as caught:
        settings_of(tmp_path, None, tmp_path / "none", None, None)
    assert caught.value.exit_code == Exit.FAILED


def test_without_a_named_key_the_logs_own_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "audit-signing.pem").write_bytes(pem_of(1))
    assert trusted_keys(settings_of(tmp_path, None, None, "test", "gw1"), ()) == [key()]
    assert trusted_keys(settings_of(tmp_path / "none", None, None, None, None), ()) == []


def test_the_logs_own_key_is_trusted_under_every_name_it_signed_with(tmp_path: Path) -> None:
    (tmp_path / "audit-signing.pem").write_bytes(pem_of(1))
    Made(tmp_path, node="other-node").add(1).close()
    Made(tmp_path, node="foreign", seed=2).add(1).close()
    assert trusted_keys(settings_of(tmp_path, None, None, None, None), ()) == [key(1, "test/other-node")]


def test_anchors_come_from_files_and_directories(tmp_path: Path) -> None:
    import json

    made = Made(tmp_path / "log").add(2).close()
    note = json.loads(made.path.read_bytes().splitlines()[-1])["gateway.checkpoint.note"]
    (tmp_path / "anchors").mkdir()
    (tmp_path / "anchors" / "a.note").write_text(note, encoding="utf-8")
    assert anchor_notes((str(tmp_path / "anchors"),)) == [note]
    assert anchor_notes((str(tmp_path / "anchors" / "a.note"),)) == [note]


def test_times_on_the_command_line() -> None:
    assert moment(None, 0.0) is None
    assert moment("1m", 100.0) == 40.0
    with pytest.raises(click.UsageError):
        moment("noon", 0.0)
