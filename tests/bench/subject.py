"""Our gateway as it is measured: everything on, its own process, started by its own command.

Origin, guest session, route, limits, bearer, context, audit to disk and metrics are all in force; limits are so high
that they count and never refuse. Leaves the upstream to peers.py.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.load import PAGE_HEADERS
from tests.bench.processes import free_ports, program
from tests.bench.visitor import ISSUER

ORIGIN: Final = PAGE_HEADERS["Origin"]
DEPLOYMENT: Final = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
CONVERSATION: Final = "1a2b3c4d-0000-4000-8000-000000000001"
POST_PATH: Final = f"/sites/shop/api/v2/conversations/messages/{CONVERSATION}/communications/{CONVERSATION}/messages"


def path_of(number: int) -> str:
    """The same call in another conversation."""
    conversation = f"{CONVERSATION[:-8]}{number:08x}"
    return POST_PATH.replace(CONVERSATION, conversation)


OPERATION: Final = "POST /api/v2/conversations/messages/{conversationId}/communications/{communicationId}/messages"
MANY: Final = 2_000_000_000
"""A limit that is counted and never reached."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between two runs of the gateway."""

    api: str
    webmessaging: str
    routes: int = 1
    sites: int = 1
    workers: int = 1
    store: str = "memory://"


@dataclass(frozen=True, slots=True)
class Subject:
    """The gateway that runs."""

    process: subprocess.Popen[bytes]
    port: int
    admin_port: int
    ready_s: float

    def session(self) -> str:
        """Open a guest session; its handle."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/sites/shop/session", data=b"{}", method="POST",
            headers={"Origin": ORIGIN, "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["session_token"])


def configuration(shape: Shape, port: int, admin_port: int) -> str:
    """The config.toml of a run."""
    parts = [
        'version = 1\ndev = true\n',
        f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = {shape.workers}\ndrain_s = 5\n',
        (f'[admin]\nlisten = "127.0.0.1:{admin_port}"\n[log]\nlevel = "error"\nformat = "json"\n'
        f'[store]\nurl = "{shape.store}"\n'),
        "[limits]\n" + "".join(
            f"{name} = {MANY}\n" for name in (
                "requests_per_address_per_min", "requests_per_guest_per_min", "requests_per_site_per_min",
                "requests_per_origin_per_min",
                "sessions_per_address_per_min",
            )
        ) + "sockets = 100000\nsockets_per_site = 100000\n"
        "connects_per_deployment_per_min = 100000\nconcurrent_requests = 10000\nsocket_idle_s = 600\n",
        (f'[orgs.acme]\nregion = "eu-west-1"\n[orgs.acme.endpoints]\nlogin = "{shape.api}"\napi = "{shape.api}"\n'
        f'webmessaging = "{shape.webmessaging}"\n'),
        ('[orgs.acme.clients.poster]\nid = "c0ffee00-0000-4000-8000-000000000001"\nsecret = "a-secret-of-the-bench"\n'
        'permissions = ["conversation:message:create"]\n'),
        *(_site("shop" if number == 0 else f"shop{number}", number) for number in range(shape.sites)),
        *(_route(number) for number in range(shape.routes)),
    ]  # fmt: skip
    return "\n".join(parts)


def _site(name: str, number: int) -> str:
    deployment = f"{DEPLOYMENT[:-6]}{number:06x}" if number else DEPLOYMENT
    return (
        f'[sites.{name}]\norg = "acme"\ndeployment_id = "{deployment}"\norigins = ["{ORIGIN}"]\n'
        f"[sites.{name}.visitors]\nanonymous = true\nanonymous_socket = true\n"
        f"{ISSUER if name == 'shop' else ''}"
        f'[sites.{name}.context]\nattributes = {{ "gateway.guest" = "{{guest_id}}" }}\n'
    )


def _route(number: int) -> str:
    if number == 0:
        return f'[[routes]]\nname = "send"\nmatch = "{OPERATION}"\ncallers = ["guest"]\nclient = "poster"\n'
    return (
        f'[[routes]]\nname = "send{number}"\nmatch = "POST /api/v2/r{number % 100}/{{conversationId}}/r{number}/'
        f'{{communicationId}}"\nupstream = "{OPERATION}"\ncallers = ["guest"]\nclient = "poster"\n'
    )


@contextlib.contextmanager
def gateway(shape: Shape, directory: Path, environ: Mapping[str, str] | None = None) -> Iterator[Subject]:
    """Run `gateway serve` for the length of the block."""
    port, admin_port = free_ports(2)
    home = directory / f"gateway-{port}"
    home.mkdir()
    (home / "config.toml").write_text(configuration(shape, port, admin_port))
    started = time.monotonic()
    with program([sys.executable, "-m", "gateway", "serve"], port, home, environ) as process:
        yield Subject(process, port, admin_port, time.monotonic() - started)
