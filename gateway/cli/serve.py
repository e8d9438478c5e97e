"""`gateway serve`: runs the gateway until it is told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import uvloop
from aiohttp import http_parser

from gateway.app.gateway import Surroundings
from gateway.app.running import Running, node_name
from gateway.app.running import serve as serve_gateway
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config
from gateway.config import checks
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import Loaded
from gateway.observe import log as app_log


@click.command()
@config_option
def serve(config_path: Path | None, settings: tuple[str, ...]) -> None:
    """Run the gateway: the public listener and the admin listener, until SIGTERM or SIGINT.

    SIGTERM drains (readiness off, sockets closed with 1001, requests finished within [server] drain_s), SIGHUP reads
    the configuration again; one that cannot be used leaves the running one in force.
    """
    require_compiled_parser()
    loaded = load_config(config_path, settings)
    compiled = compiled_of(loaded)
    set_up_log(compiled)
    surroundings = Surroundings(Path.cwd(), node=node_name())
    uvloop.run(
        serve_gateway(compiled, surroundings, lambda: compiled_of(load_config(config_path, settings)), say_ready)
    )


def compiled_of(loaded: Loaded) -> Compiled:
    """The configuration, judged and compiled. Raises ConfigFault with every error."""
    sources = checks.sources_of(loaded, os.environ)
    checks.require_sound(loaded, sources)
    return compile_config(loaded, sources)


def set_up_log(compiled: Compiled) -> None:
    """Write the application log as [log] says."""
    settings = compiled.config.log
    pretty = {"auto": None, "json": False, "pretty": True}[settings.format]
    app_log.configure(level=settings.level.upper(), stream=sys.stderr, pretty=pretty, node=node_name())


def say_ready(run: Running) -> None:
    """Tell the addresses."""
    click.echo(f"gateway: serving {run.url}, admin {run.admin_url}", err=True)


def require_compiled_parser() -> None:
    """Refuse to run on aiohttp's parser in Python, in which most framing holes were.

    Raises CommandFault. https://github.com/aio-libs/aiohttp/security/advisories
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise CommandFault(
            Exit.FAILED, "server.parser_missing", "aiohttp runs without its compiled HTTP parser.",
            "Install aiohttp from a wheel, and leave AIOHTTP_NO_EXTENSIONS unset.",
        )  # fmt: skip
