"""`gateway serve` as an operator runs it: ready, reloaded, stopped; faults as one line and an exit code."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import http_parser

from gateway.cli.exits import CommandFault
from gateway.cli.serve import require_compiled_parser
from gateway.config.shipped import shipped_config

FREE = ["--set", "server.listen=127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0"]


async def started(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", *arguments, cwd=directory, env=dict(os.environ),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def heard(process: asyncio.subprocess.Process, pattern: bytes) -> bytes:
    """Read stderr until a line fits."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            if re.search(pattern, line):
                return line
    raise AssertionError(f"{pattern!r} was never said")


async def test_the_service_says_where_it_listens_reloads_and_stops(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shipped_config().read_text())
    process = await started(tmp_path, "--config", str(config), *FREE)
    await heard(process, rb"gateway: serving http://127\.0\.0\.1:\d+, admin http://127\.0\.0\.1:\d+")
    process.send_signal(signal.SIGHUP)
    await heard(process, rb"config\.reloaded")
    config.write_text("version = 1\nnonsense = true\n")
    process.send_signal(signal.SIGHUP)
    await heard(process, rb"config\.rejected")
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [("version = 1\n[sites.shop]\norg = 'x'\n", 3), ("nonsense", 3), ("version = 2\n", 3)],
)
async def test_a_configuration_that_cannot_be_used_ends_with_3(tmp_path: Path, text: str, code: int) -> None:
    (tmp_path / "config.toml").write_text(text)
    process = await started(tmp_path)
    _, err = await process.communicate()
    assert process.returncode == code
    assert b"config.invalid" in err
    assert b"Traceback" not in err


async def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    process = await started(tmp_path)
    _, err = await process.communicate()
    assert process.returncode == 3
    assert b"config.missing" in err


def test_the_parser_in_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_compiled_parser()
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(CommandFault, match=r"server\.parser_missing"):
        require_compiled_parser()
