"""Secrets by reference: `env:NAME`, `file:PATH`, `exec:CMD`; the plain value only with `dev = true`.

A secret is read when it is asked for, so that a rotation needs no restart, and kept in a type that shows itself
nowhere. Which keys hold references is known to `gateway.config.shape`; whether a secret is good, to the checks.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from gateway.errors import GatewayError

EXEC_TIMEOUT_S: Final = 10.0
MAX_SECRET_BYTES: Final = 65_536
HASH_PREFIX: Final = "sha256:"
_FINGERPRINT_LABEL: Final = b"gateway secret fingerprint v1"
_REFERENCE: Final = re.compile(r"(env|file|exec):(.*)", re.DOTALL)
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")

KNOWN_SECRETS: Final = frozenset(
    {
        "changeme",
        "change-me",
        "change_me",
        "changeit",
        "secret",
        "secrets",
        "password",
        "passw0rd",
        "test",
        "testing",
        "example",
        "default",
        "admin",
        "token",
        "letmein",
        "123456",
        "12345678",
        "1234567890",
        "your-secret",
        "your_secret",
        "your-client-secret",
        "xxx",
        "xxxxxxxx",
        "todo",
        "mock-secret-reader",
        "mock-secret-closer",
        "demo-shop-signing-secret-never-use-it-elsewhere",
        "demo-backend-key-never-use-it-elsewhere",
    }
)
"""Secrets that anybody may know: words of examples, and those of our own config.toml, mock and documentation."""
_KNOWN_PARTS: Final = ("never-use-it-elsewhere", "mock-secret", "changeme", "change-me")


class SecretUnreadable(GatewayError):
    """A reference that gives no secret; the message names the reference, never a value."""


class Secret:
    """A secret value that shows itself nowhere: not in repr, str, format, JSON or pickle."""

    __slots__ = ("_value", "reference", "warnings")

    def __init__(self, value: str, reference: str = "(inline)", warnings: tuple[str, ...] = ()) -> None:
        """`reference`: where it came from, safe to show. `warnings`: what is unwise about the source."""
        self._value = value
        self.reference = reference
        self.warnings = warnings

    def reveal(self) -> str:
        """The value, for the one line that needs it."""
        return self._value

    def reveal_bytes(self) -> bytes:
        """The value as UTF-8."""
        return self._value.encode()

    def fingerprint(self) -> str:
        """Twelve hex digits that tell two secrets apart without giving either away."""
        return hmac.new(_FINGERPRINT_LABEL, self.reveal_bytes(), hashlib.sha256).hexdigest()[:12]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal_bytes(), other.reveal_bytes())

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never serialised")

    __reduce_ex__ = __reduce__  # type: ignore[assignment]  # typeshed gives it another signature than the one it calls


class Secrets:
    """Reads references. `directory`: what relative paths are relative to, the configuration file's own."""

    def __init__(self, directory: Path, environ: Mapping[str, str], *, dev: bool) -> None:
        self._fingerprints: dict[str, str] = {}
        self._directory = directory
        self._environ = environ
        self._dev = dev

    def __repr__(self) -> str:
        return f"<Secrets of {self._directory}>"

    @property
    def directory(self) -> Path:
        """What relative paths of the configuration are relative to."""
        return self._directory

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """Of everything that was read here, by reference (or by the plain value: not to be shown)."""
        return self._fingerprints

    def read(self, reference: str) -> Secret:
        """Return the secret that a reference names, read afresh. Raises `SecretUnreadable`."""
        secret = self.peek(reference)
        self._fingerprints[reference] = secret.fingerprint()
        return secret

    def peek(self, reference: str) -> Secret:
        """As `read`, and remember nothing of it. Raises `SecretUnreadable`."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            return self._inline(reference)
        kind, rest = match.groups()
        return {"env": self._from_environment, "file": self._from_file, "exec": self._from_command}[kind](rest)

    def _inline(self, value: str) -> Secret:
        if not self._dev and not _HASH.fullmatch(value):
            raise SecretUnreadable(
                "is a plain value; write env:NAME, file:PATH or exec:CMD (plain only with dev = true)"
            )
        return Secret(value)

    def _from_environment(self, name: str) -> Secret:
        value = self._environ.get(name)
        if not value:
            raise SecretUnreadable(f"env:{name}: the environment variable is {'empty' if value == '' else 'not set'}")
        return Secret(value, f"env:{name}")

    def _from_file(self, text: str) -> Secret:
        reference = f"file:{text}"
        path = self._find(text)
        try:
            mode = path.stat().st_mode
            data = path.read_bytes()
        except OSError as fault:
            raise SecretUnreadable(f"{reference}: {fault.strerror or 'cannot be read'}") from fault
        warnings = (f"{reference} can be read by everybody on this machine (mode {stat.S_IMODE(mode):04o})",)
        return Secret(_text_of(data, reference), reference, warnings if mode & stat.S_IROTH else ())

    def _find(self, text: str) -> Path:
        """A bare name means systemd's credential of that name first: https://systemd.io/CREDENTIALS/."""
        credentials = self._environ.get("CREDENTIALS_DIRECTORY")
        text = text.replace("$CREDENTIALS_DIRECTORY", credentials or "$CREDENTIALS_DIRECTORY")
        if credentials and "/" not in text and (Path(credentials) / text).is_file():
            return Path(credentials) / text
        return self._directory / text  # an absolute path stays absolute

    def _from_command(self, command: str) -> Secret:
        words = _words(command)
        reference = f"exec:{words[0]}"  # arguments may say more than everybody should read
        try:
            done = subprocess.run(  # noqa: S603  the command is the operator's own, split into words, run without shell
                words, cwd=self._directory, env=dict(self._environ), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=EXEC_TIMEOUT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as fault:
            raise SecretUnreadable(f"{reference}: gave no answer within {EXEC_TIMEOUT_S:g} s") from fault
        except OSError as fault:
            raise SecretUnreadable(f"{reference}: {fault.strerror or 'cannot be run'}") from fault
        if done.returncode != 0:
            raise SecretUnreadable(f"{reference}: ended with exit code {done.returncode}")
        return Secret(_text_of(done.stdout, reference), reference)


def is_reference(text: str) -> bool:
    """Is the text a reference, and not a value?"""
    return _REFERENCE.fullmatch(text) is not None


def shown(text: str) -> str:
    """Return what may be shown of a key that holds a secret: the reference, or that there is a plain value."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return "(inline)"
    kind, rest = match.groups()
    return f"exec:{_words(rest)[0]} ..." if kind == "exec" and rest.strip() else text


def is_known_secret(value: str) -> bool:
    """Is the value one that anybody may know, from an example, this repository or a habit?"""
    folded = value.strip().lower()
    return folded in KNOWN_SECRETS or any(part in folded for part in _KNOWN_PARTS)


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as fault:
        raise SecretUnreadable("exec: the command has an unclosed quote") from fault
    if not words:
        raise SecretUnreadable("exec: names no command")
    return words


def _text_of(data: bytes, reference: str) -> str:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretUnreadable(f"{reference}: holds more than {MAX_SECRET_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        raise SecretUnreadable(f"{reference}: is not UTF-8 text") from fault
    text = text.removesuffix("\n").removesuffix("\r")  # editors end files with a newline that is no part of the secret
    if not text:
        raise SecretUnreadable(f"{reference}: is empty")
    return text
