"""`gateway keys secrets`: every secret of the configuration with its fingerprint and age; never a value.

The age of a file: reference is that of the file; of any other, that of its last rotation on record. Leaves what a
secret is for to the configuration.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from gateway.cli.audit_options import settings_of
from gateway.cli.exits import Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config import shape
from gateway.config.check_secrets import secret_values
from gateway.config.load import Loaded
from gateway.config.secrets import Secrets, SecretUnreadable, is_reference, shown
from gateway.errors import ConfigFault
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.times import parse_time

DAY_S: Final = 86_400.0
FILE: Final = "file:"
ROTATED: Final = "secret.rotated"


@click.command("secrets")
@config_option
@output_option
@click.option("--older-than", "older_than_days", type=click.FloatRange(0), help="End with 5 when one is older (days).")
@click.pass_context
def secrets_command(
    ctx: click.Context, config_path: Path | None, settings: tuple[str, ...], output: str, older_than_days: float | None
) -> None:
    """List every secret in use: its key, where it comes from, its fingerprint, and how old it is.

    Exit code 5 with --older-than: a secret is older. 6: one is of unknown age. Each rotation that a running gateway
    notices is on record in the audit log (secret.rotated), with both fingerprints.
    """
    loaded = load_config(config_path, settings)
    rows = rows_of(loaded, rotations_of(config_path), time.time())
    if output == "json":
        print_json({"secrets": rows})
    else:
        for row in rows:
            age = "age unknown" if row["age_days"] is None else f"{row['age_days']} days"
            click.echo(f"{row['key']}  {row['reference']}  {row['fingerprint']}  {age}")
    ctx.exit(_exit_of(rows, older_than_days))


def rows_of(loaded: Loaded, rotated: Mapping[str, float], now: float) -> list[dict[str, object]]:
    """One row per secret; `rotated`: when a key last changed, by the audit log."""
    reader = Secrets(loaded.directory, os.environ, dev=loaded.config.dev)
    rows: list[dict[str, object]] = []
    for path, pattern, reference in secret_values(loaded.config):
        key = shape.written(path)
        if pattern == "store.url" and not is_reference(reference):
            continue
        try:
            fingerprint = reader.read(reference).fingerprint()
        except SecretUnreadable:
            fingerprint = "unreadable"
        since = _changed_at(loaded, reference, rotated.get(key))
        age = None if since is None else round((now - since) / DAY_S, 1)
        rows.append({"key": key, "reference": shown(reference), "fingerprint": fingerprint, "age_days": age})
    return rows


def rotations_of(config_path: Path | None) -> dict[str, float]:
    """When each key was last rotated, by the audit log of this configuration; empty without a log."""
    try:
        directories = [path for path in settings_of(None, config_path, None, None, None).dirs if path.is_dir()]
    except (ConfigFault, OSError):
        return {}
    return last_rotations(directories)


def last_rotations(directories: list[Path]) -> dict[str, float]:
    """The newest `secret.rotated` of each key."""
    found: dict[str, float] = {}
    for record in search(directories, Filter(actions=frozenset({ROTATED}))):
        found[str(record.document["gateway.secret.name"])] = parse_time(record.at)
    return found


def _changed_at(loaded: Loaded, reference: str, rotated: float | None) -> float | None:
    if reference.startswith(FILE):
        place = loaded.directory / reference.removeprefix(FILE)
        if place.is_file():
            return place.stat().st_mtime
    return rotated


def _exit_of(rows: list[dict[str, object]], older_than_days: float | None) -> Exit:
    if older_than_days is None:
        return Exit.OK
    ages = [row["age_days"] for row in rows]
    if any(isinstance(age, float) and age > older_than_days for age in ages):
        return Exit.VERIFICATION
    return Exit.UNPROVED if None in ages else Exit.OK
