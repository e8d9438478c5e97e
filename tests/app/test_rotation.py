"""A secret that changes: noticed by content, recorded by fingerprints, in force without a restart; a bad one is not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from gateway.app.gateway import Surroundings
from gateway.app.rotation import Rotation, SecretWatch, rotations
from gateway.app.running import Running, reload, running, serve, watch_secrets
from gateway.config.secrets import Secrets
from gateway.mock.server import MockSettings, running_mock
from tests.stack import compiled, mock_flags


def test_a_rotation_is_a_key_whose_fingerprint_changed() -> None:
    found = rotations({"a": "1", "b": "2", "gone": "3"}, {"a": "1", "b": "9", "c": "4"})
    assert found == [Rotation("b", "9", "2"), Rotation("c", "4", None)]


class Rounds:
    """A sleep that ends at once, until the last round was slept."""

    def __init__(self, rounds: int) -> None:
        self.left = rounds
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        if self.left == 0:
            self.over.set()
            await asyncio.Event().wait()
        self.left -= 1


async def watched(secrets: Secrets, rounds: int, exec_s: float = 1000.0) -> int:
    """How often a change is told in some rounds."""
    told: list[None] = []
    sleep = Rounds(rounds)
    watch = SecretWatch(lambda: (secrets, secrets.fingerprints), poll_s=1.0, exec_s=exec_s, sleep=sleep)
    task = asyncio.create_task(watch.run(lambda: told.append(None)))
    await sleep.over.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return len(told)


async def test_a_changed_file_is_told_once(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    place.write_text("first-secret-of-some-length")
    place.chmod(0o600)
    secrets = Secrets(tmp_path, {"WORD": "unchanged"}, dev=False)
    for reference in ("file:secret", "env:WORD"):
        secrets.read(reference)
    assert await watched(secrets, 3) == 0
    place.write_text("second-secret-of-some-length")
    assert await watched(secrets, 3) == 1
    place.unlink()
    assert await watched(secrets, 3) == 0


async def test_a_command_runs_again_at_its_own_pace(tmp_path: Path) -> None:
    place = tmp_path / "value"
    place.write_text("one-secret-from-a-command")
    secrets = Secrets(tmp_path, {}, dev=False)
    secrets.read(f"exec:cat {place}")
    place.write_text("another-secret-from-a-command")
    assert await watched(secrets, 9, exec_s=10.0) == 0
    assert await watched(secrets, 10, exec_s=10.0) == 1


async def test_a_rotated_file_is_in_force_and_on_record_without_a_restart(tmp_path: Path) -> None:
    """Genesys rotates the client's secret, the operator replaces the file: the next call carries a new token."""
    place = tmp_path / "closer"
    place.write_text("mock-secret-closer")
    place.chmod(0o600)
    async with running_mock(MockSettings.free_ports()) as mock:
        flags = {
            **mock_flags(mock), "orgs.acme.clients.closer.secret": f"file:{place}", "secrets.poll_s": 0.02,
        }  # fmt: skip
        async with running(compiled(flags), Surroundings(tmp_path)) as run:
            gateway = run.gateway
            first = await gateway.tokens.bearer("acme", "closer")
            changed = asyncio.Event()
            watch = asyncio.create_task(watch_secrets(lambda: gateway.compiled, changed.set))
            client = mock.world.client_named("closer")
            assert client is not None
            mock.world.rotate_secret(client, "another-secret-of-the-closer")
            place.write_text("another-secret-of-the-closer")
            async with asyncio.timeout(30):
                await changed.wait()
            old = gateway.compiled.fingerprints["orgs.acme.clients.closer.secret"]
            assert await reload(gateway, lambda: compiled(flags), time.time)
            new = gateway.compiled.fingerprints["orgs.acme.clients.closer.secret"]
            second = await gateway.tokens.bearer("acme", "closer")
            assert first.key.secret_version != second.key.secret_version
            (record,) = [r for r in gateway.audit.tail(100) if r["event.action"] == "secret.rotated"]
            assert (record["gateway.secret.old_fp"], record["gateway.secret.new_fp"]) == (old, new)
            assert record["gateway.secret.name"] == "orgs.acme.clients.closer.secret"
            name = "orgs.acme.clients.closer.secret"
            assert gateway.metrics.secret_fingerprint.child(name).value == int(new, 16)
            assert gateway.metrics.secret_last_rotation.child(name).value > 0
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def test_a_served_gateway_takes_a_replaced_file_by_itself(tmp_path: Path) -> None:
    """Nobody sends a signal: the file is replaced as a mounted secret is, by a link that points elsewhere."""
    for number in (1, 2):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "key").write_text(f"a-backend-key-of-version-number-{number}")
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "v1")
    async with running_mock(MockSettings.free_ports()) as mock:
        flags = {**mock_flags(mock), "backends.servicenow.key": f"file:{link}/key", "secrets.poll_s": 0.02}
        changed = asyncio.Event()

        def replaced(run: Running) -> None:
            (tmp_path / "next").symlink_to(tmp_path / "v2")
            (tmp_path / "next").replace(link)
            watching.append(asyncio.create_task(until_rotated(run)))

        async def until_rotated(run: Running) -> None:
            async with asyncio.timeout(30):
                while run.gateway.backends.by_key("a-backend-key-of-version-number-2") is None:
                    await asyncio.sleep(0.01)
            assert run.gateway.backends.by_key("a-backend-key-of-version-number-1") is None
            names = [r.get("gateway.secret.name") for r in run.gateway.audit.tail(100)]
            assert names.count("backends.servicenow.key") == 1
            changed.set()

        watching: list[asyncio.Task[None]] = []
        serving = asyncio.create_task(serve(compiled(flags), Surroundings(tmp_path), lambda: compiled(flags), replaced))
        async with asyncio.timeout(60):
            await changed.wait()
        serving.cancel()
        await asyncio.gather(serving, *watching, return_exceptions=True)


async def test_a_file_that_holds_nothing_leaves_the_old_secret_in_force(tmp_path: Path) -> None:
    place = tmp_path / "closer"
    place.write_text("mock-secret-closer")
    place.chmod(0o600)
    async with running_mock(MockSettings.free_ports()) as mock:
        flags = {**mock_flags(mock), "orgs.acme.clients.closer.secret": f"file:{place}"}
        async with running(compiled(flags), Surroundings(tmp_path)) as run:
            before = await run.gateway.tokens.bearer("acme", "closer")
            place.write_text("")
            assert not await reload(run.gateway, lambda: compiled(flags), time.time)
            assert await run.gateway.tokens.bearer("acme", "closer") is before
            actions = [r["event.action"] for r in run.gateway.audit.tail(100)]
            assert ("config.rejected" in actions, "secret.rotated" in actions) == (True, False)


@pytest.mark.parametrize("reads", [1, 3])
def test_what_was_read_is_known_by_its_fingerprint_only(tmp_path: Path, reads: int) -> None:
    secrets = Secrets(tmp_path, {"WORD": "a-secret-nobody-should-see"}, dev=False)
    for _ in range(reads):
        secrets.read("env:WORD")
    assert list(secrets.fingerprints) == ["env:WORD"]
    assert "nobody" not in repr(secrets) + str(secrets.fingerprints)
