"""The files of the key ring: what is refused to be read, and what cannot be written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from gateway.policy.signing_keys import KeyEntry
from gateway.provider.key_files import EMPTY, LIST_NAME, KeyFiles, KeyRingFault, Ring, base64url
from tests.provider.parts import SIGNING_KEYS

RING = Ring((KeyEntry("k", 1.0, 2.0, None),), {"k": {"kty": "RSA", "n": "AQ", "e": "AQAB"}}, frozenset({"k", "older"}))


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path)


def test_what_is_written_is_read_back(files: KeyFiles) -> None:
    assert files.read() == EMPTY
    assert files.version() == (0, 0, 0)
    files.write(RING)
    assert files.read() == RING
    assert files.version() != (0, 0, 0)


def test_a_private_half_is_kept_and_dropped(files: KeyFiles) -> None:
    files.keep_private("k", SIGNING_KEYS[0])
    assert files.load_private("k").private_numbers() == SIGNING_KEYS[0].private_numbers()
    files.drop_private(["k", "never"])
    with pytest.raises(KeyRingFault, match="cannot be read"):
        files.load_private("k")


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o601])
def test_files_that_others_may_read_or_change_are_refused(files: KeyFiles, mode: int) -> None:
    files.write(RING)
    files.keep_private("k", SIGNING_KEYS[0])
    for path in files.directory.iterdir():
        path.chmod(mode)
    with pytest.raises(KeyRingFault, match="chmod 600"):
        files.read()
    with pytest.raises(KeyRingFault, match="chmod 600"):
        files.load_private("k")


def test_a_group_may_read_as_mounted_secrets_are(files: KeyFiles) -> None:
    files.write(RING)
    (files.directory / LIST_NAME).chmod(0o440)
    assert files.read() == RING


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys": [{"kid": "k"}], "seen": []}', b'{"keys": 5, "seen": []}']
)
def test_a_damaged_list_is_named(files: KeyFiles, text: bytes) -> None:
    files.write(RING)
    (files.directory / LIST_NAME).write_bytes(text)
    with pytest.raises(KeyRingFault, match="damaged"):
        files.read()


def test_only_plain_rsa_keys_are_loaded(files: KeyFiles) -> None:
    path = files.directory / "key-k.pem"
    path.touch(0o600)
    curve = ec.generate_private_key(ec.SECP256R1())
    for pem, says in (
        (b"nonsense", "no plain PEM"),
        (
            SIGNING_KEYS[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")),
            "no plain PEM",
        ),
        (curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "no RSA key"),
    ):
        path.write_bytes(pem)
        with pytest.raises(KeyRingFault, match=says):
            files.load_private("k")


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = KeyFiles(tmp_path / "file" / "keys")
    with pytest.raises(KeyRingFault, match="cannot be changed"), files.locked():
        pass
    with pytest.raises(KeyRingFault, match="cannot be read"):
        files.version()
    with pytest.raises(KeyRingFault, match="cannot be read"):
        files.read()


def test_a_failed_write_is_named_and_leaves_the_old_list(files: KeyFiles) -> None:
    files.write(RING)
    (files.directory / f".{LIST_NAME}.new").mkdir()
    with pytest.raises(KeyRingFault, match="cannot be changed"), files.locked():
        files.write(Ring((), {}, frozenset()))
    assert files.read() == RING


def test_a_list_is_for_its_owner_only(files: KeyFiles) -> None:
    files.write(RING)
    assert stat.S_IMODE((files.directory / LIST_NAME).stat().st_mode) == 0o600


def test_base64url_has_no_padding() -> None:
    assert base64url(b"\xff\xfe") == "__4"
