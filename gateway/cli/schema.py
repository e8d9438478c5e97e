"""`gateway schema`: the JSON Schema of config.toml, for editors and other checkers."""

from __future__ import annotations

import click

from gateway.cli.options import print_json
from gateway.config.describe import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of config.toml.

    Write it beside the file as config.schema.json; the first line of the shipped config.toml points there, and editors
    with TOML support complete and check keys by it.
    """
    print_json(json_schema())
