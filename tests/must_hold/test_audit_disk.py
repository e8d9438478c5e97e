"""A disk that fails under a whole gateway: nothing is granted, refusals are given, and no use is lost."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.app.running import reload
from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.keys import signer_for
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.verify import Options, verify
from tests.stack import BACKEND_ID, BACKEND_KEY, PAGE, QUEUE, Stack, basic, compiled, mock_flags, whole_stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
FAULTS = {"full": ("write", errno.ENOSPC, "enospc"), "fsync fails": ("sync", errno.EIO, "fsync")}


def failing(monkeypatch: pytest.MonkeyPatch, method: str, code: int) -> threading.Event:
    """Every file of every log of this process fails in this way while the event is set."""
    ill = threading.Event()
    sound: Callable[..., Any] = getattr(FileSystem, method)

    def maybe(self: FileSystem, *arguments: Any) -> Any:
        if ill.is_set():
            raise OSError(code, os.strerror(code))
        return sound(self, *arguments)

    monkeypatch.setattr(FileSystem, method, maybe)
    return ill


async def grants(stack: Stack, handle: str) -> dict[str, tuple[int, str | None, str | None]]:
    """Ask for everything that is granted on record: status, code and Retry-After by what it is."""
    form, party = {"grant_type": "client_credentials"}, basic(BACKEND_ID, BACKEND_KEY)
    asked = {
        "session": stack.call("POST", "/session", json={}),
        "renewal": stack.call("POST", "/session", bearer=handle, json={}),
        "ticket": stack.call("POST", "/ticket", bearer=handle, json={}),
        "backend": stack.client.post(f"{stack.url}/oauth/token", data=form, headers=party),
    }
    found: dict[str, tuple[int, str | None, str | None]] = {}
    for name, call in asked.items():
        async with call as answer:
            told = await answer.json()
            found[name] = (answer.status, told.get("code"), answer.headers.get("Retry-After"))
    return found


async def status_of(stack: Stack, method: str, path: str, **options: Any) -> int:
    async with stack.call(method, path, **options) as answer:
        await answer.read()
        return answer.status


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_a_record_nothing_is_granted_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    method, code, reason = FAULTS[fault]
    ill = failing(monkeypatch, method, code)
    async with whole_stack(tmp_path) as stack:
        handle = (await stack.session())["session_token"]
        flags = {**mock_flags(stack.mock), "sites.shop.locale": "de"}
        ill.set()
        refused = await grants(stack, handle)
        assert {name: told[:2] for name, told in refused.items()} == dict.fromkeys(refused, (503, "audit.unavailable"))
        assert all(int(told[2] or 0) >= 1 for told in refused.values())
        assert not await reload(stack.gateway, lambda: compiled(flags), time.time)
        assert stack.gateway.compiled.config.sites["shop"].locale == "en", "no change without a record"
        assert await status_of(stack, "POST", "/session", origin="https://evil.example", json={}) == 403
        assert await status_of(stack, "GET", WAIT, bearer=BACKEND_KEY, origin=PAGE) == 200, "queued: there is room"
        assert await status_of(stack, "GET", "/api/v2/users/me", bearer=handle) == 404, "what was granted still counts"
        assert stack.gateway.metrics.audit_sink_errors.child("file", reason).value > 0
        ill.clear()
        assert {told[0] for told in (await grants(stack, handle)).values()} <= {200, 201}
        assert await reload(stack.gateway, lambda: compiled(flags), time.time)
    written = [one.document for one in search([log_of(tmp_path)], Filter())]
    undone = {one["gateway.undone.id"] for one in written if one["event.action"] == "audit.undone"}
    issued = [
        one for one in written if one["event.action"] == "session.issued" and one["event.id"] not in undone
    ]  # fmt: skip
    assert len(issued) == 3, "the first, and two of the grants after"
    assert [one["gateway.route"] for one in written if one["event.action"] == "proxy.allowed"].count("queue-wait") == 1
    assert verified(tmp_path) == "intact"


def log_of(directory: Path) -> Path:
    """Where the gateway keeps its log."""
    return directory / ".gateway" / "audit"


def verified(directory: Path) -> str:
    """What the verifier says of the log, by the key that the gateway made for itself."""
    own = signer_for(AuditSettings(dir=log_of(directory), dev=True, node="node")).verifier
    return str(verify([log_of(directory)], Options(keys=[own])).verdict)
