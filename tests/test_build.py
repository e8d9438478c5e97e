"""Which form of the package runs is told by what would be imported."""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path

import pytest

from gateway.build import WITNESS, build_form
from tests.compiled import compiled_modules


def test_the_witness_is_one_of_the_modules_that_are_compiled() -> None:
    assert WITNESS in compiled_modules()


def test_a_module_of_python_source_is_pure_python() -> None:
    assert build_form("gateway.errors") == "pure Python"


def test_a_module_of_machine_code_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"only_found{importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()  # found, never loaded
    monkeypatch.syspath_prepend(str(tmp_path))
    assert build_form("only_found") == "compiled"


def test_the_form_that_is_told_is_the_form_that_was_imported() -> None:
    __import__(WITNESS)
    loaded = str(sys.modules[WITNESS].__file__)
    assert build_form() == ("pure Python" if loaded.endswith(".py") else "compiled")


def test_a_module_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError):
        build_form("gateway.nowhere")
