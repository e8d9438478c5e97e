"""The command `gateway mock`: reads its files, starts the listeners, says loudly what it is, and ends on a signal.

Answers nothing about the gateway itself; the command line registers `mock_command`.
"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import click

from gateway.mock.api_config import ApiConfigInvalid
from gateway.mock.default_world import default_world
from gateway.mock.server import MockSettings, PublicBindRefused, RunningMock, running_mock
from gateway.mock.world import World
from gateway.mock.world_file import WorldFileInvalid, load_world

EXIT_RUNTIME, EXIT_USAGE, EXIT_CONFIG = 1, 2, 3
_BANNER = """\
**********************************************************************
*  MOCK GENESYS: this is NOT Genesys Cloud. It is a test double with *
*  public secrets. Never point a production site at it.              *
**********************************************************************"""
_PORTS = (
    ("login", 8091),
    ("api", 8092),
    ("cdn", 8093),
    ("webmessaging", 8094),
    ("apps", 8095),
    ("upload", 8096),
    ("control", 8099),
)


@click.command("mock")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only unless told.")
@click.option("--world", "world_file", type=click.Path(dir_okay=False, path_type=Path), help="JSON file of the world.")
@click.option(
    "--api-config",
    "api_config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="mock_api_config.json: scopes or permissions that endpoints demand.",
)
@click.option("--allow-public", is_flag=True, help="Listen beyond loopback all the same. Its secrets are public.")
@click.option("--agent-delay", "agent_delay_s", type=float, default=0.6, show_default=True, help="Seconds of typing.")
def mock_command(
    host: str,
    world_file: Path | None,
    api_config_file: Path | None,
    allow_public: bool,
    agent_delay_s: float,
    **ports: int,
) -> None:
    """Run a strict, stateful stand-in for Genesys Cloud: login, API, CDN, guest socket, files, and a control port."""
    settings = MockSettings(
        host=host,
        allow_public=allow_public,
        agent_delay_s=agent_delay_s,
        api_config=_read_json(api_config_file),
        **ports,
    )
    try:
        asyncio.run(serve(settings, load_world(world_file) if world_file else default_world()))
    except PublicBindRefused as refused:
        raise _failure(f"{refused}. Add --allow-public if you mean it.", EXIT_USAGE) from refused
    except (WorldFileInvalid, ApiConfigInvalid) as invalid:
        raise _failure(str(invalid), EXIT_CONFIG) from invalid
    except OSError as exc:
        raise _failure(str(exc), EXIT_RUNTIME) from exc


for _name, _port in reversed(_PORTS):
    click.option(f"--{_name}-port", type=click.IntRange(0, 65_535), default=_port, show_default=True, help="0: free.")(
        mock_command
    )


async def serve(settings: MockSettings, world: World) -> None:
    """Run the mock until SIGINT or SIGTERM; prints the banner and the addresses first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with running_mock(settings, world) as mock:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        click.echo(_BANNER, err=True)
        click.echo(describe(mock))
        await stop.wait()


def describe(mock: RunningMock) -> str:
    """Return the addresses and the public test credentials of a running mock, one per line."""
    ends, world = mock.endpoints, mock.world
    lines = [f"{name:<14}{getattr(ends, name)}" for name, _ in _PORTS]
    lines.append(f"organization  {world.org_name} ({world.org_id}) in {world.region}")
    lines += [f"deployment    {one.id} ({one.name})" for one in world.deployments.values()]
    lines += [f"client        {one.name} {one.id}" for one in world.clients.values()]
    return "\n".join(lines)


def _read_json(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise _failure(str(exc), EXIT_CONFIG) from exc
    except ValueError as exc:
        raise _failure(f"{path.name}: not JSON: {exc}", EXIT_CONFIG) from exc
    return document if isinstance(document, dict) else {}


def _failure(text: str, exit_code: int) -> click.ClickException:
    failure = click.ClickException(text)
    failure.exit_code = exit_code
    return failure
