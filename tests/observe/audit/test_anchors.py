"""Anchors keep checkpoints, refuse to go back, and are read again; the store is a real Redis."""

import asyncio
import io
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
import redis.asyncio as redis_client

from gateway.observe.audit.anchors import (
    AnchorRefusedError,
    DirectoryAnchor,
    LocalHeads,
    StderrAnchor,
    StoreAnchor,
    peers_of,
    read_anchor_notes,
)
from gateway.observe.audit.ledger import Sealed
from gateway.observe.audit.notes import Checkpoint
from tests.observe.audit.making import START, signer

ORIGIN = "test/gw1-20261118T110640Z-aabbccdd"


def sealed(size: int = 5, fill: int = 1, origin: str = ORIGIN) -> Sealed:
    point = Checkpoint(origin, size, bytes([fill]) * 32)
    return Sealed(point, signer().sign(point.text()), START)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StoreAnchor]:
    binary = shutil.which("redis-server")
    assert binary is not None
    path = tmp_path / "redis.sock"
    process = await asyncio.to_thread(
        subprocess.Popen,
        [binary, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        while not path.exists():
            await asyncio.sleep(0.005)
    client = redis_client.Redis(unix_socket_path=str(path))

    async def run(script: str, keys: list[str], arguments: list[str]) -> object:
        found: object = await client.eval(script, len(keys), *keys, *arguments)
        return found

    yield StoreAnchor(run)
    await client.aclose()
    process.terminate()
    process.wait()


async def test_the_store_keeps_the_largest_head(store: StoreAnchor) -> None:
    await store.keep(sealed(5))
    await store.keep(sealed(5))
    await store.keep(sealed(9, 2))
    assert list(await store.heads()) == [sealed(9, 2).note]


@pytest.mark.parametrize("other", [sealed(4), sealed(5, 2)])
async def test_the_store_refuses_a_smaller_size_and_another_root(store: StoreAnchor, other: Sealed) -> None:
    await store.keep(sealed(5))
    with pytest.raises(AnchorRefusedError):
        await store.keep(other)
    assert list(await store.heads()) == [sealed(5).note]


async def test_the_store_knows_all_writers(store: StoreAnchor) -> None:
    await store.keep(sealed())
    await store.keep(sealed(origin="test/gw2-20261118T110640Z-00000000"))
    assert len(await store.heads()) == 2
    [peer] = peers_of(await store.heads(), ORIGIN)
    assert "gw2" in peer


async def test_a_directory_keeps_every_checkpoint_as_a_new_file(tmp_path: Path) -> None:
    anchor = DirectoryAnchor(tmp_path / "worm")
    await anchor.keep(sealed(5))
    await anchor.keep(sealed(5))
    await anchor.keep(sealed(6))
    assert len(list((tmp_path / "worm").iterdir())) == 2
    with pytest.raises(AnchorRefusedError):
        await anchor.keep(sealed(5, 2))


async def test_stderr_gets_a_line_that_can_be_read_again() -> None:
    stream = io.StringIO()
    await StderrAnchor(stream).keep(sealed())
    assert stream.getvalue().count("\n") == 1
    assert read_anchor_notes("noise\n2026 shipper: " + stream.getvalue())[0] == sealed().note


def test_notes_are_read_from_files_of_notes_and_of_lines() -> None:
    line = orjson.dumps({"gateway.checkpoint.note": sealed(7).note}).decode()
    assert read_anchor_notes(sealed(5).note + sealed(6).note) == [sealed(5).note, sealed(6).note]
    assert read_anchor_notes(line + "\n{broken gateway.checkpoint.note\n")[0] == sealed(7).note
    assert read_anchor_notes("") == []


def test_peers_are_other_writers_with_readable_notes() -> None:
    notes = [sealed().note, "junk", "x" * 5000, sealed(origin="test/gw2-20261118T110640Z-00000000").note]
    assert peers_of(notes, ORIGIN) == [notes[3]]


async def test_local_heads_are_read_in_a_thread() -> None:
    assert await LocalHeads(lambda: ["a"]).heads() == ["a"]
