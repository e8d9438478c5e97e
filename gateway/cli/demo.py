"""`gateway demo`: the gateway, the mock Genesys and a demo shop in one process on loopback, with what to try."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import uvloop

from gateway.app.gateway import Surroundings
from gateway.app.handover import compiled_of
from gateway.app.running import Running, running
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.serve import require_compiled_parser, set_up_log
from gateway.config.compile import Compiled
from gateway.config.load import load
from gateway.config.secrets import Secrets
from gateway.config.shipped import shipped_config
from gateway.demo.shop import ShopSettings, running_shop
from gateway.mock.default_world import default_world
from gateway.mock.server import MockSettings, RunningMock, running_mock

SITE: Final = "shop"
GUIDE: Final = """
  The demo runs on this machine only. Nothing here is the real Genesys.

  shop page      {shop}
  examples       {shop}/examples/    (plain, strict CSP, consent, single-page, React)
  stranger       {stranger}/    (the same shop at an origin that is not on the list)
  console        {admin}/console
  metrics        {admin}/metrics
  audit log      {admin}/audit
  readiness      {admin}/readyz?verbose
  what "Genesys" received, and its agent's side of the chat
                 {mock}

  Try it
    1. Open the shop page, open the chat, write something: you are an anonymous guest; an agent of the mock answers.
    2. Sign in on the page and write again: the agent's side now shows the verified guest, by a pseudonym.
    3. Look at the audit log: one record for each thing that was granted or refused.
    4. curl -i -H 'Origin: https://evil.example' -X POST {gateway}/sites/shop/session
       is refused, and the answer says why. So is the page of the stranger: see the console of its browser window.

  State is kept in {state} while it runs. Ctrl-C ends everything.
"""


@click.command()
@click.option(
    "--mode",
    type=click.Choice(["proxied", "messenger"]),
    default="proxied",
    show_default=True,
    help="Our own chat through the gateway, or a stand-in for the stock Messenger that talks to the mock itself.",
)
@click.option("--shop-port", default=8088, show_default=True, help="Port of the demo shop.")
@click.option("--control-port", default=8099, show_default=True, help="Port of the mock's control and agent page.")
@click.option("--keep", "keep", type=click.Path(path_type=Path, file_okay=False), help="Keep audit log and keys here.")
def demo(mode: str, shop_port: int, control_port: int, keep: Path | None) -> None:
    """Run everything on loopback with the shipped configuration, and say what to try. Ctrl-C ends it.

    The gateway listens on 8080 and 9090, the mock on 8091 to 8099, the shop on 8088, the same shop as a
    stranger to the gateway on any free port; GATEWAY_ variables change the
    addresses of gateway and mock (GATEWAY_SERVER__LISTEN, GATEWAY_ORGS__ACME__ENDPOINTS__LOGIN ...).
    """
    require_compiled_parser()
    origins = [f"http://{name}:{shop_port}" for name in ("127.0.0.1", "localhost")]
    flags = {
        f"sites.{SITE}.mode": mode,
        f"sites.{SITE}.origins": origins,
        f"sites.{SITE}.visitors.genesys_login": mode == "proxied",  # the mock can do it; the Messenger does it itself
        "oidc.clients.genesys.redirect_uris": [f"{origin}/" for origin in origins],
    }
    loaded = load(shipped_config(), os.environ, flags)
    compiled = compiled_of(loaded)
    set_up_log(compiled)
    issuer = loaded.config.sites[SITE].visitors.issuers[0]
    secret = Secrets(loaded.directory, os.environ, dev=True).read(issuer.secret or "").reveal()
    shop = ShopSettings(secret=secret, kid=issuer.kid or "", port=shop_port)
    with contextlib.ExitStack() as stack:
        state = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-")))
        uvloop.run(_run(compiled, shop, control_port, state))
    click.echo("gateway demo: ended")


async def _run(compiled: Compiled, shop_settings: ShopSettings, control_port: int, state: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with contextlib.AsyncExitStack() as stack:
            mock = await stack.enter_async_context(_mock(compiled, control_port))
            run = await stack.enter_async_context(running(compiled, Surroundings(state)))
            furnished = _furnished(shop_settings, run, mock)
            stranger = await stack.enter_async_context(running_shop(replace(furnished, port=0)))
            shop = await stack.enter_async_context(running_shop(replace(furnished, foreign_url=f"{stranger.url}/")))
            addresses = {"shop": shop.url, "stranger": stranger.url, "gateway": run.url, "admin": run.admin_url}
            click.echo(GUIDE.format(**addresses, mock=mock.endpoints.control, state=state))
            sys.stdout.flush()
            await stop.wait()
    except OSError as exc:
        raise CommandFault(
            Exit.FAILED, "demo.port_taken", f"A port of the demo cannot be used: {exc.strerror}.",
            "Stop what listens on 8080, 8088, 8091 to 8099 or 9090, or name other ports (see --help).",
        ) from exc  # fmt: skip


def _furnished(settings: ShopSettings, run: Running, mock: RunningMock) -> ShopSettings:
    """The shop with the addresses that were bound."""
    return replace(
        settings,
        widget_url=f"{run.url}/sites/{SITE}/widget.js",
        metrics_url=f"{run.admin_url}/metrics",
        audit_url=f"{run.admin_url}/audit",
        console_url=f"{run.admin_url}/console",
        mock_url=f"{mock.endpoints.control}/",
        files_url=f"{mock.endpoints.upload}/",
        genesys_urls=genesys_urls(mock) if run.gateway.compiled.config.sites[SITE].mode == "messenger" else (),
        client_url=run.url + run.gateway.assets.payload_settings()["client"]["url"],
        deployment_id=run.gateway.compiled.config.sites[SITE].deployment_id,
    )


def genesys_urls(mock: RunningMock) -> tuple[str, ...]:
    """Where a page with the stock Messenger must be let through to."""
    return (mock.endpoints.api, mock.endpoints.cdn, mock.endpoints.webmessaging)


def _mock(compiled: Compiled, control_port: int) -> contextlib.AbstractAsyncContextManager[RunningMock]:
    """The mock on the ports that the configuration names for Genesys."""
    hosts = compiled.hosts_of_site(SITE)
    world = default_world()
    world.oidc.discovery_uri = f"{compiled.config.server.public_url}/.well-known/openid-configuration"
    settings = MockSettings(
        login_port=_port(hosts.login),
        api_port=_port(hosts.api),
        cdn_port=_port(hosts.cdn),
        webmessaging_port=_port(hosts.webmessaging),
        apps_port=_port(hosts.apps),
        upload_port=0,
        control_port=control_port,
        agent_delay_s=0.6,
    )
    return running_mock(settings, world)


def _port(url: str) -> int:
    return urlsplit(url).port or 0
