"""The README's way from nothing to a served site: its file and its command, as they stand, in an empty directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SECRET = "only-of-this-test-0123456789-abcdefghijklmnop"


def gateway(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run `gateway` there, with the one variable that the file names."""
    command = [sys.executable, "-m", "gateway", *arguments]
    environment = {**os.environ, "ZENDESK_SECRET": SECRET}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the file and the keys of the README."""
    directory = tmp_path_factory.mktemp("site")
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (directory / "config.toml").write_text(textwrap.dedent(block))
    (line,) = re.findall(r"^ +(mkdir -m 700 secrets .*)$", README, re.MULTILINE)
    shell = line.replace("gateway audit", f"{sys.executable} -m gateway audit")
    subprocess.run(["bash", "-euc", shell], cwd=directory, check=True, capture_output=True, timeout=60)
    return directory


def test_the_file_is_sound_without_an_error_or_a_warning(site: Path) -> None:
    judged = gateway("check", directory=site)
    assert judged.returncode == 0, judged.stdout
    assert "0 error, 0 high, 0 warning" in judged.stdout


def test_the_keys_are_for_nobody_else(site: Path) -> None:
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (site / "secrets").iterdir()} == {
        "guest": "0o600",
        "audit.pem": "0o600",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("snippet", "shop", "--only", "plain"),
            '<script async src="https://chat.shop.example/sites/shop/widget.js"></script>',
        ),
        (("csp", "shop"), "connect-src https://chat.shop.example wss://chat.shop.example"),
    ],
)
def test_the_next_steps_work_with_it(site: Path, arguments: tuple[str, ...], told: str) -> None:
    answer = gateway(*arguments, directory=site)
    assert answer.returncode == 0, answer.stderr
    assert told in answer.stdout


def test_every_path_and_scope_of_the_forum_table_is_judged(site: Path) -> None:
    table = README.partition("## Coming from a forum")[2].partition("\n## ")[0]
    believed = re.findall(r"`((?:POST |\.\.\.)?/[^`]*|[a-z]+:[a-z:]+)`", table)
    assert len(believed) == 4
    for text in believed:
        answer = gateway("explain", "--believe", text.replace("...", "POST /api/v2"), directory=site)
        assert answer.returncode == 0, (text, answer.stdout, answer.stderr)
        assert "Use " in answer.stdout


def test_links_into_a_document_lead_to_one_of_its_headings() -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]+)#([^)]+)\)", README):
        headings = re.findall(r"^#+ (.*)$", (ROOT / target).read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-") for line in headings}, target
