"""The shipped configuration is found in the source tree and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import shipped


def test_the_source_tree_has_it_at_its_root(repository: Path) -> None:
    assert shipped.shipped_config() in {repository / "config.toml", repository / "gateway" / "data" / "config.toml"}


def test_a_wheel_has_it_among_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "gateway")
    with pytest.raises(FileNotFoundError):
        shipped.shipped_config()
    (tmp_path / "gateway" / "data").mkdir(parents=True)
    (tmp_path / "gateway" / "data" / "config.toml").write_text("version = 1")
    assert shipped.shipped_config() == tmp_path / "gateway" / "data" / "config.toml"
