"""Options that commands share: --config, --set, -o; and loading the configuration that they name.

Leaves what is done with it to each command. The rule: the same option has the same name, variable and default
everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from gateway.cli.exits import CommandFault, Exit
from gateway.config.environment import value_of
from gateway.config.load import Loaded, load

DEFAULT_CONFIG: Final = Path("config.toml")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def config_option(function: _Function) -> _Function:
    """Add --config (`config_path: Path | None`) and --set (`settings: tuple[str, ...]`) to a command."""
    function = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set one key for this run, e.g. server.listen=127.0.0.1:8081; goes before the environment and the file.",
    )(function)
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="GATEWAY_CONFIG",
        show_envvar=True,
        help="The configuration file.  [default: ./config.toml]",
    )(function)


def output_option(function: _Function) -> _Function:
    """Add -o/--output (`output: str`, text or json) to a command that reports."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How the report is written to stdout.",
    )(function)


def load_config(config_path: Path | None, settings: tuple[str, ...] = (), *, fallback: Path | None = None) -> Loaded:
    """Return the configuration that the options name; `fallback` stands in for a missing ./config.toml.

    Raises `ConfigFault`, `click.UsageError` for a --set that is no KEY=VALUE, and `CommandFault` when no file is named
    and none is there.
    """
    path = config_path
    if path is None:
        path = DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else fallback
    if path is None:
        raise CommandFault(
            Exit.CONFIG, "config.missing", "There is no config.toml in this directory.",
            "Name one with --config or GATEWAY_CONFIG.",
        )  # fmt: skip
    return load(path, os.environ, dict(map(_setting, settings)))


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.UsageError(f"--set takes KEY=VALUE, not {key!r}")
    parsed, fault = value_of(value, tuple(key.split(".")))
    if fault is not None:
        raise click.UsageError(f"--set {key}: {fault}")
    return key, parsed


def print_json(value: object) -> None:
    """Write one JSON document to stdout, with stable order and two-space indent."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
