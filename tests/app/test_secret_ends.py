"""Secrets whose end is known are told by name: from the configuration and from the listener's certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app.secret_ends import CERTIFICATE, secret_ends, secret_names
from gateway.errors import ConfigFault
from tests.stack import compiled

READER = "orgs.acme.clients.reader.secret"
ENDS = datetime(2031, 5, 1, tzinfo=UTC)


def write_certificate(directory: Path) -> dict[str, object]:
    """A certificate that ends at ENDS; returns the keys of the configuration that name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(ENDS - timedelta(days=90)).not_valid_after(ENDS).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (directory / "tls.pem").write_bytes(made.public_bytes(pem))
    (directory / "tls.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {
        "server.tls.certificate": str(directory / "tls.pem"),
        "server.tls.key": str(directory / "tls.key"),
    }


def test_a_day_of_the_configuration_is_told_as_a_moment() -> None:
    config = compiled({"keys.ends": {READER: "2027-06-30"}})
    assert secret_ends(config, Path()) == {READER: datetime(2027, 6, 30, tzinfo=UTC).timestamp()}


def test_the_end_of_the_listeners_certificate_is_read_from_it(tmp_path: Path) -> None:
    config = compiled(write_certificate(tmp_path))
    assert secret_ends(config, tmp_path)[CERTIFICATE] == ENDS.timestamp()
    assert secret_names(config.config)[0] == CERTIFICATE


def test_a_certificate_that_went_away_is_no_end(tmp_path: Path) -> None:
    config = compiled(write_certificate(tmp_path))
    (tmp_path / "tls.pem").write_text("no certificate")
    assert CERTIFICATE not in secret_ends(config, tmp_path)


def test_names_are_keys_of_the_file_and_no_values() -> None:
    names = secret_names(compiled({}).config)
    assert READER in names
    assert "sites.shop.visitors.issuers[0].secret" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["orgs.acme.clients.reader.id", "orgs.acme.clients.nobody.secret"])
def test_an_end_of_what_is_no_secret_is_a_fault(name: str) -> None:
    with pytest.raises(ConfigFault, match=r"keys\.ends"):
        compiled({"keys.ends": {name: "2027-06-30"}})
