"""`gateway snippet SITE`: the tags with which a page embeds a site's chat.

Leaves what they hold to `gateway.app.embedding`. The rule: every address and digest is that of this configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from gateway.app.embedding import Snippet, snippets
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import config_option, load_config, output_option, print_json
from gateway.config import checks
from gateway.config.compile import Compiled, compile_config


def compiled_site(config_path: Path | None, settings: tuple[str, ...], site: str) -> Compiled:
    """The configuration, when it has the site and says how browsers reach the gateway. Raises CommandFault."""
    loaded = load_config(config_path, settings)
    sources = checks.sources_of(loaded, os.environ)
    checks.require_sound(loaded, sources)
    compiled = compile_config(loaded, sources)
    if site not in compiled.sites:
        raise CommandFault(
            Exit.USAGE, "site.unknown", f"There is no site {site}.", f"There are: {', '.join(compiled.sites)}."
        )
    if not compiled.config.server.public_url:
        raise CommandFault(
            Exit.CONFIG, "server.public_url", "is not set, so no page can be told where the gateway is.",
            "Set [server] public_url to the address that browsers use.",
        )  # fmt: skip
    return compiled


@click.command()
@click.argument("site")
@click.option("--only", metavar="NAME", help="One way of embedding; its tag alone, for scripts.")
@config_option
@output_option
def snippet(site: str, only: str | None, config_path: Path | None, settings: tuple[str, ...], output: str) -> None:
    """Print the tags that embed SITE's chat: plain, in Zendesk's place, with nonce, with SRI digest, by consent, lazy.

    {NONCE} stands for the page's own nonce.
    """
    found = snippets(compiled_site(config_path, settings, site), site)
    if only is not None:
        found = tuple(each for each in found if each.name == only) or _no_such(only, found)
    if output == "json":
        print_json([{"name": each.name, "meaning": each.meaning, "tag": each.tag} for each in found])
    elif only is not None:
        click.echo(found[0].tag)
    else:
        click.echo("\n\n".join(f"{each.name}: {each.meaning}\n  {each.tag}" for each in found))


def _no_such(only: str, found: tuple[Snippet, ...]) -> tuple[Snippet, ...]:
    raise click.UsageError(f"--only {only}: there are {', '.join(each.name for each in found)}")
