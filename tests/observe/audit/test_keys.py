"""Signing keys: read strictly, made once, never shown."""

import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.observe.audit.keys import AuditKeyError, new_pem, read_signer, signer_for, write_secret_file
from tests.observe.audit.making import pem_of, settings_for


def test_a_new_key_signs() -> None:
    pem = new_pem()
    assert read_signer(pem, "a/b").verifier.vkey.startswith("a/b+")
    assert new_pem() != pem


def other_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("pem", "name", "says"),
    [(b"", "a", "no unencrypted PEM"), (b"x", "a", "no unencrypted PEM"), (other_pem(), "a", "not an Ed25519"),
        (pem_of(1), "a b", "key name"),
     (pem_of(1), "a+b", "key name")],
)  # fmt: skip
def test_what_is_no_key_is_refused_with_a_remedy(pem: bytes, name: str, says: str) -> None:
    with pytest.raises(AuditKeyError, match=says):
        read_signer(pem, name)


def test_a_secret_file_is_made_once_even_by_many(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(write_secret_file(tmp_path / "k", bytes([n]) * 32)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert found[0] == (tmp_path / "k").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600


def test_outside_dev_a_key_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(AuditKeyError, match="keygen"):
        signer_for(settings_for(tmp_path, key_pem=None))
    assert list(tmp_path.iterdir()) == []
