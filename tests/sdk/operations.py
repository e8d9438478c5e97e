"""The operations that both official SDKs call through the gateway, and the configuration that lets one backend do so.

One OAuth client per API group, each holding just what its routes need; the mock's world gets the same clients.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.app.gateway import Surroundings
from gateway.app.running import running
from gateway.config import checks, genesys
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import load
from gateway.config.shipped import shipped_config
from gateway.mock.model import Client, Secret
from gateway.mock.server import MockSettings, RunningMock, running_mock
from tests.stack import mock_flags

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "routing": (
        "GET /api/v2/routing/queues",
        "GET /api/v2/routing/queues/{queueId}",
        "GET /api/v2/routing/queues/{queueId}/estimatedwaittime",
        "GET /api/v2/routing/skills",
        "GET /api/v2/routing/wrapupcodes",
    ),
    "conversations": (
        "GET /api/v2/conversations/{conversationId}",
        "GET /api/v2/conversations/messages/{conversationId}",
        "PATCH /api/v2/conversations/{conversationId}/participants/{participantId}/attributes",
        "POST /api/v2/conversations/messages/{conversationId}/messages/bulk",
        "PATCH /api/v2/conversations/messages/{conversationId}",
        "POST /api/v2/conversations/{conversationId}/disconnect",
        "DELETE /api/v2/conversations/{conversationId}",
    ),
    "externalcontacts": (
        "POST /api/v2/externalcontacts/contacts",
        "GET /api/v2/externalcontacts/contacts/{contactId}",
        "PUT /api/v2/externalcontacts/contacts/{contactId}",
        "PUT /api/v2/externalcontacts/conversations/{conversationId}",
        "DELETE /api/v2/externalcontacts/contacts/{contactId}",
    ),
    "webdeployments": (
        "GET /api/v2/webdeployments/deployments",
        "GET /api/v2/webdeployments/deployments/{deploymentId}",
        "GET /api/v2/webdeployments/configurations",
    ),
    "notifications": (
        "POST /api/v2/notifications/channels",
        "GET /api/v2/notifications/channels",
        "POST /api/v2/notifications/channels/{channelId}/subscriptions",
        "GET /api/v2/notifications/channels/{channelId}/subscriptions",
        "DELETE /api/v2/notifications/channels/{channelId}/subscriptions",
    ),
    "analytics": ("POST /api/v2/analytics/conversations/details/query",),
    "oauth": ("GET /api/v2/oauth/scopes", "GET /api/v2/oauth/clients"),
}
OPERATIONS: Final = tuple(operation for group in GROUPS.values() for operation in group)
BACKEND_ID: Final = "5e41ce00-0000-4000-8000-0000000000bb"
BACKEND_KEY: Final = "another-demo-key-never-use-it-elsewhere"
QUERY: Final = ("pageSize", "pageNumber", "sortOrder", "sortBy", "includechannels", "useMessagingServiceUrl")


@dataclass(frozen=True, slots=True)
class SdkStage:
    """A gateway and a mock, and which operations the mock has seen with which client."""

    url: str
    mock: RunningMock

    def seen(self) -> dict[str, str]:
        """The operations that reached the mock, each with whose bearer it carried."""
        found: dict[str, str] = {}
        for entry in self.mock.world.recorder.entries:
            match = genesys.catalogue().match_path(entry.method, entry.path) if entry.target == "api" else None
            if match is not None and entry.status is not None and entry.status < 300:
                found[match[0].key] = entry.bearer_of or ""
        return found


def client_id_of(group: str) -> str:
    """The id of a group's OAuth client."""
    return f"c0ffee00-0000-4000-8000-0000000001{list(GROUPS).index(group):02d}"


def permissions_of(group: str) -> list[str]:
    """What a role needs for the operations of a group: all of an ALL, one of an ANY, and to find out owners."""
    found: list[str] = ["conversation:communication:view"] if group == "conversations" else []
    for operation in (genesys.catalogue().find(*text.split(" ")) for text in GROUPS[group]):
        assert operation is not None
        if operation.perm == "ALL":
            found += operation.permissions
        elif not set(found) & set(operation.permissions):
            found += operation.permissions[:1]
    return list(dict.fromkeys(found))


def configuration() -> str:
    """The shipped configuration with a client per group, a route per operation, and one backend for all of them."""
    lines = [
        shipped_config()
        .read_text(encoding="utf-8")
        .replace('ownership_client = "reader"', 'ownership_client = "conversations"')
    ]
    lines[0] = lines[0].partition("# --- Calls that may be made")[0]
    names: list[str] = []
    for group, operations in GROUPS.items():
        lines.append(
            f'[orgs.acme.clients.{group}]\nid = "{client_id_of(group)}"\nsecret = "mock-secret-{group}"\n'
            f"permissions = {json.dumps(permissions_of(group))}\n"
        )
        for number, operation in enumerate(operations):
            names.append(f"{group}-{number}")
            owner = 'owner = "conversationId"\n' if group == "conversations" else ""
            types = 'parameters = { channelId = "id" }\n' if "{channelId}" in operation else ""
            lines.append(
                f'[[routes]]\nname = "{names[-1]}"\nmatch = "{operation}"\ncallers = ["backend"]\nclient = "{group}"\n'
                f"query = {json.dumps(QUERY)}\n{owner}{types}"
            )
    lines.append(
        f'[backends.suite]\nid = "{BACKEND_ID}"\nkey = "{BACKEND_KEY}"\nsites = ["shop"]\n'
        f"routes = {json.dumps(names)}\n"
    )
    return "\n".join(lines)


def compiled_for(mock: RunningMock, directory: Path) -> Compiled:
    """That configuration, judged: nothing is missing, and no client holds more than it needs."""
    path = directory / "config.toml"
    path.write_text(configuration(), encoding="utf-8")
    loaded = load(path, {}, mock_flags(mock))
    sources = checks.sources_of(loaded, {})
    found = checks.require_sound(loaded, sources)
    surplus = [one for one in found if one.severity == "high" and ".permissions" in one.key]
    assert surplus == [], surplus
    return compile_config(loaded, sources)


@asynccontextmanager
async def sdk_stage(directory: Path) -> AsyncIterator[SdkStage]:
    """Run both for the length of the block."""
    async with running_mock(MockSettings.free_ports(agent_delay_s=0.0)) as mock:
        for group in GROUPS:
            secret = [Secret(f"mock-secret-{group}")]
            mock.world.add_client(Client(group, client_id_of(group), secret, set(permissions_of(group))))
        async with running(compiled_for(mock, directory), Surroundings(directory)) as run:
            yield SdkStage(run.url, mock)
