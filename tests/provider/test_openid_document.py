"""docs/openid.md says what is so: its defaults, refusal codes, endpoints and tests exist."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.errors import REASONS
from gateway.policy.openid import discovery
from gateway.provider.tokens import Lives

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "openid.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", TEXT)
    assert len(named) >= 9
    assert [name for name in named if f"def {name}(" not in written] == []
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", TEXT) if not (ROOT / path).is_file()] == []


def test_every_refusal_code_that_is_named_exists() -> None:
    named = re.findall(r"`(oauth\.\w+)`", TEXT)
    assert named
    assert set(named) <= REASONS.keys()


def test_every_endpoint_of_the_discovery_document_is_described() -> None:
    document = discovery("https://x.example", response_iss=False)
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert str(value).removeprefix("https://x.example") in TEXT, name


def test_the_defaults_are_those_of_the_gateway() -> None:
    lives = Lives()
    assert f"| authorization code | {lives.code_s:.0f} s" in TEXT
    assert f"| access token | {lives.access_token_s:.0f} s" in TEXT
    assert f"| id_token | {lives.id_token_s:.0f} s" in TEXT
    assert f"| refresh token | {lives.refresh_s / 3600:.0f} h" in TEXT
    assert f"another {lives.refresh_grace_s:.0f} s" in TEXT
