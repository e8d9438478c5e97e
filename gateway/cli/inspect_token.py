"""`gateway inspect-token`: what a token is, and with --online whose. It comes by standard input, never as an argument.

Leaves reading it to `policy.inspection` and asking to `upstream.self_check`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import click

from gateway.app.handover import compiled_of
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.policy.inspection import Inspection, inspect
from gateway.upstream.bearer import Bearer, TokenKey
from gateway.upstream.http import HttpLeg
from gateway.upstream.self_check import TokenOwner, whose_token


@click.command("inspect-token")
@click.argument("arguments", nargs=-1, metavar="< TOKEN")
@config_option
@output_option
@click.option("--online", "org", metavar="ORG", help="Ask tokens/me of this organisation whose token it is.")
def inspect_token(
    arguments: tuple[str, ...], config_path: Path | None, settings: tuple[str, ...], output: str, org: str | None
) -> int:
    """Say what the token on standard input is: a handle, whose JWT, or opaque. Signatures are not checked.

    Values about a person are not shown. Exit code 1: nothing that could be a token; 4: --online, and Genesys gave no
    usable answer, or does not take it.
    """
    if arguments:
        raise click.UsageError(
            "the token comes by standard input; as an argument it would stand in the shell's history and in ps"
        )
    text = sys.stdin.read()
    found = inspect(text, time.time())
    owner = _ask(config_path, settings, org, text.strip()) if org is not None and found.kind == "opaque" else None
    if output == "json":
        names = ("kind", "says", "header", "claims", "hidden", "notes")
        owned = {name: getattr(owner, name) for name in owner.__slots__} if owner is not None else None
        print_json({**{name: getattr(found, name) for name in names}, "owner": owned})
    else:
        _print(found, owner)
    return Exit.FAILED if found.kind == "unreadable" else Exit.OK


def _ask(config_path: Path | None, settings: tuple[str, ...], org: str, token: str) -> TokenOwner:
    compiled = compiled_of(load_config(config_path, settings))
    if org not in compiled.orgs:
        raise click.UsageError(f"no organisation {org}; configured are {', '.join(compiled.orgs)}")
    hosts = compiled.orgs[org].hosts

    async def asked() -> TokenOwner | None:
        leg = HttpLeg(hosts.api)
        try:
            key = TokenKey(org, hosts.region, hosts.api, "inspected", "", "")
            return await whose_token(leg, Bearer(token.removeprefix("Bearer ").strip(), key))
        finally:
            await leg.close()

    owner = asyncio.run(asked())
    if owner is None:
        raise CommandFault(
            Exit.UNREACHABLE, "token.not_taken", f"{hosts.api} does not take the token, or gave no usable answer.",
            f"Is it of region {hosts.region}, not expired, and an access token at all?",
        )  # fmt: skip
    return owner


def _print(found: Inspection, owner: TokenOwner | None) -> None:
    click.echo(f"{found.kind}: {found.says}")
    for name, value in {**found.header, **found.claims}.items():
        click.echo(f"  {name} = {value}")
    if found.hidden:
        click.echo(f"  not shown: {', '.join(found.hidden)}")
    if owner is not None:
        click.echo(f"  client {owner.client_name} ({owner.client_id}), grant {owner.grant_type}, state {owner.state}")
        click.echo(f"  organisation {owner.organization_name} ({owner.organization_id}), {len(owner.roles)} roles")
    for note in found.notes:
        click.echo(note)
