"""Keys of the audit log from the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.audit import audit_group
from gateway.cli.exits import CommandFault
from gateway.observe.audit.verify import Options, verify
from tests.observe.audit.making import Hand, Made, key, pem_of

WHO = ["--deployment", "test", "--node", "gw1"]


def run(*words: str) -> Result:
    return CliRunner().invoke(audit_group, list(words), standalone_mode=False)


def test_a_new_key_is_private_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    result = run("keygen", str(path), *WHO)
    assert result.stdout.startswith("test/gw1+")
    assert path.stat().st_mode & 0o777 == 0o600
    assert isinstance(run("keygen", str(path), *WHO).exception, CommandFault)


def test_the_public_half_is_printed(tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_bytes(pem_of(1))
    result = run("pubkey", "--dir", str(tmp_path), "--key", str(tmp_path / "k.pem"), *WHO)
    assert result.stdout == f"{key().vkey}\n"


def test_a_rotation_holds_for_the_name_that_the_gateway_signs_with(tmp_path: Path) -> None:
    import time

    log = tmp_path / "log"
    Made(log, node="web").add(1).close()
    (tmp_path / "old.pem").write_bytes(pem_of(1))
    (tmp_path / "new.pem").write_bytes(pem_of(2))
    run("rotate-key", str(tmp_path / "new.pem"), "--dir", str(log), "--key", str(tmp_path / "old.pem"))
    Made(log, node="web", seed=2, hand=Hand(time.time() + 5)).add(2).close()
    assert verify([log], Options(keys=[key(1, "test/web")])).verdict == "intact"


@pytest.mark.parametrize("seed", [2, 3])
def test_a_rotation_leads_a_verifier_to_the_new_key_only(tmp_path: Path, seed: int) -> None:
    import time

    log = tmp_path / "log"
    (tmp_path / "old.pem").write_bytes(pem_of(1))
    (tmp_path / "new.pem").write_bytes(pem_of(2))
    result = run("rotate-key", str(tmp_path / "new.pem"), "--dir", str(log), "--key", str(tmp_path / "old.pem"), *WHO)
    assert result.stdout.startswith(key(2).vkey)
    Made(log, seed=seed, hand=Hand(time.time() + 5)).add(2).close()
    assert verify([log], Options(keys=[key(1)])).verdict == ("intact" if seed == 2 else "tampered")
