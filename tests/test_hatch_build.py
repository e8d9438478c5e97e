"""The build hook says what is missing before it begins, and leaves editable installs alone."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

import hatch_build
from hatch_build import CompileHook, missing_tools
from tests.compiled import ROOT, compiled_files


def hook(directory: Path) -> CompileHook:
    """The hook as hatchling makes it."""
    config = {"modules": compiled_files()}
    return CompileHook(str(ROOT), config, None, None, str(directory), "wheel")  # type: ignore[arg-type] # not asked for


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert "a C compiler (no-such-compiler)" in missing_tools()


def test_missing_headers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    assert f"the headers of Python ({tmp_path / 'Python.h'})" in missing_tools()
    (tmp_path / "Python.h").touch()
    assert not any("headers" in one for one in missing_tools())


def test_without_a_compiler_the_build_ends_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "missing_tools", lambda: ["a C compiler (cc)"])
    with pytest.raises(SystemExit, match=r"needs a C compiler \(cc\)\. On Debian: apt-get install gcc python3-dev"):
        hook(tmp_path).initialize("standard", {})


def test_an_editable_install_is_never_compiled(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="an editable install stays pure Python"):
        hook(tmp_path).initialize("editable", {})


def test_the_hook_is_off_unless_it_is_asked_for() -> None:
    assert "enable-by-default = false" in (ROOT / "pyproject.toml").read_text()
