"""The command `gateway mock`, run as a process and through click."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.mock.command import mock_command

PORTS = [
    part
    for name in ("login", "api", "cdn", "webmessaging", "apps", "upload", "control")
    for part in (f"--{name}-port", "0")
]
START = "import sys; from gateway.mock.command import mock_command; mock_command(sys.argv[1:])"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_what_it_is_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, *PORTS, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 30)
    assert first.startswith(b"login         http://127.0.0.1:")
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert b"this is NOT Genesys Cloud" in err
    assert b"client        closer c0ffee00-0000-4000-8000-000000000002" in out
    assert b"Traceback" not in err


def test_beyond_loopback_is_a_usage_error() -> None:
    result = CliRunner().invoke(mock_command, [*PORTS, "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "--allow-public" in result.output


def test_wrong_files_are_configuration_errors(tmp_path: Path) -> None:
    world, demands, broken = tmp_path / "world.json", tmp_path / "api.json", tmp_path / "broken.json"
    world.write_text(json.dumps({"planets": 1}))
    demands.write_text(json.dumps({"endpoints": {"GET /nowhere": {}}}))
    broken.write_text("{")
    for option, path, text in (
        ("--world", world, "unknown section planets"),
        ("--api-config", demands, "not an operation"),
        ("--api-config", broken, "not JSON"),
        ("--api-config", tmp_path / "absent.json", "No such file"),
        ("--world", tmp_path / "absent.json", "No such file"),
    ):
        result = CliRunner().invoke(mock_command, [*PORTS, option, str(path)])
        assert result.exit_code == 3, result.output
        assert text in result.output


async def test_a_taken_port_is_a_run_time_failure() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    arguments = [*PORTS, "--login-port", str(port)]
    result = await asyncio.to_thread(CliRunner().invoke, mock_command, arguments)
    server.close()
    await server.wait_closed()
    assert result.exit_code == 1
