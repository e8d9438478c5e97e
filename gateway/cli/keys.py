"""`gateway keys list|rotate|withdraw`: the signing keys of the OpenID provider's id_tokens.

Leaves the ring to `gateway.provider.keys`; running gateways notice a change by themselves. The rule: who changes keys
stands in the audit log before it is done, and what came of it after.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import click

from gateway.cli.audit_options import files_read, settings_of
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.cli.secret_ages import secrets_command
from gateway.config.load import Loaded
from gateway.observe.audit import records
from gateway.observe.audit.keys import AuditKeyError
from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.records import Record
from gateway.policy.signing_keys import KeyEntry, Phase
from gateway.provider.build import key_ring
from gateway.provider.key_files import KeyRingFault
from gateway.provider.keys import KeyRing

SECRET_NAME: Final = "oidc.signing_key"
_Outcome = TypeVar("_Outcome")
_SAYS: Final = {
    Phase.NEXT: "is published, signs from {signs_from}",
    Phase.CURRENT: "signs since {signs_from}",
    Phase.RETIRED: "signs no more, still published",
    Phase.GONE: "is neither published nor used",
}


@click.group()
def keys() -> None:
    """Every secret with its age; signing keys of the id_tokens: list, rotate, withdraw.

    Running gateways that share the directory notice each change by themselves; nothing is restarted.
    """


@keys.command("list")
@config_option
@output_option
def list_keys(config_path: Path | None, settings: tuple[str, ...], output: str) -> None:
    """Show every key with its phase: next, current or retired."""
    ring, _ = _ring(config_path, settings)
    found = _overview(ring, time.time())
    if output == "json":
        print_json({"keys": [_row(entry, phase) for entry, phase in found]})
        return
    for entry, phase in found:
        click.echo(f"{entry.kid}  {phase.value:8}{_SAYS[phase].format(signs_from=_moment(entry.signs_from))}")
    if not found:
        click.echo("There are no keys yet; the gateway makes the first when it starts.", err=True)


@keys.command()
@config_option
@output_option
@click.option("--now", "at_once", is_flag=True, help="Let the waiting key, or a new one, sign from now on.")
def rotate(config_path: Path | None, settings: tuple[str, ...], output: str, at_once: bool) -> None:
    """Publish a new key that will sign after [oidc] publish_ahead_s (a day), when every relying party knows it.

    --now is for a key that may have leaked: relying parties that keep the key set cached refuse new sign-ins until
    they fetch it again. Then `gateway keys withdraw` the old one.
    """
    ring, loaded = _ring(config_path, settings)
    ahead_s = loaded.config.oidc.publish_ahead_s
    now = time.time()
    before = [entry.kid for entry, phase in _overview(ring, now) if phase is Phase.CURRENT]
    entry = _recorded(
        config_path,
        now,
        "keys.rotate --now" if at_once else "keys.rotate",
        None,
        lambda: ring.rotate_now(now) if at_once else ring.rotate(now, ahead_s),
    )
    old_fp = before[0][:16] if before else None
    _write(config_path, records.secret_rotated(at=now, name=SECRET_NAME, new_fp=entry.kid[:16], old_fp=old_fp))
    phase = Phase.CURRENT if entry.signs_from <= now else Phase.NEXT
    if output == "json":
        print_json(_row(entry, phase))
    else:
        click.echo(f"{entry.kid} {_SAYS[phase].format(signs_from=_moment(entry.signs_from))}")


# A key id is base64url and may begin with a hyphen; it must not be taken for an option.
@keys.command("withdraw", context_settings={"ignore_unknown_options": True})
@config_option
@click.argument("kid")
def withdraw(config_path: Path | None, settings: tuple[str, ...], kid: str) -> None:
    """Unpublish key KID at once because it is no longer to be trusted; what it signed is refused from then on."""
    ring, _ = _ring(config_path, settings)
    now = time.time()
    _recorded(config_path, now, "keys.withdraw", kid, lambda: ring.withdraw(kid, now))
    click.echo(f"{kid} {_SAYS[Phase.GONE]}")


keys.add_command(secrets_command)


def _ring(config_path: Path | None, settings: tuple[str, ...]) -> tuple[KeyRing, Loaded]:
    loaded = load_config(config_path, settings)
    return key_ring(loaded.config.oidc, loaded.directory), loaded


def _overview(ring: KeyRing, now: float) -> list[tuple[KeyEntry, Phase]]:
    try:
        return ring.overview(now)
    except KeyRingFault as fault:
        raise _fault(fault) from fault


def _recorded(
    config_path: Path | None, now: float, verb: str, target: str | None, change: Callable[[], _Outcome]
) -> _Outcome:
    """Put on record who is about to change keys, then do it; without the record nothing is done."""
    who = f"uid {os.getuid()}"
    _write(config_path, records.admin_action(at=now, who_acted=who, verb=verb, target=target or SECRET_NAME))
    try:
        return change()
    except KeyRingFault as fault:
        raise _fault(fault) from fault


def _write(config_path: Path | None, record: Record) -> None:
    try:
        with files_read():
            write_once(settings_of(None, config_path, None, None, None), [record])
    except AuditKeyError as fault:
        raise CommandFault(
            Exit.FAILED, "keys.audit", f"{fault}.", "Name the log's signing key in [audit] key."
        ) from fault


def _row(entry: KeyEntry, phase: Phase) -> dict[str, object]:
    return {
        "kid": entry.kid,
        "phase": phase.value,
        "created_at": _moment(entry.created_at),
        "signs_from": _moment(entry.signs_from),
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fault(fault: KeyRingFault) -> CommandFault:
    return CommandFault(Exit.FAILED, "keys.ring", f"{fault}.", "See [oidc] keys_dir.")
