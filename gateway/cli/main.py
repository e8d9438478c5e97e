"""The command line: a table of commands, each imported when it is called; faults become one line and an exit code.

Leaves the commands to their files. The rule: answers go to stdout, talk and errors to stderr.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn

import click

from gateway import __version__
from gateway.build import build_form
from gateway.cli.exits import EXIT_MEANINGS, CommandFault, Exit
from gateway.errors import ConfigFault, GatewayError, Refusal


class Entry(NamedTuple):
    """Where a command lives, and its line in `gateway --help`."""

    target: str
    summary: str


COMMANDS: Final[dict[str, Entry]] = {
    "demo": Entry("gateway.cli.demo:demo", "Run gateway, mock Genesys and a demo shop on this machine."),
    "serve": Entry("gateway.cli.serve:serve", "Run the gateway."),
    "mock": Entry("gateway.mock.command:mock_command", "Run a strict stand-in for Genesys Cloud, for tests."),
    "check": Entry("gateway.cli.check:check", "Judge the configuration; --show says where each value comes from."),
    "explain": Entry(
        "gateway.cli.explain:explain_command", "Say what would become of a request, and which row decides."
    ),
    "inspect-token": Entry("gateway.cli.inspect_token:inspect_token", "Say what a token is, and with --online whose."),
    "clients": Entry("gateway.cli.clients:clients", "What OAuth clients need: plan, Terraform, drift."),
    "catalogue": Entry(
        "gateway.cli.catalogue:catalogue", "The known operations of the Platform API: show, find, refresh."
    ),
    "audit": Entry("gateway.cli.audit:audit_group", "Verify, search, prove and prune the tamper-evident audit log."),
    "keys": Entry("gateway.cli.keys:keys", "Ages of all secrets; list, rotate, withdraw signing keys of id_tokens."),
    "snippet": Entry("gateway.cli.snippet:snippet", "Print the tags that embed a site's chat."),
    "csp": Entry("gateway.cli.csp:csp_command", "Print the Content-Security-Policy that a site's pages need."),
    "shim": Entry("gateway.cli.shim:shim", "Zendesk's calls on the pages: which are used, and what happens to them."),
    "schema": Entry("gateway.cli.schema:schema", "Print the JSON Schema of config.toml, for editors."),
}
"""Every command. A part that cannot be imported fails only when it is called."""


class CommandTable(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None for a name that is not in the table."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), meaning) for code, meaning in EXIT_MEANINGS.items()])


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="gateway", message=f"%(prog)s %(version)s, {build_form()}")
def cli() -> None:
    """A website's chat, moved from Zendesk to Genesys Cloud, without a Genesys credential in any browser."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and end the process with its exit code."""
    import_command(sys.argv[1:2] if arguments is None else arguments[:1])
    sys.exit(run(arguments))


def import_command(words: Sequence[str]) -> None:
    """Import the command that the first word names, without collecting garbage: modules are none, and stay.

    To look through all of them again and again took a tenth of the time until a gateway is ready.
    """
    entry = COMMANDS.get(words[0]) if words else None
    if entry is None:
        return
    gc.disable()
    try:
        importlib.import_module(entry.target.partition(":")[0])
    except ImportError:
        return  # told by the command itself, which imports it again
    finally:
        gc.freeze()
        gc.enable()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every fault that was foreseen becomes words on stderr."""
    try:
        result = cli.main(args=arguments, prog_name="gateway", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as fault:
        fault.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`gateway schema | head`); Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except GatewayError as fault:
        for line in _lines(fault):
            click.echo(f"gateway: {line}", err=True)
        return _exit_code(fault)
    return result if isinstance(result, int) else Exit.OK


def _lines(fault: GatewayError) -> list[str]:
    if isinstance(fault, ConfigFault):
        return [f"config.invalid: {key}: {message}" for key, message in fault.faults]
    if isinstance(fault, Refusal):
        return [f"{fault.code}: {fault.detail or fault.reason.cause} {fault.reason.remedy}"]
    return [str(fault)]


def _exit_code(fault: GatewayError) -> Exit:
    if isinstance(fault, CommandFault):
        return fault.exit_code
    return Exit.CONFIG if isinstance(fault, ConfigFault) else Exit.FAILED
