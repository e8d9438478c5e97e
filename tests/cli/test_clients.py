"""`gateway clients`: plan and Terraform offline, drift against a mock that has been changed behind our back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.cli.main import run
from gateway.mock.model import Client, Secret
from gateway.mock.server import MockSettings, RunningMock, running_mock

SHIPPED = ["--config", str(Path(__file__).resolve().parents[2] / "config.toml")]
READS_ROLES = "authorization:role:view"


@pytest.fixture
async def mock() -> AsyncIterator[RunningMock]:
    """A mock whose clients may read their own roles."""
    async with running_mock(MockSettings.free_ports()) as running:
        yield running


def addresses(mock: RunningMock) -> list[str]:
    ends = mock.endpoints
    return [
        *SHIPPED,
        "--set",
        f"orgs.acme.endpoints.api={ends.api}",
        "--set",
        f"orgs.acme.endpoints.login={ends.login}",
    ]


def test_the_plan_shows_routes_and_permissions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["clients", "plan", *SHIPPED]) == Exit.OK
    assert "close-conversation: PATCH /api/v2/conversations/messages/{conversationId}" in capsys.readouterr().out
    surplus = ["--set", 'orgs.acme.clients.closer.permissions=["conversation:communication:disconnect","a:b:c"]']
    assert run(["clients", "plan", *SHIPPED, *surplus]) == Exit.VERIFICATION
    assert "surplus  a:b:c" in capsys.readouterr().out
    assert run(["clients", "plan", *SHIPPED, "-o", "json"]) == Exit.OK
    assert {one["client"] for one in json.loads(capsys.readouterr().out)["clients"]} == {"reader", "closer"}


def test_terraform_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["clients", "terraform", *SHIPPED]) == Exit.OK
    assert 'resource "genesyscloud_oauth_client" "gateway_acme_reader"' in capsys.readouterr().out


async def test_without_leave_to_read_roles_it_is_not_proved(
    mock: RunningMock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(run, ["clients", "drift", *addresses(mock)]) == Exit.UNPROVED
    assert "unproved  orgs.acme.clients.closer: its roles cannot be read" in capsys.readouterr().out


async def test_with_a_reader_of_roles_clients_without_leave_are_as_told(
    mock: RunningMock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, secret = "c0ffee00-0000-4000-8000-0000000000ff", "mock-secret-of-an-auditor"
    mock.world.add_client(Client("auditor", identity, [Secret(secret)], {READS_ROLES}))
    monkeypatch.setenv("ROLE_READER_SECRET", secret)
    words = ["clients", "drift", *addresses(mock), "--reader", identity]
    assert await asyncio.to_thread(run, words) == Exit.OK
    out = capsys.readouterr().out
    assert out.splitlines() == [f"as told   orgs.acme.clients.{name}" for name in ("reader", "closer")]
    monkeypatch.delenv("ROLE_READER_SECRET")
    assert await asyncio.to_thread(run, words) == Exit.USAGE
    assert "ROLE_READER_SECRET" in capsys.readouterr().err


async def test_a_role_that_holds_more_or_less_has_drifted(
    mock: RunningMock, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("reader", "closer"):
        client = mock.world.client_named(name)
        assert client is not None
        client.permissions.add(READS_ROLES)
    closer = mock.world.client_named("closer")
    assert closer is not None
    closer.permissions = {READS_ROLES, "routing:queue:view"}
    assert await asyncio.to_thread(run, ["clients", "drift", *addresses(mock)]) == Exit.VERIFICATION
    out = capsys.readouterr().out
    assert "orgs.acme.clients.closer: its roles lack conversation:communication:disconnect" in out
    assert "hold more than the routes need: authorization:role:view, routing:queue:view" in out


async def test_a_client_that_gets_no_token_or_belongs_elsewhere_has_drifted(
    mock: RunningMock, capsys: pytest.CaptureFixture[str]
) -> None:
    closer = mock.world.client_named("closer")
    assert closer is not None
    closer.active = False
    other = ["--set", "orgs.acme.organization_id=11111111-2222-4333-8444-555555555555"]
    assert (
        await asyncio.to_thread(run, ["clients", "drift", *addresses(mock), *other, "-o", "json"]) == Exit.VERIFICATION
    )
    told = {one["client"]: " ".join(one["differs"]) for one in json.loads(capsys.readouterr().out)["clients"]}
    assert "invalid_client" in told["closer"]
    assert "the token belongs to organisation" in told["reader"]


async def test_a_login_host_that_is_not_there_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    dead = ["--set", "orgs.acme.endpoints.login=http://127.0.0.1:1"]
    assert await asyncio.to_thread(run, ["clients", "drift", *SHIPPED, *dead]) == Exit.UNREACHABLE
    assert "unreachable" in capsys.readouterr().out
