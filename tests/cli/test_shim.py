"""`gateway shim`: what pages use, what needs work first; from a file, a URL, or the configured admin listener."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.app.scripts import static_dir
from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.web.shim_table import as_markdown, read_table
from tests.stack import Stack, whole_stack

SHIPPED = ["--config", str(Path(__file__).resolve().parents[2] / "config.toml")]
COUNTED = """# TYPE gateway_legacy_calls_total counter
gateway_legacy_calls_total{site="shop",call="messenger show"} 9
gateway_legacy_calls_total{site="shop",call="webWidget helpCenter:*"} 2
gateway_legacy_calls_total{site="shop",call="unknown"} 3
gateway_legacy_calls_total{site="club",call="livechat.theme.reload"} 4
# TYPE gateway_other_total counter
gateway_other_total 1
"""


@pytest.fixture
def saved(tmp_path: Path) -> str:
    path = tmp_path / "metrics.txt"
    path.write_text(COUNTED)
    return str(path)


def test_what_is_lost_comes_first_and_is_named(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shim", "report", "--metrics", saved]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["lost", "unknown", "accepted", "works"]
    assert lines[0].endswith("webWidget helpCenter:*: Passed over: there is no help centre in the window.")
    assert lines[4] == "1 lost, 1 unknown, 1 accepted, 1 works"


def test_one_site_alone_as_json(saved: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shim", "report", "--metrics", saved, "--site", "club", "-o", "json"]) == Exit.OK
    (use,) = json.loads(capsys.readouterr().out)
    assert (use["call"], use["views"], use["how_far"]) == ("livechat.theme.reload", 4, "accepted")


def test_nothing_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.txt").write_text("# nothing\n")
    assert run(["shim", "report", "--metrics", str(tmp_path / "none.txt")]) == Exit.OK
    assert "no page has made" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("where", "code", "words"),
    [
        ("nowhere.txt", Exit.USAGE, "metrics.unreadable"),
        ("ftp://a/b", Exit.USAGE, "a file or an http(s) URL"),
        ("http://127.0.0.1:9/metrics", Exit.UNREACHABLE, "metrics.unreachable"),
    ],
)
def test_metrics_that_cannot_be_had_are_said(
    where: str, code: Exit, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["shim", "report", "--metrics", where]) == code
    assert words in capsys.readouterr().err


def test_what_is_no_exposition_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.html").write_text("<html>{</html>\n")
    assert run(["shim", "report", "--metrics", str(tmp_path / "page.html")]) == Exit.FAILED
    assert "metrics.malformed" in capsys.readouterr().err


async def test_the_running_gateway_is_asked_at_its_admin_listener(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with whole_stack(tmp_path) as stack:
        await _use(stack)
        listen = stack.admin_url.removeprefix("http://")
        arguments = ["shim", "report", *SHIPPED, "--set", f"admin.listen={listen}"]
        assert await asyncio.to_thread(run, arguments) == Exit.OK
    assert "shop  livechat.say: Sends the text as the visitor." in capsys.readouterr().out


async def _use(stack: Stack) -> None:
    async with stack.call("POST", "/beacon", json={"kind": "legacy", "calls": ["livechat.say"]}) as answer:
        assert answer.status == 204


def test_the_table_is_printed_as_the_document_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shim", "table"]) == Exit.OK
    assert capsys.readouterr().out == as_markdown(read_table(static_dir()))
