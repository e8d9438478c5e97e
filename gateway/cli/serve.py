"""`gateway serve`: runs the gateway until it is told to stop."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import click
import uvloop
from aiohttp import http_parser

from gateway.app import log_setup
from gateway.app.gateway import Surroundings
from gateway.app.handover import compiled_of
from gateway.app.log_setup import node_name
from gateway.app.running import Running
from gateway.app.running import serve as serve_gateway
from gateway.app.supervisor import Supervising, supervise
from gateway.app.worker_count import worker_count
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config
from gateway.config.compile import Compiled


@click.command()
@config_option
def serve(config_path: Path | None, settings: tuple[str, ...]) -> None:
    """Run the gateway: the public listener and the admin listener, until SIGTERM or SIGINT.

    SIGTERM drains (readiness off, sockets closed with 1001, requests finished within [server] drain_s), SIGHUP reads
    the configuration again; one that cannot be used leaves the running one in force. With [server] workers above 1 a
    supervisor runs that many processes; SIGUSR2 replaces them one after the other.
    """
    require_compiled_parser()
    loaded = load_config(config_path, settings)
    compiled = compiled_of(loaded)
    set_up_log(compiled)
    surroundings = Surroundings(Path.cwd(), node=node_name())
    if worker_count(compiled.config.server.workers) > 1:
        reread = partial(load_config, config_path, settings)
        asyncio.run(supervise(loaded, compiled, surroundings, reread, say_supervising))
    else:
        uvloop.run(
            serve_gateway(compiled, surroundings, lambda: compiled_of(load_config(config_path, settings)), say_ready)
        )


def set_up_log(compiled: Compiled) -> None:
    """Write the application log as [log] says."""
    log_setup.set_up_log(compiled, node_name())


def say_ready(run: Running) -> None:
    """Tell the addresses."""
    click.echo(f"gateway: serving {run.url}, admin {run.admin_url}", err=True)


def say_supervising(node: Supervising) -> None:
    """Tell the addresses, and how many serve."""
    click.echo(f"gateway: serving {node.url}, admin {node.admin_url}, {node.workers} workers", err=True)


def require_compiled_parser() -> None:
    """Refuse to run on aiohttp's parser in Python, in which most framing holes were.

    Raises CommandFault. https://github.com/aio-libs/aiohttp/security/advisories
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise CommandFault(
            Exit.FAILED, "server.parser_missing", "aiohttp runs without its compiled HTTP parser.",
            "Install aiohttp from a wheel, and leave AIOHTTP_NO_EXTENSIONS unset.",
        )  # fmt: skip
