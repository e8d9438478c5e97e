"""Thread 004: closing a web messaging session is 403, for want of a scope that does not exist.

The author's path works; the credential behind it holds one permission; and a role that lacks it is told precisely.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.mock.server import MockSettings
from tests.conversations import put_conversation
from tests.stack import Stack, whole_stack
from tests.threads.people import ask_token, call_as_server

PATCH = "PATCH /api/v2/conversations/messages/{conversationId}"
REASON = {"closeReason": "Agent initiated"}


@asynccontextmanager
async def demanding(directory: Path, endpoints: dict[str, Any]) -> AsyncIterator[Stack]:
    """A gateway over a mock that demands what a mock_api_config.json says."""
    settings = MockSettings.free_ports(agent_delay_s=0.0, api_config={"endpoints": endpoints})
    async with whole_stack(directory, mock_settings=settings) as running:
        yield running


async def test_the_authors_path_closes_the_session_with_the_closers_permission_only(stack: Stack) -> None:
    conversation = put_conversation(stack.mock.world, "shop")
    status, token = await ask_token(
        stack, "/oauth/token", scope="messaging:conversation:close messaging:conversation:view"
    )
    assert status == 200
    assert "conversation:communication:disconnect" in "\n".join(token["warnings"])

    path = f"/api/v2/conversations/messaging/{conversation.id}/close"
    status, body = await call_as_server(stack, "POST", path, REASON, token["access_token"])
    assert (status, body["id"]) == (200, conversation.id)
    assert conversation.ended_by == "client closer"
    sent = [entry for entry in stack.mock.world.recorder.entries if entry.method == "PATCH"]
    assert [entry.raw_body for entry in sent] == [b'{"state":"disconnected"}']
    closer = stack.gateway.compiled.orgs["acme"].clients["closer"]
    assert closer.permissions == ("conversation:communication:disconnect",)


async def test_a_refresh_that_should_widen_scopes_is_refused_by_name(stack: Stack) -> None:
    status, body = await ask_token(
        stack, "/oauth/token", grant_type="refresh_token", refresh_token="your_refresh_token"
    )
    assert status in {400, 401}
    assert body["error"] in {"invalid_grant", "invalid_client", "unsupported_grant_type", "unauthorized_client"}


async def test_a_mock_that_enforces_the_permission_lets_the_closer_through(tmp_path: Path) -> None:
    """The last reply's advice, with the right check: a permission instead of a scope."""
    async with demanding(tmp_path, {PATCH: {"permissions": ["conversation:communication:disconnect"]}}) as stack:
        conversation = put_conversation(stack.mock.world, "shop")
        status, _ = await call_as_server(
            stack, "POST", f"/api/v2/conversations/messaging/{conversation.id}/close", REASON
        )
        assert (status, conversation.active) == (200, False)


async def test_a_role_that_lacks_the_permission_is_told_which_with_genesys_own_words(tmp_path: Path) -> None:
    async with demanding(tmp_path, {PATCH: {"permissions": ["conversation:message:park"]}}) as stack:
        conversation = put_conversation(stack.mock.world, "shop")
        path = f"/api/v2/conversations/messaging/{conversation.id}/close"
        status, body = await call_as_server(stack, "POST", path, REASON)
        assert (status, body["code"]) == (403, "missing.permissions")
        assert "conversation:message:park" in body["message"]
        assert body["contextId"]
        assert conversation.active
