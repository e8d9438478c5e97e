"""Which audit log the `gateway audit` commands work on, which keys they trust, and which anchors they hold it against.

The only place where these commands touch the configuration. Leaves the work to the commands.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from gateway.cli.exits import CommandFault, Exit
from gateway.observe.audit.anchors import read_anchor_notes
from gateway.observe.audit.keys import KEY_FILE, AuditKeyError, signer_for
from gateway.observe.audit.notes import FOREVER, NoteError, VerifierKey, parse_vkey
from gateway.observe.audit.segments import find_segments, first_line
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.times import parse_time

_FETCH_TIMEOUT_S: Final = 10.0
_MAX_ANCHOR_BYTES: Final = 64 * 1024 * 1024
_Function = TypeVar("_Function", bound=Callable[..., Any])


def log_options(function: _Function) -> _Function:
    """Add --dir, --config, --key, --deployment and --node to a command."""
    for option in reversed((
        click.option("--dir", "directory", type=click.Path(path_type=Path, file_okay=False),
            help="The log's directory; else [audit] dir."),
        click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False),
            envvar="GATEWAY_CONFIG",
                     show_envvar=True, help="The configuration that names the log.  [default: ./config.toml]"),
        click.option("--key", "key_path", type=click.Path(path_type=Path, dir_okay=False),
            help="PEM of the signing key; else [audit] key."),
        click.option("--deployment", default=None, help="First part of the key's name; else [audit] deployment."),
        click.option("--node", default=None, help="Second part of the key's name.  [default: the host's name]"),
    )):  # fmt: skip
        function = option(function)
    return function


def settings_of(
    directory: Path | None, config_path: Path | None, key_path: Path | None, deployment: str | None, node: str | None
) -> AuditSettings:
    """Return the settings of the log that the options name; raises CommandFault, ConfigFault."""
    named: dict[str, Any] = {} if directory is not None else _from_config(config_path)
    if directory is not None:
        named = {"dir": directory, "dev": (directory / KEY_FILE).is_file()}
    if key_path is not None:
        named["key_pem"] = _read(key_path)
    named |= {name: value for name, value in (("deployment", deployment), ("node", node)) if value is not None}
    return AuditSettings(**named)


def _from_config(config_path: Path | None) -> dict[str, Any]:
    """The one door to the configuration: [audit], with its paths made absolute and its key read."""
    from gateway.cli.options import load_config  # noqa: PLC0415  # an auditor's machine needs no configuration room
    from gateway.config.secrets import Secrets  # noqa: PLC0415

    loaded = load_config(config_path)
    audit = loaded.config.audit
    found: dict[str, Any] = {
        "dir": loaded.directory / audit.dir, "dev": loaded.config.dev, "on_failure": audit.on_failure,
        "retention_days": audit.retention_days, "deployment": audit.deployment,
    }  # fmt: skip
    for name in ("fallback_dir", "anchor_dir"):
        value = getattr(audit, name)
        found[name] = None if value is None else loaded.directory / value
    if audit.key is not None:
        found["key_pem"] = Secrets(loaded.directory, os.environ, dev=loaded.config.dev).read(audit.key).reveal_bytes()
    return found


def log_dirs(settings: AuditSettings) -> list[Path]:
    """Return the directories that hold a log, of which there must be one: a log that is not there has no answer.

    Raises CommandFault, OSError.
    """
    found = [path for path in settings.dirs if path.is_dir()]
    if not find_segments(found):
        raise CommandFault(
            Exit.FAILED, "audit.empty", f"No audit log in {settings.dir}.", "Name it with --dir or --config."
        )
    return found


@contextmanager
def files_read() -> Iterator[None]:
    """Turn errors of the file system into the command's failure."""
    try:
        yield
    except OSError as exc:
        raise CommandFault(
            Exit.FAILED, "audit.files", f"{exc.strerror or exc}: {exc.filename or 'the audit log'}.",
            "Check the path and the rights.",
        ) from exc  # fmt: skip


def trusted_keys(settings: AuditSettings, vkeys: tuple[str, ...]) -> list[VerifierKey]:
    """Return the keys named by --vkey (a verifier key, or a file of them with their times), else this log's own.

    Raises CommandFault for one that cannot be read.
    """
    if not vkeys:
        try:
            return own_keys(settings)
        except (AuditKeyError, OSError):
            return []
    found: list[VerifierKey] = []
    for item in vkeys:
        lines = _read(Path(item)).decode("utf-8", "replace").splitlines() if Path(item).is_file() else [item]
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if words:
                found.append(_key_of(words, f"{item}:{number}"))
    return found


def own_keys(settings: AuditSettings) -> list[VerifierKey]:
    """Return this log's own key under every name under which it signed here, else under the name of the settings.

    Raises AuditKeyError, OSError.
    """
    own = signer_for(settings).verifier
    found = {
        vkey
        for segment in find_segments(path for path in settings.dirs if path.is_dir())
        if (vkey := _vkey_in(segment.path))
    }
    same = [key for key in map(parse_vkey, sorted(found)) if key.public_key == own.public_key]
    return same or [own]


def _vkey_in(segment: Path) -> str | None:
    """The verifier key that a segment's header names, where it is readable and well-formed."""
    try:
        vkey = orjson.loads(first_line(segment))["gateway.key.vkey"]
        parse_vkey(vkey)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, NoteError):
        return None
    return str(vkey)


def _key_of(words: list[str], place: str) -> VerifierKey:
    try:
        begins = parse_time(words[1]) if len(words) > 1 else 0.0
        ends = parse_time(words[2]) if len(words) > 2 else FOREVER
        return parse_vkey(words[0], begins, ends)
    except (NoteError, ValueError) as exc:
        raise CommandFault(
            Exit.USAGE, "audit.vkey", f"{place} is no verifier key: {exc}.",
            "A line is: verifier key, first moment, last moment; the moments may be left out.",
        ) from exc  # fmt: skip


def anchor_notes(anchors: tuple[str, ...]) -> list[str]:
    """Return the checkpoint notes of --anchor: a file, a directory of files, or an http(s) URL; raises CommandFault."""
    notes: list[str] = []
    for anchor in anchors:
        if anchor.startswith(("http://", "https://")):
            notes += read_anchor_notes(_fetch(anchor))
            continue
        path = Path(anchor)
        files = sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
        for file in files:
            notes += read_anchor_notes(_read(file).decode("utf-8", "replace"))
    return notes


def _fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_TIMEOUT_S) as answer:  # noqa: S310  # the scheme was checked by the caller
            data: bytes = answer.read(_MAX_ANCHOR_BYTES)
    except (urllib.error.URLError, OSError) as exc:
        raise CommandFault(Exit.UNREACHABLE, "audit.anchor", f"{url} cannot be read.", "Check the address.") from exc
    return data.decode("utf-8", "replace")


def _read(path: Path) -> bytes:
    with files_read():
        return path.read_bytes()


def moment(text: str | None, now: float) -> float | None:
    """Return a time given on the command line; raises click.UsageError."""
    if text is None:
        return None
    try:
        return parse_time(text, now)
    except ValueError as exc:
        raise click.UsageError(
            f"{text!r} is no time: use 2026-11-20T08:00, 2026-11-20, or an age such as 90m, 24h, 7d"
        ) from exc
