"""`gateway inspect-token`: reads standard input, tells the kind, and asks Genesys only when told to."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.mock.server import MockSettings, running_mock
from tests.login_stack import visitor_token

SHIPPED = str(Path(__file__).resolve().parents[2] / "config.toml")


def given(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(token.encode())))


@pytest.mark.parametrize(
    ("token", "code", "words"),
    [
        ("gws_" + "A" * 43, Exit.OK, "handle: a guest session"),
        (visitor_token(), Exit.OK, "Zendesk messaging JWT"),
        ("goGg3eXDl_veBL4GZIc4OgY-ceZUPb21IKhazssj", Exit.OK, "--online asks tokens/me"),
        ("", Exit.FAILED, "unreadable"),
    ],
)
def test_the_kind_is_told_and_the_token_is_not(
    token: str, code: Exit, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, token)
    assert run(["inspect-token"]) == code
    out = capsys.readouterr().out
    assert words in out
    assert not token or token not in out
    assert "ada@shop.example" not in out


def test_a_token_as_an_argument_is_not_taken_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect-token", "gws_" + "A" * 43]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "standard input" in said
    assert "AAAA" not in said


async def test_online_tells_whose_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async with running_mock(MockSettings.free_ports()) as mock:
        client = mock.world.client_named("reader")
        assert client is not None
        api = ["--config", SHIPPED, "--set", f"orgs.acme.endpoints.api={mock.endpoints.api}", "--online"]
        given(monkeypatch, mock.world.issue_token(client, frozenset()).value)
        assert await asyncio.to_thread(run, ["inspect-token", *api, "acme"]) == Exit.OK
        assert "client reader (c0ffee00" in capsys.readouterr().out
        given(monkeypatch, mock.world.issue_token(client, frozenset()).value)
        assert await asyncio.to_thread(run, ["inspect-token", "-o", "json", *api, "acme"]) == Exit.OK
        assert json.loads(capsys.readouterr().out)["owner"]["client_name"] == "reader"
        given(monkeypatch, "not-a-token-of-this-organisation")
        assert await asyncio.to_thread(run, ["inspect-token", *api, "acme"]) == Exit.UNREACHABLE
        assert "token.not_taken" in capsys.readouterr().err
        given(monkeypatch, "not-a-token-of-this-organisation")
        assert await asyncio.to_thread(run, ["inspect-token", *api, "nobody"]) == Exit.USAGE
