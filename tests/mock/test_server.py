"""Starting and stopping a mock, and what it may import."""

import ast
import asyncio
from pathlib import Path

import aiohttp
import pytest

from gateway.mock.default_world import default_world
from gateway.mock.model import OidcIntegration
from gateway.mock.server import MockSettings, PublicBindRefused, check_host, running_mock

ROOM = Path(__file__).resolve().parents[2] / "gateway" / "mock"


async def test_free_ports_are_taken_and_told() -> None:
    async with running_mock(MockSettings.free_ports()) as mock:
        ends = mock.endpoints
        urls = [ends.login, ends.api, ends.cdn, ends.webmessaging, ends.apps, ends.upload, ends.control]
        assert len(set(urls)) == 7
        assert all(url.rpartition(":")[2] not in ("0", "") for url in urls)
        assert mock.world.endpoints is ends
        login = ends.login
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(login)


async def test_two_mocks_run_beside_each_other() -> None:
    async with running_mock(MockSettings.free_ports()) as one, running_mock(MockSettings.free_ports()) as two:
        assert one.endpoints.api != two.endpoints.api


async def test_settings_reach_the_world() -> None:
    integration = OidcIntegration(discovery_uri="https://issuer/x")
    settings = MockSettings.free_ports(agent_delay_s=0.5, oidc=integration)
    async with running_mock(settings) as mock:
        assert (mock.world.agent.delay_s, mock.world.oidc) == (0.5, integration)


async def test_open_guest_sockets_are_closed_with_1001_at_the_end() -> None:
    world = default_world()
    deployment = next(iter(world.deployments))
    async with aiohttp.ClientSession() as http:
        async with running_mock(MockSettings.free_ports(), world) as mock:
            url = f"{mock.endpoints.webmessaging}/v1?deploymentId={deployment}"
            socket = await http.ws_connect(url, origin="http://localhost")
            reading = asyncio.create_task(socket.receive(timeout=30))
        await reading
        assert socket.close_code == 1001
        await socket.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_beyond_loopback_needs_the_flag(host: str) -> None:
    with pytest.raises(PublicBindRefused):
        check_host(host, allow_public=False)
    check_host(host, allow_public=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_free(host: str) -> None:
    check_host(host, allow_public=False)


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_the_mock_imports_nothing_of_the_rest(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            assert not name.startswith("gateway") or name.startswith("gateway.mock"), f"{path.name} imports {name}"
