"""`gateway catalogue show|find|refresh`: the shipped operations of the Platform API, and a newer edition of them.

Leaves reading a swagger file to `config.swagger`. Nothing is fetched: the operator brings the file.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.app.explain import what_is_so
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import output_option, print_json
from gateway.config import genesys
from gateway.config.swagger import refresh
from gateway.policy.operations import Operation, client_credentials_fault, parse_catalogue

FILE = "genesys-operations.json"


@click.group()
def catalogue() -> None:
    """Operations of the Platform API that the gateway knows: which, with what permissions, and how they are renewed."""


@catalogue.command()
@output_option
def show(output: str) -> None:
    """Show the edition of the shipped catalogue and where it comes from."""
    meta = _shipped()["meta"]
    if output == "json":
        print_json(meta)
        return
    click.echo(f"{meta['version']}: {meta['counts']['operations']} operations, {meta['counts']['removed']} removed")
    for source in meta["sources"]:
        click.echo(f"  {source}")


@catalogue.command()
@output_option
@click.argument("method")
@click.argument("path")
@click.pass_context
def find(ctx: click.Context, output: str, method: str, path: str) -> None:
    """Say what operation METHOD PATH is, and what it asks; else what became of it, and the nearest ones.

    Exit code 1: there is none.
    """
    table = genesys.catalogue()
    found = table.find(method, path)
    if found is None and (match := table.match_path(method, path)) is not None:
        found = match[0]
    shown = [found] if found is not None else list(table.nearest(method, path))
    known = what_is_so(f"{method} {path}") if found is None else None
    if output == "json":
        told = known.told if known is not None else None
        print_json({"found": found is not None, "told": told, "operations": [_row(one) for one in shown]})
    else:
        if known is not None:
            click.echo(known.told)
        if found is None:
            click.echo(f"{method.upper()} {path} is no operation; near:")
        for one in shown:
            row = _row(one)
            click.echo(f"{row['operation']}: {row['perm']} {', '.join(one.permissions)}{_remark(one)}")
    ctx.exit(Exit.OK if found is not None else Exit.FAILED)


@catalogue.command("refresh")
@output_option
@click.argument("swagger", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the new catalogue here.")
def refresh_command(output: str, swagger: Path, out: Path | None) -> None:
    """Compare SWAGGER (GET /api/v2/docs/swagger of an API host) with the shipped catalogue; --out writes the new one.

    Put the new file in place of gateway/data/genesys-operations.json and run the tests: `gateway check` then proves the
    routes against it.
    """
    try:
        found = refresh(orjson.loads(swagger.read_bytes()), _shipped())
        parse_catalogue(found.data)
    except (orjson.JSONDecodeError, ValueError, KeyError) as exc:
        raise CommandFault(
            Exit.FAILED, "catalogue.unreadable", f"{swagger}: {exc}.", "Fetch /api/v2/docs/swagger again."
        ) from exc
    if out is not None:
        out.write_bytes(orjson.dumps(found.data))
    changes = {"added": found.added, "removed": found.removed, "permissions_changed": found.changed}
    if output == "json":
        print_json({"version": found.data["meta"]["version"], **changes})
        return
    for word, keys in changes.items():
        for key in keys:
            click.echo(f"{word:20}{key}")
    counts = ", ".join(f"{len(keys)} {word}" for word, keys in changes.items())
    click.echo(f"{found.data['meta']['version']}: {counts}")


def _shipped() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((files("gateway") / "data" / FILE).read_bytes())
    return found


def _row(operation: Operation) -> dict[str, object]:
    return {
        "operation": operation.key, "id": operation.id, "auth": operation.auth, "perm": operation.perm,
        "permissions": operation.permissions, "deprecated": operation.deprecated,
        "client_credentials_fault": client_credentials_fault(operation),
    }  # fmt: skip


def _remark(operation: Operation) -> str:
    fault = client_credentials_fault(operation)
    said = [text for text in (fault, "deprecated" if operation.deprecated else None) if text]
    return f" ({'; '.join(said)})" if said else ""
