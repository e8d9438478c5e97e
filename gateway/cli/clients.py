"""`gateway clients plan|terraform|drift`: what OAuth clients need at Genesys: as a table, as Terraform, as it is.

Leaves planning to `config.client_plan` and asking to `app.client_drift`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from gateway.app.client_drift import Drift, RoleReader, find_drift
from gateway.app.handover import compiled_of
from gateway.app.ruleset import credentials_of
from gateway.cli.check import sources_of
from gateway.cli.exits import Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config.client_plan import ClientPlan, client_plans, terraform_of
from gateway.config.compile import Compiled
from gateway.config.load import Loaded
from gateway.config.secrets import Secret, Secrets, SecretUnreadable
from gateway.upstream.http import HttpLeg


@click.group()
def clients() -> None:
    """OAuth clients: what their roles must hold, a Terraform module that says so, and how Genesys differs."""


@clients.command()
@config_option
@output_option
@click.pass_context
def plan(ctx: click.Context, config_path: Path | None, settings: tuple[str, ...], output: str) -> None:
    """Show per client the routes that use it, the permissions that they need, and what is missing or too much.

    Exit code 5 when a client declares something else than it needs.
    """
    plans = _plans(config_path, settings)
    if output == "json":
        print_json({"clients": [one.as_json() for one in plans]})
    else:
        for one in plans:
            _print_plan(one)
    ctx.exit(Exit.OK if all(one.is_sound for one in plans) else Exit.VERIFICATION)


@clients.command()
@config_option
def terraform(config_path: Path | None, settings: tuple[str, ...]) -> None:
    """Print a Terraform module (provider mypurecloud/genesyscloud): a role and a client per purpose, and no scopes."""
    click.echo(terraform_of(_plans(config_path, settings)), nl=False)


@clients.command()
@config_option
@output_option
@click.option("--reader", "reader_id", metavar="ID", help="OAuth client that reads the roles; else each its own.")
@click.option(
    "--reader-secret",
    default="env:ROLE_READER_SECRET",
    show_default=True,
    metavar="REFERENCE",
    help="Its secret: env:NAME, file:PATH or exec:CMD.",
)
@click.pass_context
def drift(
    ctx: click.Context,
    config_path: Path | None,
    settings: tuple[str, ...],
    output: str,
    reader_id: str | None,
    reader_secret: str,
) -> None:
    """Log in as each client and compare organisation, grant type, state and roles with the configuration.

    To read roles takes authorization:role:view, which no route needs: give an administrator's client with --reader, and
    the gateway's own stay without. Changes nothing. Exit code 4: a login host cannot be reached; 5: something differs;
    6: a role cannot be read.
    """
    loaded = load_config(config_path, settings)
    reader = None if reader_id is None else RoleReader(reader_id, _secret(loaded, reader_secret))
    found = asyncio.run(_all_drift(compiled_of(loaded), _plans(config_path, settings), reader))
    if output == "json":
        names = ("org", "client", "differs", "unproved")
        print_json({"clients": [{name: getattr(one, name) for name in names} for one in found]})
    else:
        for one in found:
            for said in one.differs:
                click.echo(f"differs   orgs.{one.org}.clients.{one.client}: {said}")
            for said in one.unproved:
                click.echo(f"unproved  orgs.{one.org}.clients.{one.client}: {said}")
            if not one.differs and not one.unproved:
                click.echo(f"as told   orgs.{one.org}.clients.{one.client}")
    ctx.exit(_exit_of(found))


def _secret(loaded: Loaded, reference: str) -> Secret:
    try:
        return Secrets(loaded.directory, os.environ, dev=False).read(reference)
    except SecretUnreadable as fault:
        raise click.UsageError(f"--reader-secret: {fault}") from fault


async def _all_drift(compiled: Compiled, plans: list[ClientPlan], reader: RoleReader | None) -> list[Drift]:
    legs: dict[str, HttpLeg] = {}

    def leg_of(url: str) -> HttpLeg:
        return legs.setdefault(url, HttpLeg(url))

    by_name = {(one.org, one.name): one for one in plans}
    try:
        return [
            await find_drift(one, by_name[one.org, one.client], leg_of, compiled.orgs[one.org].hosts.api, reader)
            for one in credentials_of(compiled)
        ]
    finally:
        for leg in legs.values():
            await leg.close()


def _plans(config_path: Path | None, settings: tuple[str, ...]) -> list[ClientPlan]:
    loaded = load_config(config_path, settings)
    return list(client_plans(loaded.config, sources_of(loaded)))


def _print_plan(one: ClientPlan) -> None:
    click.echo(f"orgs.{one.org}.clients.{one.name} ({one.client_id})")
    for route, operation in one.calls:
        click.echo(f"  {route}: {operation}")
    click.echo(f"  needs    {', '.join(one.needed) or 'nothing'}")
    for word, names in (("missing", one.missing), ("surplus", one.surplus)):
        if names:
            click.echo(f"  {word}  {', '.join(names)}")


def _exit_of(found: list[Drift]) -> Exit:
    if any(one.unreachable for one in found):
        return Exit.UNREACHABLE
    if any(one.differs for one in found):
        return Exit.VERIFICATION
    return Exit.UNPROVED if any(one.unproved for one in found) else Exit.OK
