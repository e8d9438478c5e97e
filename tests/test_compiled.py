"""The rule of the compiled build: what is compiled awaits nothing, and is no part of asyncio's or aiohttp's machinery.

Compiled coroutines have been seen to lose a cancellation, so they stay in Python (docs/performance.md, "Compiled").
"""

from __future__ import annotations

import ast
import importlib
import os
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from gateway.build import build_form
from tests.compiled import ROOT, compiled_files, compiled_modules

ASYNCHRONOUS = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
FOREIGN_BASES = {"asyncio", "aiohttp", "web"}
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)
VIEWS = {"keys", "items"}


def faults_of(source: str) -> list[str]:
    """What of the source breaks the rule."""
    tree = ast.parse(source)
    foreign = {
        alias.asname or alias.name
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in FOREIGN_BASES for alias in node.names
    }  # fmt: skip
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ASYNCHRONOUS) or (isinstance(node, ast.comprehension) and node.is_async):
            found.append("asynchronous")
        elif isinstance(node, ast.ClassDef):
            names = {ast.unparse(base).split(".")[0].split("[")[0] for base in node.bases}
            if names & (FOREIGN_BASES | foreign):
                found.append(f"{node.name} derives from a class of the event loop")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, SET_OPERATORS) and _is_view(node.left, node.right):
            found.append("a dictionary's view is no set in machine code")
    return found


def _is_view(*operands: ast.expr) -> bool:
    return any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in VIEWS and not one.args
        for one in operands
    )


@pytest.mark.parametrize("path", compiled_files())
def test_a_compiled_module_holds_to_the_rule(path: str) -> None:
    assert faults_of((ROOT / path).read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "async def call(): ...",
        "def outer():\n    async def inner(): ...",
        "class Wire(asyncio.Protocol): ...",
        "from aiohttp.web import Response as Answer\nclass Whole(Answer): ...",
        "from asyncio import Future\nclass Waiter(Future[int]): ...",
        "class Door(web.View): ...",
        "both = some & other.keys()",
        "async def numbers():\n    yield 1",
        "def lazily(source):\n    return (one async for one in source)",
    ],
)
def test_what_breaks_the_rule_is_found(source: str) -> None:
    assert faults_of(source)


def test_the_list_is_sorted_and_names_nothing_twice() -> None:
    files = compiled_files()
    assert files == sorted(set(files))


def test_every_listed_module_is_there() -> None:
    assert [path for path in compiled_files() if not (ROOT / path).is_file()] == []


def test_all_listed_modules_are_imported_in_one_form() -> None:
    """`make test-compiled` asks for machine code by EXPECT_COMPILED; nothing may shadow it, or be left behind."""
    wanted = "compiled" if os.environ.get("EXPECT_COMPILED") else build_form()
    assert build_form() == wanted
    wrong = []
    for name in compiled_modules():
        loaded = str(importlib.import_module(name).__file__)
        if loaded.endswith(tuple(EXTENSION_SUFFIXES)) != (wanted == "compiled"):
            wrong.append(loaded)
    assert wrong == []
