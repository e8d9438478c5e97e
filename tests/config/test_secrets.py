"""Secrets are read from where references point, and show themselves nowhere."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config import secrets as module
from gateway.config.load import load
from gateway.config.secrets import Secret, Secrets, SecretUnreadable, is_known_secret, is_reference, shown

VALUE = "s3cr3t-canary-value"


def reader(directory: Path, environ: Mapping[str, str] | None = None, *, dev: bool = False) -> Secrets:
    return Secrets(directory, environ or {}, dev=dev)


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(VALUE, "env:X")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>30}", repr([secret]), secret.fingerprint()):
        assert VALUE not in text
    for spill in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            spill(secret)
        assert VALUE not in str(caught.value)
    assert secret.reveal() == VALUE
    assert secret.reveal_bytes() == VALUE.encode()


def test_secrets_compare_by_value_and_differ_from_text() -> None:
    assert Secret(VALUE, "env:A") == Secret(VALUE, "env:B")
    assert len({Secret(VALUE), Secret(VALUE), Secret("other")}) == 2
    assert Secret(VALUE) != VALUE


def test_a_fingerprint_tells_secrets_apart() -> None:
    assert Secret("a").fingerprint() != Secret("b").fingerprint()
    assert len(Secret("a").fingerprint()) == 12


def test_the_environment_gives_a_secret(tmp_path: Path) -> None:
    assert reader(tmp_path, {"X": VALUE}).read("env:X").reveal() == VALUE


@pytest.mark.parametrize(
    ("content", "value"), [(b"abc\n", "abc"), (b"abc\r\n", "abc"), (b"abc\n\n", "abc\n"), (b"a b", "a b")]
)
def test_a_file_gives_a_secret_without_its_last_newline(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "s").write_bytes(content)
    (tmp_path / "s").chmod(0o600)
    secret = reader(tmp_path).read("file:s")
    assert secret.reveal() == value
    assert secret.warnings == ()
    assert reader(Path("/")).read(f"file:{tmp_path}/s").reveal() == value


def test_a_file_is_read_afresh_each_time(tmp_path: Path) -> None:
    secrets = reader(tmp_path)
    (tmp_path / "s").write_text("one")
    assert secrets.read("file:s").reveal() == "one"
    (tmp_path / "s").write_text("two")
    assert secrets.read("file:s").reveal() == "two"


def test_a_file_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x")
    (tmp_path / "s").chmod(0o644)
    assert "0644" in reader(tmp_path).read("file:s").warnings[0]


def test_a_bare_name_means_a_credential_of_systemd_first(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "s").write_text("from systemd")
    (tmp_path / "s").write_text("from file")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert reader(tmp_path, environ).read("file:s").reveal() == "from systemd"
    assert reader(tmp_path, environ).read("file:./s").reveal() == "from file"
    assert reader(tmp_path, environ).read("file:$CREDENTIALS_DIRECTORY/s").reveal() == "from systemd"
    assert reader(tmp_path).read("file:s").reveal() == "from file"


def test_a_command_gives_a_secret_without_any_shell(tmp_path: Path) -> None:
    program = "import os,sys; print(sys.argv[1] + os.environ['X'])"
    secret = reader(tmp_path, {"X": "y"}).read(f"exec:{sys.executable} -c \"{program}\" '$(id)|'")
    assert secret.reveal() == "$(id)|y"
    assert secret.reference == f"exec:{sys.executable}"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("env:NO", "not set"),
        ("env:EMPTY", "is empty"),
        ("file:no", "No such file"),
        ("file:empty", "is empty"),
        ("file:binary", "not UTF-8"),
        ("file:large", "more than"),
        ("exec:/no/such/command", "No such file"),
        ("exec:false", "exit code 1"),
        ("exec:", "names no command"),
        ("exec:'", "unclosed quote"),
        ("plain", "is a plain value"),
    ],
)
def test_what_gives_no_secret_says_why_and_no_value(tmp_path: Path, reference: str, words: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * (module.MAX_SECRET_BYTES + 1))
    environ = {"EMPTY": "", "PATH": "/usr/bin:/bin"}
    with pytest.raises(SecretUnreadable, match=words) as caught:
        reader(tmp_path, environ).read(reference)
    assert "plain" not in str(caught.value).replace("plain value", "").replace("plain only", "")


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXEC_TIMEOUT_S", 0.05)
    with pytest.raises(SecretUnreadable, match="gave no answer"):
        reader(tmp_path).read(f"exec:{sys.executable} -c 'import threading; threading.Event().wait()'")


def test_a_plain_value_is_taken_only_in_development(tmp_path: Path) -> None:
    assert reader(tmp_path, dev=True).read(VALUE).reveal() == VALUE
    hashed = "sha256:" + "0" * 64
    assert reader(tmp_path).read(hashed).reveal() == hashed


def test_what_may_be_shown_of_a_reference() -> None:
    assert shown(VALUE) == "(inline)"
    assert shown("env:X") == "env:X"
    assert shown("exec:vault read --token=abc") == "exec:vault ..."
    assert is_reference("file:x")
    assert not is_reference("https://x")


def test_secrets_that_anybody_knows_include_all_of_our_own_files(repository: Path) -> None:
    config = load(repository / "config.toml", {}).config
    inline = [config.backends["servicenow"].key or "", config.oidc.clients["genesys"].secret]
    inline += [client.secret for client in config.orgs["acme"].clients.values()]
    inline += [issuer.secret or "" for issuer in config.sites["shop"].visitors.issuers]
    assert all(is_known_secret(value) for value in inline)
    assert is_known_secret(" ChangeMe ")
    assert not is_known_secret("kJ8sQ2vN5xW1zR7tB4mC9pL3fH6dG0aY")
