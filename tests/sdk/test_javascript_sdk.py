"""The official JavaScript SDK, unchanged, as a backend: every operation of seven API groups through the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.mock.model import DEFAULT_DEPLOYMENT, SUPPORT_QUEUE
from tests.conversations import put_conversation
from tests.sdk.operations import BACKEND_ID, BACKEND_KEY, OPERATIONS, SdkStage, sdk_stage

SCRIPT = Path(__file__).parent / "backend.cjs"
PACKAGE = Path(__file__).resolve().parents[2] / ".cache" / "node" / "node_modules" / "purecloud-platform-client-v2"
MISSING = shutil.which("node") is None or not PACKAGE.is_dir()

pytestmark = pytest.mark.skipif(
    MISSING and "REQUIRE_ALL_TEST_TOOLS" not in os.environ, reason="node or its packages are missing: run .ci/node"
)


async def driven(stage: SdkStage, key: str = BACKEND_KEY) -> tuple[int | None, dict[str, Any], str]:
    """Run the script; its exit code, what it printed, and what it said."""
    world, address = stage.mock.world, urlsplit(stage.url)
    conversations = [put_conversation(world, "shop") for _ in range(3)]
    told = {
        "sdk": str(PACKAGE), "host": address.hostname, "port": address.port, "id": BACKEND_ID, "key": key,
        "conversations": [{"id": one.id, "customer": one.customer_id} for one in conversations],
        "queue": SUPPORT_QUEUE, "deployment": DEFAULT_DEPLOYMENT, "message": "0" * 32,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(json.dumps(told).encode())
    return process.returncode, json.loads(out) if out else {}, err.decode()


async def test_it_calls_every_operation_with_the_least_privilege_of_its_group(tmp_path: Path) -> None:
    async with sdk_stage(tmp_path) as stage:
        code, told, said = await driven(stage)
        assert (code, told.get("errors")) == (0, {}), said
        seen = stage.seen()
        assert set(OPERATIONS) <= seen.keys()
        assert len(OPERATIONS) >= 20
        assert {owner for key, owner in seen.items() if key in OPERATIONS} >= {
            f"client {group}" for group in ("routing", "conversations", "externalcontacts", "webdeployments",
                                            "notifications", "analytics", "oauth")
        }  # fmt: skip
        assert told["token"].startswith("gwb_")
        assert told["results"]["wait"]["results"][0]["estimatedWaitTimeSeconds"] == 42
        assert sum(not one.active for one in stage.mock.world.conversations.values()) == 3


async def test_a_wrong_key_fails_at_login_as_the_sdk_expects(tmp_path: Path) -> None:
    async with sdk_stage(tmp_path) as stage:
        code, _, said = await driven(stage, "not-the-key")
        assert code == 1
        assert "status code 401" in said
