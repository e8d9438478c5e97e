"""Each visitor has a key of its own, and once that is destroyed nothing links its records to it."""

import os
from pathlib import Path

import pytest

from gateway.observe.audit.prune import prune
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.subjects import KNOWN_S, DirectoryKeys, Subjects, key_name, name_under
from tests.observe.audit.making import START, settings_for


class Silent(DirectoryKeys):
    """A place that does not answer."""

    async def agree(self, name: str, fresh: bytes) -> bytes:
        raise OSError("no answer")


class Node:
    """One node's view of the keys."""

    def __init__(self, directory: Path, keys: DirectoryKeys | None = None) -> None:
        self.mono = 0.0
        self.ring = KeyRing(directory / "keys")
        self.keys = keys or DirectoryKeys(directory / "keys" / "subjects")
        self.subjects = Subjects(self.keys, self.ring, monotonic=lambda: self.mono)

    async def name(self, subject: str, site: str = "shop") -> str | None:
        await self.subjects.meet(site, subject)
        return self.subjects.name(site, subject)


async def test_a_visitor_has_one_name_on_all_nodes_and_at_each_site_another(tmp_path: Path) -> None:
    one, two = Node(tmp_path), Node(tmp_path)
    name = await one.name("ann")
    assert name is not None
    assert name.startswith("s:")
    assert await two.name("ann") == name
    assert await one.name("bob") != name
    assert await one.name("ann", "other") != name
    assert await one.subjects.look_up("shop", "ann") == name


async def test_nobody_is_named_before_being_met_and_looking_up_makes_no_key(tmp_path: Path) -> None:
    node = Node(tmp_path)
    assert node.subjects.name("shop", "ann") is None
    assert await node.subjects.look_up("shop", "ann") is None
    assert not (tmp_path / "keys" / "subjects").exists()


async def test_who_was_forgotten_comes_back_as_somebody_else(tmp_path: Path) -> None:
    node = Node(tmp_path)
    before = await node.name("ann")
    assert await node.subjects.forget("shop", "ann")
    assert node.subjects.name("shop", "ann") is None
    assert not await node.subjects.forget("shop", "ann")
    assert await node.name("ann") not in (None, before)


async def test_another_node_goes_on_for_a_minute_at_most(tmp_path: Path) -> None:
    one, two = Node(tmp_path), Node(tmp_path)
    before = await one.name("ann")
    await two.subjects.forget("shop", "ann")
    assert await one.name("ann") == before
    one.mono = KNOWN_S
    assert await one.name("ann") != before


async def test_without_the_key_a_visitor_goes_unnamed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node = Node(tmp_path, Silent(tmp_path))
    assert await node.name("zoe-4711") is None
    assert "zoe-4711" not in caplog.text
    assert "OSError" in caplog.text


async def test_keys_are_secret_files_whose_names_name_nobody(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.name("ann")
    [path] = (tmp_path / "keys" / "subjects").iterdir()
    assert path.name == f"{key_name(node.ring, 'shop', 'ann')}.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert name_under(path.read_bytes()) == node.subjects.name("shop", "ann")


async def test_keys_go_with_the_last_records_of_their_visitor(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.name("ann")
    await node.name("bob")
    old = node.keys._path(key_name(node.ring, "shop", "ann"))
    os.utime(old, (START, START))
    other = node.keys._path(key_name(node.ring, "shop", "bob"))
    os.utime(other, (START + 20 * 86_400, START + 20 * 86_400))
    gone = prune(settings_for(tmp_path, retention_days=30), START + 40 * 86_400).epochs
    assert "subjects:1" in gone
    assert list((tmp_path / "keys" / "subjects").iterdir()) == [other]


async def test_meeting_a_visitor_again_keeps_its_key_alive(tmp_path: Path) -> None:
    await Node(tmp_path).name("ann")
    [path] = (tmp_path / "keys" / "subjects").iterdir()
    os.utime(path, (START, START))
    await Node(tmp_path).name("ann")
    assert path.stat().st_mtime > START + 86_400


async def test_a_damaged_key_is_no_key(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.name("ann")
    [path] = (tmp_path / "keys" / "subjects").iterdir()
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="damaged"):
        await node.subjects.look_up("shop", "ann")
    with pytest.raises(ValueError, match="no name"):
        await node.keys.find("../ref")


async def test_the_number_of_known_visitors_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.observe.audit.subjects._MAX_KNOWN", 2)
    node = Node(tmp_path)
    for subject in ("a", "b", "c"):
        await node.name(subject)
    assert [node.subjects.name("shop", subject) is None for subject in ("a", "b", "c")] == [True, False, False]
