"""Documents tell the truth of today: refusal codes, commands, surfaces and links, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from gateway.cli.main import COMMANDS, cli
from gateway.errors import REASONS
from gateway.web.surface import SURFACES, Surface

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text()


def refusal_table() -> str:
    """docs/refusals.md as the table of reasons says it; `python -m tests.test_docs` writes it."""
    lines = [
        "# Refusals and faults",
        "",
        "Every refusal has one stable `code`: the same word in the answer (RFC 9457 problem details), in the audit log",
        "(`event.reason` or `error.type`), in the metric `gateway_refusals_total{code}`, and here. The answer's `type`",
        "is `urn:gateway:refusal:` and the code. At the OAuth endpoints the code stands beside OAuth's own `error`; on",
        "a WebSocket it begins the text of the frame that answers, or is the reason of the close.",
        "",
        "| code | status | what it means | what to do | OAuth `error` |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{reason.code}` | {reason.status} | {reason.cause} | {reason.remedy} | `{reason.oauth}` |"
        for reason in sorted(REASONS.values(), key=lambda reason: reason.code)
    ]
    return "\n".join(lines) + "\n"


def test_every_refusal_code_is_documented() -> None:
    assert (ROOT / "docs" / "refusals.md").read_text() == refusal_table()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_documented(command: str) -> None:
    text = README + "".join(path.read_text() for path in DOCUMENTS)
    assert f"gateway {command}" in text


@pytest.mark.parametrize("surface", SURFACES, ids=lambda row: str(row.pattern))
def test_every_path_of_the_surface_is_documented(surface: Surface) -> None:
    fixed = "/".join(part for part in surface.pattern if part not in {"*", "?"})
    assert fixed in "".join(path.read_text() for path in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_the_readme_leads_to_every_document(document: Path) -> None:
    assert f"](docs/{document.name})" in README


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_readme_lists_every_command(command: str) -> None:
    assert f"`gateway {command}`" in README


TEXTS = sorted([*DOCUMENTS, *(ROOT / "gateway").rglob("*.py"), *(ROOT / "deploy").rglob("*.py"), ROOT / "config.toml"])
WORDS = re.compile(r"`gateway ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")


def named_commands() -> list[tuple[str, ...]]:
    """Every command that a document, an answer or a remedy names in backticks, as its words."""
    found = {tuple(said.split()) for path in TEXTS for said in WORDS.findall(path.read_text())}
    return sorted(found - {("debug", "request")})  # the purpose that a signed debug request names


@pytest.mark.parametrize("words", named_commands(), ids=" ".join)
def test_every_command_that_somebody_is_sent_to_is_there(words: tuple[str, ...]) -> None:
    assert words[0] in COMMANDS
    command = cli.get_command(click.Context(cli), words[0])
    for word in words[1:]:
        if isinstance(command, click.Group):
            assert word in command.commands, words
            command = command.commands[word]


def test_no_document_names_this_workplace() -> None:
    for document in DOCUMENTS:
        assert "/work/" not in document.read_text()


if __name__ == "__main__":
    (ROOT / "docs" / "refusals.md").write_text(refusal_table())
