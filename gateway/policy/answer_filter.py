"""Lets only the listed members of a JSON answer pass: a route's `answer`, compiled once into a tree.

Pure. Leaves parsing and writing JSON to the caller. The rule: what is not listed does not pass, at any depth; lists are
passed through, each of their elements filtered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Tree = Mapping[str, "Tree | None"]
"""Members by name; None: all of it passes."""


def compile_ways(ways: Iterable[tuple[str, ...]]) -> Tree:
    """`("results", "intent")` and the like as a tree; a shorter way passes all below it."""
    tree: dict[str, Tree | None] = {}
    for way in ways:
        _enter(tree, way)
    return tree


def picked(value: object, tree: Tree) -> object:
    """What of a JSON value passes; a value that has no members passes as it is only where it was named."""
    if isinstance(value, list):
        return [picked(one, tree) for one in value]
    if not isinstance(value, dict):
        return None
    return {
        name: value[name] if below is None else picked(value[name], below)
        for name, below in tree.items()
        if name in value
    }


def _enter(tree: dict[str, Tree | None], way: tuple[str, ...]) -> None:
    name, rest = way[0], way[1:]
    if not rest:
        tree[name] = None
        return
    below = tree.setdefault(name, {})
    if isinstance(below, dict):
        _enter(below, rest)
