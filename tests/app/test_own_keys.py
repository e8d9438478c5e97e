"""Own secrets: configured, or made once in development; never silently weak."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gateway.app.own_keys import own_key
from gateway.config.secrets import Secret
from gateway.errors import ConfigFault


def test_a_configured_key_is_used(tmp_path: Path) -> None:
    assert own_key(Secret("k" * 32), tmp_path, "guest", dev=False) == b"k" * 32
    assert list(tmp_path.iterdir()) == []


def test_a_made_key_is_kept_for_the_next_start_and_for_nobody_else(tmp_path: Path) -> None:
    first = own_key(None, tmp_path / "keys", "guest", dev=True)
    assert own_key(None, tmp_path / "keys", "guest", dev=True) == first
    assert stat.S_IMODE((tmp_path / "keys" / "guest.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["guest.key"]


def test_two_keys_are_different(tmp_path: Path) -> None:
    assert own_key(None, tmp_path, "guest", dev=True) != own_key(None, tmp_path, "seal", dev=True)


def test_no_key_is_made_outside_development(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"keys\.guest: is not set"):
        own_key(None, tmp_path, "guest", dev=False)


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="has 5 bytes"):
        own_key(Secret("short"), tmp_path, "guest", dev=True)


def test_an_altered_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "guest.key").write_bytes(b"too short")
    with pytest.raises(ConfigFault, match="altered"):
        own_key(None, tmp_path, "guest", dev=True)


def test_a_place_that_cannot_hold_keys_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigFault, match="cannot be kept"):
        own_key(None, tmp_path / "file", "guest", dev=True)
