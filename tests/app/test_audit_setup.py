"""The audit log gets what the configuration says, and nodes with one store share heads and keys of pseudonyms."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from gateway.app import audit_setup
from gateway.app.audit_setup import StoredSubjectKeys, audit_log, audit_settings, share_keys
from gateway.app.running import reload
from gateway.config.compile import Compiled
from gateway.observe.audit.aggregate import LevelRule
from gateway.observe.audit.anchors import AnchorRefusedError
from gateway.observe.audit.ledger import Sealed
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.notes import parse_checkpoint, split_note
from gateway.observe.audit.pseudonyms import Agree
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.metrics import Metrics
from gateway.store.redis import RedisStore
from gateway.store.sealing import Sealer
from tests.stack import BACKEND_KEY, QUEUE, Stack, compiled, mock_flags, whole_stack
from tests.store.conftest import Hand, RedisServer

NOW = 1_790_000_000.0
SINK = {
    "name": "siem",
    "kind": "http",
    "target": "https://siem.shop.example/in",
    "authorization": "siem-token-0123456789",
}


@pytest.fixture
def server() -> Iterator[RedisServer]:
    running = RedisServer()
    yield running
    running.stop()


def node_log(
    name: str, server: RedisServer, directory: Path, guest_key: bytes = b"g" * 32
) -> tuple[AuditLog, RedisStore]:
    """The log of one node with a directory of its own, and its store."""
    config: Compiled = compiled({"store.url": server.url})
    store = RedisStore(server.url, Hand(NOW), timeout_s=2.0)
    return audit_log(config, directory / name, name, Metrics(), store, Sealer({1: guest_key}, os.urandom)), store


def test_the_keys_of_the_configuration_reach_the_log(tmp_path: Path) -> None:
    config = compiled(
        {"audit.on_failure": "degrade", "audit.retention_days": 30, "audit.fallback_dir": "second",
         "audit.anchor_dir": "worm", "audit.conversation_id": "hmac", "audit.sinks": [SINK]}
    )  # fmt: skip
    settings = audit_settings(config, tmp_path, "node-1")
    assert (settings.on_failure, settings.retention_days, settings.conversation_id) == ("degrade", 30, "hmac")
    assert settings.dirs == (tmp_path / ".gateway/audit", tmp_path / "second")
    assert settings.anchor_dir == tmp_path / "worm"
    (sink,) = settings.sinks
    assert (sink.name, sink.kind, sink.target) == ("siem", "http", "https://siem.shop.example/in")
    assert sink.authorization == "siem-token-0123456789"
    assert "siem-token" not in repr(settings)


async def test_nodes_with_one_store_use_one_pseudonym(server: RedisServer, tmp_path: Path) -> None:
    one, first = node_log("a", server, tmp_path)
    two, second = node_log("b", server, tmp_path)
    await one.open()
    await two.open()
    assert one.pseudonym("shop", "ada", one._clock.wall()) == two.pseudonym("shop", "ada", one._clock.wall())
    assert one.ref("token", "x") == two.ref("token", "x")
    for closing in (one, two, first, second):
        await closing.close()


async def test_the_keys_of_a_coming_day_are_agreed_before_it_begins(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_setup, "SHARE_EVERY_S", 0.0)
    (one, first), (two, second) = node_log("a", server, tmp_path), node_log("b", server, tmp_path)
    await one.open()
    await two.open()
    tomorrow = one._clock.wall() + 2 * 86_400
    agreed = asyncio.Event()
    agree = two._ring.agree

    async def later(_now: float, offer: Agree) -> None:
        await agree(tomorrow, offer)
        agreed.set()

    monkeypatch.setattr(two._ring, "agree", later)
    await one._ring.agree(tomorrow, one._agree or pytest.fail("no store"))
    task = asyncio.create_task(share_keys(two))
    await asyncio.wait_for(agreed.wait(), 30)
    task.cancel()
    assert one.client_ref("192.0.2.7", tomorrow) == two.client_ref("192.0.2.7", tomorrow)
    for closing in (one, two, first, second):
        await closing.close()


async def test_keys_lie_in_the_store_sealed_only(server: RedisServer, tmp_path: Path) -> None:
    one, store = node_log("a", server, tmp_path)
    await one.open()
    await one.close()
    await store.close()
    keys = [path.read_bytes() for path in (tmp_path / "a/.gateway/audit/keys").glob("*.key")]
    assert keys
    with redis.Redis(port=server.port) as client:
        kept = b"".join(client.get(name) or b"" for name in client.keys("gateway:agreed:*"))
    assert kept
    assert not [key for key in keys if key in kept]


async def test_a_node_with_another_guest_key_goes_on_with_keys_of_its_own(server: RedisServer, tmp_path: Path) -> None:
    one, first = node_log("a", server, tmp_path)
    two, second = node_log("b", server, tmp_path, guest_key=b"h" * 32)
    await one.open()
    await two.open()
    assert one.ref("token", "x") != two.ref("token", "x")
    for closing in (one, two, first, second):
        await closing.close()


async def test_a_store_that_does_not_answer_keeps_no_node_from_starting(server: RedisServer, tmp_path: Path) -> None:
    log, store = node_log("a", server, tmp_path)
    server.stop()
    await log.open()
    assert log.ref("token", "x").startswith("h:")
    await log.close()
    await store.close()


async def test_the_store_keeps_the_heads_and_refuses_a_second_history(server: RedisServer, tmp_path: Path) -> None:
    log, store = node_log("a", server, tmp_path)
    await log.open()
    await log.close()
    anchor = log._store
    assert anchor is not None
    (note,) = await anchor.heads()
    assert log.writer_name in note
    with redis.Redis(port=server.port) as client:
        (key,) = client.keys("gateway:audit:head:*")
        client.hset(key, "root", "another")
        size = int(client.hget(key, "size") or 0)
    with pytest.raises(AnchorRefusedError):
        await anchor.keep(Sealed(parse_checkpoint(split_note(note)[0]), note, NOW))
    assert size > 0
    await store.close()


def test_segments_checkpoints_and_levels_are_those_of_the_configuration(tmp_path: Path) -> None:
    config = compiled(
        {"audit.deployment": "shop", "audit.segment_mib": 2, "audit.segment_hours": 0.5, "audit.gzip": False,
         "audit.checkpoint_s": 2.0, "audit.checkpoint_records": 7, "audit.checkpoint_idle_s": 9.0,
         "audit.linger_ms": 1.0, "sites.shop.audit_on_failure": "refuse",
         "audit.levels": [{"level": "aggregate", "sites": ["shop"], "routes": ["guest-history"]}]}
    )  # fmt: skip
    found = audit_settings(config, tmp_path, "n1")
    assert (found.key_name, found.segment_max_bytes, found.segment_max_age_s) == ("shop/n1", 2 * 1024 * 1024, 1_800)
    assert (found.gzip, found.checkpoint_interval_s, found.checkpoint_max_records) == (False, 2.0, 7)
    assert (found.checkpoint_idle_s, found.linger_s, found.refusing_sites) == (9.0, 0.001, frozenset(["shop"]))
    assert found.levels == (LevelRule("aggregate", frozenset(["shop"]), frozenset(["guest-history"])),)


def test_what_the_configuration_leaves_out_is_as_the_log_has_it(tmp_path: Path) -> None:
    plain, own = audit_settings(compiled({}), tmp_path, "n1"), AuditSettings(dir=tmp_path)
    for name in ("deployment", "segment_max_bytes", "segment_max_age_s", "gzip", "checkpoint_interval_s",
                 "checkpoint_max_records", "checkpoint_idle_s", "linger_s", "levels", "retention_days"):  # fmt: skip
        assert getattr(plain, name) == getattr(own, name), name


async def test_nodes_share_the_key_of_a_visitor_and_forget_it_together(tmp_path: Path, server: RedisServer) -> None:
    one, first = subject_keys("one", server)
    two, second = subject_keys("two", server)
    name = "0" * 32
    try:
        assert await one.find(name) is None
        key = await one.agree(name, b"1" * 32)
        assert (key, await two.agree(name, b"2" * 32), await two.find(name)) == (b"1" * 32, key, key)
        with redis.Redis(port=server.port) as client:
            assert 0 < client.ttl(f"gateway:audit:subject:{name}") <= 60
            assert key.hex().encode() not in client.get(f"gateway:audit:subject:{name}")
        assert (await two.forget(name), await one.forget(name), await one.find(name)) == (True, False, None)
    finally:
        await first.close()
        await second.close()


async def test_a_visitors_key_under_another_guest_key_or_without_the_store_is_an_error(server: RedisServer) -> None:
    one, first = subject_keys("one", server)
    other, second = subject_keys("other", server, b"x" * 32)
    try:
        await one.agree("1" * 32, b"1" * 32)
        with pytest.raises(OSError, match="guest key"):
            await other.find("1" * 32)
        server.stop()
        with pytest.raises(OSError, match="store"):
            await one.find("1" * 32)
    finally:
        await first.close()
        await second.close()


def subject_keys(name: str, server: RedisServer, guest_key: bytes = b"g" * 32) -> tuple[StoredSubjectKeys, RedisStore]:
    """One node's view of the visitors' keys."""
    store = RedisStore(server.url, Hand(NOW), timeout_s=2.0)
    return StoredSubjectKeys(store, Sealer({1: guest_key}, os.urandom), "gateway:", 60), store


async def test_health_metrics_and_scripts_leave_no_record(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        for url in (f"{stack.admin_url}/healthz", f"{stack.admin_url}/readyz", f"{stack.admin_url}/metrics",
                    f"{stack.base}/widget.js", f"{stack.base}/origin"):  # fmt: skip
            async with stack.client.get(url) as answer:
                assert answer.status in {200, 204}
        noted = {str(record["event.action"]) for record in await stack.records()}
        assert noted <= {"gateway.started", "token.minted"}  # the tokens are fetched at the start


async def test_levels_take_effect_at_a_reload_and_every_sum_is_written(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"audit.levels": [{"level": "aggregate", "sites": ["shop"]}]}) as stack:
        for _ in range(3):
            await call_the_queue(stack)
        assert await calls(stack) == []
        assert await reload(stack.gateway, lambda: compiled(mock_flags(stack.mock)), lambda: NOW)
        await call_the_queue(stack)
        [summed, single] = await calls(stack)
        assert (summed["event.action"], summed["gateway.aggregate.count"]) == ("proxy.aggregated", 3)
        assert (summed["gateway.route"], summed["gateway.backend"]) == ("queue-wait", "servicenow")
        assert len(summed["gateway.aggregate.tokens"]) == 1
        assert single["event.action"] == "proxy.allowed"
        assert single["gateway.ref.token"] == summed["gateway.aggregate.tokens"][0]


async def call_the_queue(stack: Stack) -> None:
    path = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
    async with stack.call("GET", path, bearer=BACKEND_KEY, origin=None) as answer:
        assert answer.status == 200


async def calls(stack: Stack) -> list[dict[str, Any]]:
    return [record for record in await stack.records() if str(record["event.action"]).startswith("proxy.")]
