"""Pseudonyms: the same within their epoch, other in the next, gone with their key."""

import re
from pathlib import Path

import pytest

from gateway.observe.audit.pseudonyms import KeyRing
from tests.observe.audit.making import START

MONTH = 31 * 86_400.0


def test_names_hold_for_their_epoch_only(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    name = ring.pseudonym("shop", "u1", START)
    assert re.fullmatch(r"p202611:[0-9a-f]{24}", name)
    assert ring.pseudonym("shop", "u1", START + 86_400) == name
    assert ring.pseudonym("shop", "u1", START + MONTH)[8:] != name[8:]
    assert ring.pseudonym("shop", "u2", START) != name
    assert ring.pseudonym("sho", "pu1", START) != name
    assert ring.client_ref("192.0.2.1", START)[10:] != ring.client_ref("192.0.2.1", START + 86_400)[10:]


def test_processes_that_share_the_directory_agree(tmp_path: Path) -> None:
    assert KeyRing(tmp_path).pseudonym("s", "u", START) == KeyRing(tmp_path).pseudonym("s", "u", START)
    assert KeyRing(tmp_path).ref("token", "x") == KeyRing(tmp_path).ref("token", "x")


def test_a_destroyed_key_takes_its_names_along(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    before, after = ring.pseudonym("s", "u", START), ring.pseudonym("s", "u", START + MONTH)
    ring.client_ref("192.0.2.1", START)
    assert list(ring.pseudonyms("s", "u")) == [before, after]
    assert ring.destroy_before(START + MONTH) == ["client-20261118", "user-202611"]
    assert list(ring.pseudonyms("s", "u")) == [after]
    assert KeyRing(tmp_path).pseudonym("s", "u", START) != before


def test_keys_of_the_next_epoch_are_ready_before_it(tmp_path: Path) -> None:
    KeyRing(tmp_path).prepare(START)
    assert KeyRing(tmp_path).epochs() == ["client-20261118", "client-20261119", "user-202611"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


async def test_nodes_agree_through_a_store(tmp_path: Path) -> None:
    store: dict[str, bytes] = {}

    async def agree(name: str, offered: bytes) -> bytes:
        return store.setdefault(name, offered)

    one, two = KeyRing(tmp_path / "one"), KeyRing(tmp_path / "two")
    two.prepare(START - 40 * 86_400)
    await one.agree(START, agree)
    await two.agree(START, agree)
    assert one.pseudonym("s", "u", START) == two.pseudonym("s", "u", START)
    assert one.ref("token", "x") == KeyRing(tmp_path / "one").ref("token", "x")


def test_a_damaged_key_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ref.key").write_bytes(b"short")
    with pytest.raises(OSError, match="damaged"):
        KeyRing(tmp_path).ref("token", "x")


def test_nothing_is_there_before_the_first_key(tmp_path: Path) -> None:
    assert KeyRing(tmp_path / "none").epochs() == []
