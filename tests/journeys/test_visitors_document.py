"""docs/visitors.md says what is so: its codes, metrics, tests, keys and records exist."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.config import shape
from gateway.errors import REASONS
from gateway.observe.audit.actions import ACTIONS
from gateway.observe.metrics_table import TABLE
from gateway.policy.visitors import PROFILES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "visitors.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", TEXT)
    assert len(named) >= 9
    assert [name for name in named if f"def {name}(" not in written] == []
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", TEXT) if not (ROOT / path).is_file()] == []


def test_every_code_metric_and_record_that_is_named_exists() -> None:
    assert set(re.findall(r"`((?:dpop|store|visitor)\.\w+)`", TEXT)) <= REASONS.keys()
    assert set(re.findall(r"`(gateway_\w+)", TEXT)) <= {row.name for row in TABLE}
    assert set(
        re.findall(r"`((?:session|token|proxy)\.(?:issued|denied|minted|refused|revoked|allowed))`", TEXT)
    ) <= set(ACTIONS)


def test_every_kind_of_issuer_is_described() -> None:
    assert [kind for kind in PROFILES if f"| `{kind}`" not in TEXT] == []


def test_the_configuration_keys_that_are_named_exist() -> None:
    known = {key.dotted.rpartition(".")[2] for key in shape.every_key()}
    named = ("on_failure", "step_up", "genesys_login", "lookup_days", "allow_at", "brand", "dpop", "idle_s", "one_use")
    assert [name for name in named if name not in known or name not in TEXT] == []
