"""`gateway explain`: which row decides about a request, and why; or what is true of something that people believe.

Leaves the playing to `gateway.app.explain`. No network, no record.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from gateway.app.explain import Explanation, Question, explain, what_is_so
from gateway.app.handover import compiled_of
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config, output_option, print_json


@click.command("explain")
@config_option
@output_option
@click.option("--method", default="GET", show_default=True, help="Method of the request.")
@click.option("--path", help="Path and query, as a client would send them; may begin with /sites/NAME.")
@click.option("--origin", help="The page's Origin header; servers send none.")
@click.option("--host", default="localhost", show_default=True, help="The Host header, where hosts name sites.")
@click.option("--caller", default="nobody", show_default=True, help="guest, nobody, or backend:NAME.")
@click.option("--own", "owns", multiple=True, help="A conversation id that is to be taken as the caller's own.")
@click.option(
    "--believe", "belief", help="Instead: an address, path, host, scope, header or field that somebody believes in."
)
@click.pass_context
def explain_command(
    ctx: click.Context, config_path: Path | None, settings: tuple[str, ...], output: str, method: str,
    path: str | None, origin: str | None, host: str, caller: str, owns: tuple[str, ...], belief: str | None,
) -> None:  # fmt: skip
    """Say what would become of a request, which row decides, and why.

    Exit code 0: it would be carried out. 5: it would be refused. With --believe, 0: that is a known invention, or
    something that Genesys removed or ignores, and what does the work is told; 1: nothing is known of it.
    """
    if belief is not None:
        ctx.exit(_explain_belief(belief, output))
    if path is None:
        raise click.UsageError("--path is needed, or --believe")
    compiled = compiled_of(load_config(config_path, settings))
    question = Question(method.upper(), path, caller, origin, host, frozenset(owns))
    try:
        found = explain(question, compiled, time.time())
    except ValueError as exc:
        raise click.UsageError(str(exc)) from exc
    if output == "json":
        print_json(found.as_json())
    else:
        _print(found)
    ctx.exit(Exit.OK if found.allowed else Exit.VERIFICATION)


def _print(found: Explanation) -> None:
    for step, says in found.steps:
        click.echo(f"{step:10}{says}")
    if found.remedy:
        click.echo(f"{'remedy':10}{found.remedy}")


def _explain_belief(text: str, output: str) -> int:
    row = what_is_so(text)
    if row is None:
        raise CommandFault(
            Exit.FAILED, "belief.unknown", f"Nothing is known of {text}.",
            "docs/credentials.md lists what is; `gateway catalogue find` knows the operations that there are.",
        )  # fmt: skip
    if output == "json":
        names = ("id", "kind", "pattern", "truth", "instead", "does", "permissions")
        print_json({name: getattr(row, name) for name in names})
    else:
        click.echo(f"{row.id}: {row.told}")
    return Exit.OK
