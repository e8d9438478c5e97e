"""`gateway audit keygen|pubkey|rotate-key`: the signing keys of the audit log.
Leaves the notes they sign to gateway/observe/audit.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gateway.cli.audit_options import files_read, log_options, moment, own_keys, settings_of
from gateway.cli.exits import CommandFault, Exit
from gateway.observe.audit.keys import new_pem, read_signer, write_secret_file
from gateway.observe.audit.ledger import validity
from gateway.observe.audit.notes import FOREVER
from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.records import sealing


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@log_options
def keygen(path: Path, **where: Any) -> int:
    """Make an Ed25519 signing key in PATH (mode 0600, never over an existing file) and print its verifier key."""
    settings = (
        settings_of(**where)
        if where.get("directory")
        else settings_of(Path(), None, None, where["deployment"], where["node"])
    )
    pem = new_pem()
    with files_read():
        if write_secret_file(path, pem) != pem:
            raise CommandFault(Exit.FAILED, "audit.key_exists", f"{path} exists.", "Name another file.")
    click.echo(read_signer(pem, settings.key_name).verifier.vkey)
    return Exit.OK


@click.command()
@log_options
def pubkey(**where: Any) -> int:
    """Print the verifier key of this log, under each name that it signed with here.

    For `gateway audit verify --vkey` and any C2SP tool.
    """
    with files_read():
        for key in own_keys(settings_of(**where)):
            click.echo(key.vkey)
    return Exit.OK


@click.command("rotate-key")
@click.argument("new_key", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@log_options
@click.option("--from", "begins", help="First moment of the new key.  [default: now]")
@click.option("--until", "ends", help="Last moment of the new key.  [default: none]")
def rotate_key(new_key: Path, begins: str | None, ends: str | None, **where: Any) -> int:
    """Let the present key sign for NEW_KEY (PEM), which must then be named in [audit] key before the next start.

    A verifier that trusts the old key follows to the new one by this record.
    """
    settings, now = settings_of(**where), time.time()
    with files_read():
        pem = new_key.read_bytes()
        not_before, not_after = validity(moment(begins, now) or now, moment(ends, now) or FOREVER)
        for key in own_keys(settings):
            signer = read_signer(pem, key.name)
            deployment, _, node = key.name.rpartition("/")
            fields = {"gateway.key.next_vkey": signer.verifier.vkey, "gateway.key.not_before": not_before,
                      "gateway.key.not_after": not_after}  # fmt: skip
            named = replace(settings, deployment=deployment, node=node)
            writer = write_once(named, [sealing("audit.key", now, fields)])
            click.echo(f"{signer.verifier.vkey}\nrecorded by {writer}")
    click.echo("now name the new key in [audit] key and restart", err=True)
    return Exit.OK
