"""Listeners, signals and reloads: a bad configuration never takes a running gateway down."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import structlog

from gateway import __version__
from gateway.app.gateway import Surroundings
from gateway.app.running import Running, checksum, reload, running, serve
from gateway.build import build_form
from gateway.config.compile import Compiled
from gateway.errors import ConfigFault
from tests.stack import compiled, mock_flags, whole_stack


async def test_a_port_that_is_taken_is_a_fault_of_its_key(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        taken = stack.url.removeprefix("http://")
        with pytest.raises(ConfigFault, match=r"server\.listen: .*cannot be listened on"):
            async with running(
                compiled({"server.listen": taken, "admin.listen": "127.0.0.1:0"}), Surroundings(tmp_path / "b")
            ):
                pass


async def test_a_bad_configuration_leaves_the_running_one_in_force(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:

        def bad() -> Compiled:
            return compiled({"sites.shop.origins": ["https://shop.example/path"]})

        assert await reload(stack.gateway, bad, lambda: 1.0) is False
        assert stack.gateway.metrics.config_last_reload_successful.child().value == 0
        assert "config.rejected" in await stack.actions()
        assert (await stack.session())["guest"]


async def test_a_good_configuration_is_recorded_before_it_takes_effect(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        flags = {**mock_flags(stack.mock), "sites.shop.locale": "de"}
        assert await reload(stack.gateway, lambda: compiled(flags), lambda: 1.0) is True
        async with stack.call("GET", "/widget.js") as answer:
            assert '"locale": "de"' in await answer.text()
        [loaded] = [r for r in await stack.records() if r["event.action"] == "config.loaded"]
        assert loaded["gateway.config.changed_keys"] == ["sites.shop.locale"]
        assert stack.gateway.metrics.config_last_reload_successful.child().value == 1


async def test_the_admin_listener_tells_what_a_node_is_like(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        for path, words in (("/healthz", "ok"), ("/readyz?verbose", "[+] audit ok"), ("/metrics", "gateway_build_info"),
                            ("/version", "version"), ("/audit", "gateway.started")):  # fmt: skip
            async with stack.client.get(stack.admin_url + path) as answer:
                assert answer.status == 200
                assert words in await answer.text()


async def test_nothing_of_the_admin_listener_is_on_the_public_one(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        for path in ("/healthz", "/readyz", "/metrics", "/version", "/audit", "/console"):
            async with stack.client.get(stack.url + path) as answer:
                assert answer.status == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    flags = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0"}
    seen: list[Running] = []

    def ready(run: Running) -> None:
        seen.append(run)
        os.kill(os.getpid(), signal.SIGUSR2)  # there are no workers to replace: nothing happens
        os.kill(os.getpid(), number)

    async with asyncio.timeout(30):
        await serve(compiled(flags), Surroundings(tmp_path), lambda: compiled(flags), ready)
    assert seen[0].gateway.front is not None
    assert seen[0].gateway.front.draining
    assert list((tmp_path / ".gateway" / "audit").iterdir())


async def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    flags = {"server.listen": "127.0.0.1:0", "admin.listen": "127.0.0.1:0"}
    read_again = asyncio.Event()
    stopping: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    def recompile() -> Compiled:
        loop.call_soon_threadsafe(read_again.set)
        return compiled(flags)

    def ready(run: Running) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        stopping.append(loop.create_task(stop_when_read()))

    async def stop_when_read() -> None:
        await read_again.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    async with asyncio.timeout(30):
        await serve(compiled(flags), Surroundings(tmp_path), recompile, ready)
    assert read_again.is_set()


def test_the_checksum_tells_configurations_apart() -> None:
    assert checksum(compiled({})) == checksum(compiled({}))
    assert checksum(compiled({})) != checksum(compiled({"sites.shop.locale": "de"}))


async def test_the_start_line_of_the_log_says_which_form_of_the_package_runs(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with whole_stack(tmp_path):
            pass
    [started] = [line for line in lines if line["event"] == "gateway.started"]
    assert (started["log_level"], started["version"], started["build"]) == ("info", __version__, build_form())
