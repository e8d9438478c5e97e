"""A node with several workers, as real processes under load: replaced, restarted, reloaded, drained, nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.config.shipped import shipped_config
from gateway.observe.audit.segments import find_segments
from tests.app.node_stage import Callers, gone, ports_of, running_node, started
from tests.store.conftest import RedisServer


async def test_metrics_readiness_and_audit_are_those_of_all_workers(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        callers = Callers(node)
        async with callers.calling():
            await callers.more(80)
        counted = await node.metric("gateway_http_requests_total", route="session", code="201")
        assert counted.keys() <= {"0", "1"}
        assert sum(counted.values()) == callers.answered
        assert await node.metric("gateway_workers") == {"supervisor": 2.0}
        assert (await node.metric("process_resident_memory_bytes")).keys() == {"0", "1", "supervisor"}
        async with asyncio.timeout(60):
            while "[+] workers (2 of 2 answer) ok" not in (text := (await node.admin("/readyz?verbose"))[1]):
                assert "(1 of 2 answer)" in text  # a busy machine: one had no second to answer in
        assert text.endswith("ready\n")
        assert {line.split()[1] for line in text.splitlines() if "/audit" in line} == {
            "worker-0/audit",
            "worker-1/audit",
        }
        async with asyncio.timeout(60):
            tail = ""
            while tail.count('"session.issued"') < min(callers.answered, 400):
                _, tail = await node.admin("/audit?format=jsonl&n=500")
    writers = {one.writer for one in find_segments([tmp_path / ".gateway" / "audit"])}
    assert len(writers) == 2, writers
    assert not [line for line in node.said if "did not take a checkpoint" in line]  # the last one neither


async def test_a_worker_that_is_killed_takes_only_its_own_requests_along_and_is_replaced(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        callers = Callers(node)
        async with callers.calling():
            await callers.more(80)
            victim = node.pids()[1]
            owned = ports_of(victim, node.port)
            os.kill(victim, signal.SIGKILL)
            await node.until(lambda: node.pids()[1] != victim)
            await callers.more(80)
        assert {one.port for one in callers.lost} <= owned
        assert callers.refused == 0
        assert callers.wrong == []
        assert await node.metric("gateway_worker_exits_total", reason="signal") == {"supervisor": 1.0}
        assert await node.metric("gateway_workers") == {"supervisor": 2.0}
    verifying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "audit", "verify", "--config", "config.toml", cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    found, _ = await verifying.communicate()
    assert verifying.returncode == 0, found
    assert b"of 3 writers" in found
    assert b"RECOVERED" in found  # the successor has put on record where the killed one's log ends


async def test_a_rolling_restart_under_load_loses_nothing(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        before = node.pids()
        callers = Callers(node)
        async with callers.calling():
            await callers.more(60)
            node.process.send_signal(signal.SIGUSR2)
            await node.until(lambda: bool(node.events("workers.restarted")))
            await callers.more(60)
        assert callers.lost == []
        assert callers.wrong == []
        assert callers.refused == 0
        assert not before.items() & node.pids().items()
        assert await node.metric("gateway_worker_restarts_total") == {"supervisor": 2.0}


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_under_load_answers_all_that_was_accepted(tmp_path: Path, workers: int) -> None:
    async with running_node(tmp_path, workers) as node:
        callers = Callers(node)
        async with callers.calling():
            await callers.more(80)
            node.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                assert await node.process.wait() == 0
        # a connection that never had an answer may still have been waiting to be accepted
        assert [one for one in callers.lost if one.answered_before] == []
        assert callers.wrong == []
        assert not node.events("worker.overdue")


async def test_a_bad_configuration_leaves_all_workers_on_the_old_one_even_those_started_later(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        good = node.config.read_text()
        checksums = await node.metric("gateway_config_checksum")
        node.config.write_text(good + "\n[nonsense]\n")
        node.process.send_signal(signal.SIGHUP)
        await node.until(lambda: bool(node.events("config.rejected")))
        await node.until(lambda: len(node.events("config.kept_by_all")) == 1)
        assert await node.metric("gateway_config_last_reload_successful") == {"0": 0.0, "1": 0.0}
        victim = node.pids()[0]
        os.kill(victim, signal.SIGKILL)
        await node.until(lambda: node.pids()[0] != victim)
        assert await node.metric("gateway_config_checksum") == checksums
        node.config.write_text(good.replace("keepalive_s = 75.0", "keepalive_s = 60.0"))
        node.process.send_signal(signal.SIGHUP)
        await node.until(lambda: bool(node.events("config.reloaded_by_all")))
        after = await node.metric("gateway_config_checksum")
        assert len(set(after.values())) == 1
        assert after != checksums
        assert await node.metric("gateway_config_last_reload_successful") == {"0": 1.0, "1": 1.0}


async def test_a_reload_may_change_the_number_of_workers(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        text = node.config.read_text()
        first = node.pids()
        node.config.write_text(text.replace("workers = 2", "workers = 3"))
        node.process.send_signal(signal.SIGHUP)
        await node.until(lambda: len(node.events("config.reloaded_by_all")) == 1)
        assert await node.metric("gateway_workers") == {"supervisor": 3.0}
        node.config.write_text(text.replace("workers = 2", "workers = 1"))
        node.process.send_signal(signal.SIGHUP)
        await node.until(lambda: len(node.events("config.reloaded_by_all")) == 2)
        assert await node.metric("gateway_workers") == {"supervisor": 1.0}
        assert node.pids()[0] == first[0]
        async with asyncio.timeout(30):
            await gone(first[1])


async def test_operators_calls_reach_a_worker_only_with_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("operators-own-token-of-32-characters")
    async with running_node(tmp_path, 2, "admin.token=file:token") as node:
        call = {"site": "shop", "guest": "nobody", "who": "ada", "reason": "a test"}
        assert (await node.admin("/guests/end", "POST", json=call))[0] == 401
        headers = {"Authorization": "Bearer operators-own-token-of-32-characters"}
        status, text = await node.admin("/guests/end", "POST", json=call, headers=headers)
        assert (status, text) == (200, '{"ended": true}')
        _, tail = await node.admin("/audit?format=jsonl", headers=headers)
        assert "guests.end" in tail
        assert (await node.admin("/no-such-call", headers=headers))[0] == 404
        assert (await node.admin("/readyz"))[0] == 200


async def test_workers_end_when_their_supervisor_is_gone(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        ends = [gone(pid) for pid in node.pids().values()]
        node.process.kill()
        async with asyncio.timeout(60):
            await asyncio.gather(*ends)


async def test_a_fault_that_only_workers_can_see_ends_the_start_with_its_words(tmp_path: Path) -> None:
    redis = RedisServer()
    try:
        (tmp_path / "file").write_text("")
        process = await started(
            tmp_path, shipped_config(), f"store.url={redis.url}", "server.workers=2", "audit.dir=file/audit"
        )
        async with asyncio.timeout(60):
            _, err = await process.communicate()
        assert process.returncode == 1
        assert b"did not start: NotADirectoryError" in err
        assert b"Traceback" not in err
    finally:
        redis.stop()
