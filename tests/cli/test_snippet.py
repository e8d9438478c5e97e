"""`gateway snippet` by its users' eyes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run

SHIPPED = ["--config", str(Path(__file__).resolve().parents[2] / "config.toml")]


def test_every_way_is_told_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["snippet", "shop", *SHIPPED]) == Exit.OK
    out = capsys.readouterr().out
    assert '  <script async src="http://127.0.0.1:8080/sites/shop/widget.js"></script>' in out
    assert "pinned: With the digest" in out


def test_one_way_alone_is_its_tag(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["snippet", "shop", "--only", "nonce", *SHIPPED]) == Exit.OK
    expected = '<script async nonce="{NONCE}" src="http://127.0.0.1:8080/sites/shop/widget.js"></script>\n'
    assert capsys.readouterr().out == expected


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["snippet", "shop", "-o", "json", *SHIPPED]) == Exit.OK
    assert {each["name"] for each in json.loads(capsys.readouterr().out)} >= {"plain", "pinned", "zendesk"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], Exit.USAGE, "There are: shop."),
        (["shop", "--only", "other"], Exit.USAGE, "there are plain"),
        (["shop", "--set", "server.public_url=", "--set", "oidc.clients={}"], Exit.CONFIG, "Set [server] public_url"),
    ],
)
def test_what_cannot_be_printed_is_said(
    arguments: list[str], code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["snippet", *arguments, *SHIPPED]) == code
    assert words in capsys.readouterr().err
