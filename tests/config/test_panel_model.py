"""The words and properties that a site may set are those that the panel has, and nothing else passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from gateway.config.load import load
from gateway.config.panel_model import Panel, Property, Word
from gateway.errors import ConfigFault


def test_the_words_are_those_of_the_language_file(repository: Path) -> None:
    text = (repository / "static" / "languages.js").read_text()
    english = text.partition("  en: {")[2].partition("  de: {")[0]
    assert re.findall(r'\b(\w+): "', english) == list(get_args(Word))


def test_the_properties_are_those_of_the_stylesheet(repository: Path) -> None:
    first_block = (repository / "static" / "look.js").read_text().partition(":host {")[2].partition("}")[0]
    assert re.findall(r"^  --gateway-([a-z-]+):", first_block, re.MULTILINE) == list(get_args(Property))


@pytest.mark.parametrize("value", ["#0a7", "8px", 'system-ui, "Segoe UI"', "rgb(1 2 3 / .5)", "var(--brand)"])
def test_any_one_value_of_css_is_a_theme(value: str) -> None:
    assert Panel(theme={"accent": value}).theme == {"accent": value}


@pytest.mark.parametrize("value", ["", "red; x: y", "}", "<", "\\9", "x" * 101])
def test_what_is_more_than_one_value_is_none(value: str) -> None:
    with pytest.raises(ValidationError):
        Panel(theme={"accent": value})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("texts = { titel = 'x' }", "sites.shop.panel.texts.titel: unknown key; did you mean title?"),
        (
            "theme = { background = '#fff' }",
            "sites.shop.panel.theme.background: unknown key; there are accent, on-accent",
        ),
        ("theme = { accent = 'a;b' }", "sites.shop.panel.theme.accent: must be one value of CSS"),
        ("texts = { title = '' }", "sites.shop.panel.texts.title: must not be empty"),
        ("scheme = 'black'", "sites.shop.panel.scheme: must be one of 'light', 'dark' or 'auto'"),
    ],
)
def test_a_fault_is_told_by_its_key(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        "version = 1\n[orgs.acme]\nregion = 'eu-west-1'\n[sites.shop]\norg = 'acme'\n"
        f"deployment_id = '1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10'\n[sites.shop.panel]\n{line}\n"
    )
    with pytest.raises(ConfigFault) as caught:
        load(path, {})
    assert told in str(caught.value)
