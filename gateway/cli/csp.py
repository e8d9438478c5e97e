"""`gateway csp SITE`: the Content-Security-Policy that a site's pages need, and what Zendesk's widgets leave behind.

Leaves the rules to `gateway.app.embedding`. The rule: what is printed can be pasted into a header as it stands.
"""

from __future__ import annotations

from pathlib import Path

import click

from gateway.app.embedding import ZENDESK_ENTRIES, csp, header
from gateway.cli.options import config_option, output_option, print_json
from gateway.cli.snippet import compiled_site


@click.command(name="csp")
@click.argument("site")
@click.option("--from", "coming_from", type=click.Choice(["zendesk"]), help="Also say which entries may go.")
@click.option("--by-host", is_flag=True, help="Allow scripts by host instead of by nonce and 'strict-dynamic'.")
@config_option
@output_option
def csp_command(
    site: str,
    coming_from: str | None,
    by_host: bool,
    config_path: Path | None,
    settings: tuple[str, ...],
    output: str,
) -> None:
    """Print the Content-Security-Policy entries that SITE's chat needs; add them to those of the page.

    {NONCE} stands for the page's own nonce; the tag carries it (`gateway snippet SITE --only nonce`).
    """
    compiled = compiled_site(config_path, settings, site)
    directives = csp(compiled, site, strict=not by_host)
    both_run = compiled.config.sites[site].migration.share < 100
    leaving = ZENDESK_ENTRIES if coming_from == "zendesk" else ()
    if output == "json":
        document: dict[str, object] = {"header": header(directives), "directives": directives}
        if leaving:
            document |= {"leaving": dict(leaving), "leaving_now": not both_run}
        print_json(document)
        return
    click.echo(f"Content-Security-Policy: {header(directives)}")
    if leaving:
        when = "Once [sites.X.migration] share is 100 these may go:" if both_run else "These may go:"
        click.echo(f"\n{when}")
        for name, entries in leaving:
            click.echo(f"  {name} {' '.join(entries)}")
