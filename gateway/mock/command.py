"""The command `gateway mock`: reads its files, starts the listeners, says loudly what it is, and ends on a signal.

Answers nothing about the gateway itself; the command line registers `mock_command`.
"""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

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
@click.option(
    "--oidc-discovery",
    default="http://127.0.0.1:8080/.well-known/openid-configuration",
    show_default=True,
    help="Discovery address of the site's OpenID provider, for the code exchange.",
)
@click.option("--agent-delay", "agent_delay_s", type=float, default=0.6, show_default=True, help="Seconds of typing.")
def mock_command(
    host: str,
    world_file: Path | None,
    api_config_file: Path | None,
    allow_public: bool,
    oidc_discovery: str,
    agent_delay_s: float,
    **ports: Any,
) -> None:
    """Run a strict, stateful stand-in for Genesys Cloud: login, API, CDN, guest socket, files, and a control port."""
    settings = MockSettings(
        host=host,
        allow_public=allow_public,
        agent_delay_s=agent_delay_s,
        api_config=_read_json(api_config_file),
    )
    settings = replace(settings, **{name: ports[name] for name in settings.port_names()})
    try:
        world = _world(world_file)
        world.oidc.discovery_uri = world.oidc.discovery_uri or oidc_discovery
        asyncio.run(serve(settings, world))
    except PublicBindRefused as refused:
        _fail(f"{refused}. Add --allow-public if you mean it.", EXIT_USAGE)
    except (WorldFileInvalid, ApiConfigInvalid) as invalid:
        _fail(str(invalid), EXIT_CONFIG)
    except OSError as exc:
        _fail(str(exc), EXIT_RUNTIME)


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


def _world(path: Path | None) -> World:
    if path is None:
        return default_world()
    try:
        return load_world(path)
    except OSError as exc:
        _fail(f"{path}: {exc.strerror}", EXIT_CONFIG)


def _read_json(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        _fail(f"{path}: {exc.strerror}", EXIT_CONFIG)
    except ValueError as exc:
        _fail(f"{path.name}: not JSON: {exc}", EXIT_CONFIG)
    if not isinstance(document, dict):
        _fail(f"{path.name}: not an object", EXIT_CONFIG)
    return document


def _fail(text: str, exit_code: int) -> NoReturn:
    click.echo(f"gateway mock: {text}", err=True)
    raise click.exceptions.Exit(exit_code)
