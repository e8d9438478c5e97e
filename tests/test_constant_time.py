"""Where secrets are compared, they are compared in constant time: a table of places, and no other comparison there."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap

import pytest

PLACES = (
    ("gateway.policy.oauth_forms", "which_accepted"),
    ("gateway.policy.openid", "check_redemption"),
    ("gateway.policy.dpop", "_is_same"),
    ("gateway.provider.backends", "Backends.by_key"),
    ("gateway.config.secrets", "Secret.__eq__"),
    ("gateway.web.admin", "_shows"),
)
"""Every function that decides by comparing something secret with what a caller sent."""


def source_of(module: str, name: str) -> str:
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return textwrap.dedent(inspect.getsource(found))  # type: ignore[arg-type]  # a function of the table


@pytest.mark.parametrize(("module", "name"), PLACES)
def test_secrets_are_compared_in_constant_time(module: str, name: str) -> None:
    assert "hmac.compare_digest(" in source_of(module, name)


@pytest.mark.parametrize(("module", "name"), PLACES[:2])
def test_no_secret_is_compared_by_its_bytes_in_order(module: str, name: str) -> None:
    """`==` stops at the first byte that differs, and so tells how far a guess was right."""
    for node in ast.walk(ast.parse(source_of(module, name))):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            raise AssertionError(ast.unparse(node))


def test_every_guess_costs_the_same_number_of_comparisons() -> None:
    """Of two accepted secrets each is compared, whichever fits, and an unknown client is compared with nobody's."""
    from gateway.policy.oauth_forms import secret_digest, which_accepted

    digests = (secret_digest("one"), secret_digest("two"))
    assert which_accepted(["two"], digests) == digests[1]
    assert which_accepted(["three"], digests) is None
    assert which_accepted(["anything"], (bytes(32),)) is None
