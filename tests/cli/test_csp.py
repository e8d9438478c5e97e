"""`gateway csp` by its users' eyes: one header to paste, and what may go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run

SHIPPED = ["--config", str(Path(__file__).resolve().parents[2] / "config.toml")]
BOTH = ["--set", "sites.shop.migration.old_script=https://static.example/s.js", "--set", "sites.shop.migration.share=5"]


def test_the_header_is_one_line_to_paste(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["csp", "shop", *SHIPPED]) == Exit.OK
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Content-Security-Policy: script-src 'nonce-{NONCE}' 'strict-dynamic'; connect-src http://")


@pytest.mark.parametrize(("more", "words"), [([], "These may go:"), (BOTH, "Once [sites.X.migration] share is 100")])
def test_coming_from_zendesk_it_says_what_may_go_and_when(
    more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["csp", "shop", "--from", "zendesk", *SHIPPED, *more]) == Exit.OK
    out = capsys.readouterr().out
    assert words in out
    assert "wss://widget-mediator.zopim.com" in out


def test_json_holds_header_directives_and_what_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["csp", "shop", "--by-host", "--from", "zendesk", "-o", "json", *SHIPPED]) == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert document["directives"]["script-src"] == ["http://127.0.0.1:8080"]
    assert document["leaving_now"] is True
    assert document["header"].startswith("script-src http://127.0.0.1:8080;")
