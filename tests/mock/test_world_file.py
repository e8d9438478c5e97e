"""Worlds from JSON files."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.mock.world_file import WorldFileInvalid, load_world, read_world

CLIENT = {"name": "bot", "id": "c-1", "secret": "s-1", "permissions": ["a:b:c"], "divisions": ["d-1"]}


def test_a_world_is_read_and_absent_sections_keep_their_defaults(tmp_path: Path) -> None:
    document = {
        "org": {"name": "umbrella", "region": "us-east-1", "domain": "mypurecloud.com"},
        "clients": [CLIENT],
        "deployments": [{"id": "dep-1", "allow_all_domains": True}],
        "oidc": {"discovery_uri": "https://issuer/.well-known/openid-configuration"},
        "settings": {"require_origin": False},
    }
    (tmp_path / "world.json").write_text(json.dumps(document))
    world = load_world(tmp_path / "world.json")
    client = world.client_named("bot")
    assert client is not None
    assert (client.permissions, client.divisions) == ({"a:b:c"}, {"d-1"})
    assert world.secret_matches(client, "s-1")
    assert list(world.deployments) == ["dep-1"]
    assert (world.org_name, world.domain, world.require_origin) == ("umbrella", "mypurecloud.com", False)
    assert world.oidc.discovery_uri.startswith("https://issuer")
    assert len(world.queues) == 2


def test_all_faults_are_told_together() -> None:
    document: dict[str, Any] = {
        "planets": [],
        "org": {"color": "red"},
        "clients": [{"name": "x", "id": "y"}, 5, {**CLIENT, "power": 1}],
        "deployments": [{}, {"id": 5}, {"id": "d", "allowed_domains": "x"}],
        "queues": {},
        "agent": {"enabled": "yes"},
        "settings": {"gravity": 1, "require_origin": "yes"},
    }
    with pytest.raises(WorldFileInvalid) as invalid:
        read_world(document)
    for part in (
        "unknown section planets",
        "org.color",
        "clients[0]: client x: secret",
        "clients[1]: a client must be an object",
        "clients[2]: Client.power: unknown",
        "deployments[0]: Deployment",
        "deployments[1]: Deployment.id: must be str",
        "deployments[2]: Deployment.allowed_domains: must be list[str]",
        "queues: must be a list",
        "AgentSettings.enabled: must be bool",
        "settings.gravity: must be left out",
        "settings.require_origin: must be bool",
    ):
        assert part in str(invalid.value)


@pytest.mark.parametrize("text", ["", "[]"])
def test_what_is_no_object_is_no_world(tmp_path: Path, text: str) -> None:
    (tmp_path / "world.json").write_text(text)
    with pytest.raises(WorldFileInvalid):
        load_world(tmp_path / "world.json")
