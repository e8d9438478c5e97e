"""All findings together: the shipped file has none, errors come first, and they are raised at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config.checks import check, require_sound, sources_of
from gateway.config.findings import Finding
from gateway.config.load import Loaded, load
from gateway.config.model import Config
from gateway.errors import ConfigFault

Judge = Callable[..., tuple[Finding, ...]]


def test_a_sound_production_configuration_has_no_finding(judge: Judge) -> None:
    assert judge({}) == ()


def test_the_shipped_configuration_has_no_finding(repository: Path) -> None:
    loaded = load(repository / "config.toml", {})
    assert check(loaded, sources_of(loaded, {})) == ()


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        (
            {"oidc.clients.g": {"id": "g", "secret": "env:READER", "sites": ["shup"]}},
            "oidc.clients.g.sites[0]",
            "error",
            "names no site",
        ),
        (
            {"oidc.clients.g": {"id": "g", "secret": "env:READER", "redirect_uris": ["http://x.example/cb"]}},
            "oidc.clients.g.redirect_uris[0]",
            "error",
            "plain http",
        ),
        (
            {"oidc.clients.g": {"id": "g", "secret": "env:READER", "redirect_uris": ["https://x.example/cb#f"]}},
            "oidc.clients.g.redirect_uris[0]",
            "error",
            "fragment",
        ),
        ({"oidc.access_token_s": 300}, "oidc.access_token_s", "warning", "below 900"),
        (
            {"oidc.clients.g": {"id": "g", "secret": "env:READER"}, "server.public_url": ""},
            "server.public_url",
            "error",
            "issuer",
        ),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)


def test_errors_come_first_and_are_raised_together(tmp_path: Path) -> None:
    config = Config(version=1, server={"listen": "x"}, admin={"listen": "y"})  # type: ignore[arg-type]  # as TOML gives it
    loaded = Loaded(config, {}, (), None, tmp_path)
    with pytest.raises(ConfigFault) as caught:
        require_sound(loaded, sources_of(loaded, {}))
    assert [key for key, _ in caught.value.faults][:2] == ["server.listen", "admin.listen"]
