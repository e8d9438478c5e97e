"""`gateway demo` as a newcomer runs it: a process of its own that says where everything is, and ends on Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.ports import free_ports

NAMES = ("LOGIN", "API", "CDN", "APPS")


def environment(ports: list[int]) -> dict[str, str]:
    """Variables that move gateway and mock to these ports."""
    public, admin, messaging, *rest = ports
    endpoints = {
        f"GATEWAY_ORGS__ACME__ENDPOINTS__{n}": f"http://127.0.0.1:{p}" for n, p in zip(NAMES, rest, strict=True)
    }
    return {
        **os.environ,
        **endpoints,
        "GATEWAY_ORGS__ACME__ENDPOINTS__WEBMESSAGING": f"ws://127.0.0.1:{messaging}",
        "GATEWAY_SERVER__LISTEN": f"127.0.0.1:{public}",
        "GATEWAY_SERVER__PUBLIC_URL": f"http://127.0.0.1:{public}",
        "GATEWAY_ADMIN__LISTEN": f"127.0.0.1:{admin}",
    }


async def started(
    tmp_path: Path, ports: list[int], shop: int, control: int, mode: str = "proxied"
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", "--mode", mode, "--shop-port", str(shop),
        "--control-port", str(control), "--keep", str(tmp_path), env=environment(ports),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["proxied", "messenger"])
async def test_the_demo_tells_its_addresses_serves_them_and_ends_on_ctrl_c(tmp_path: Path, mode: str) -> None:
    *ports, shop, control = free_ports(9)
    process = await started(tmp_path, ports, shop, control, mode)
    assert process.stdout is not None
    told = b""
    async with asyncio.timeout(60):
        while b"Ctrl-C ends everything" not in told:
            line = await process.stdout.readline()
            assert line, (await process.communicate())[1].decode()
            told += line
    addresses = set(re.findall(r"http://127\.0\.0\.1:\d+[/a-z]*", told.decode()))
    assert f"http://127.0.0.1:{shop}" in addresses
    async with aiohttp.ClientSession() as client:
        for address in addresses - {f"http://127.0.0.1:{ports[0]}/sites/shop/session"}:
            async with client.get(address) as answer:
                assert answer.status == 200, address
        stranger = re.search(r"stranger\s+(http://127\.0\.0\.1:\d+/)", told.decode())
        assert stranger is not None
        async with client.get(f"http://127.0.0.1:{shop}/") as page:
            assert f'href="{stranger[1]}"' in await page.text()
            goes_to_genesys = f"ws://127.0.0.1:{ports[2]}" in page.headers["Content-Security-Policy"]
        async with client.get(f"http://127.0.0.1:{ports[0]}/sites/shop/widget.js") as script:
            assert re.search(rf'"mode": ?"{mode}"', await script.text())
        assert goes_to_genesys == (mode == "messenger")
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert out.decode().strip().endswith("gateway demo: ended")
    assert b"Traceback" not in err
    assert (tmp_path / ".gateway" / "audit").is_dir()


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    *ports, shop, control = free_ports(9)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", control))
        taken.listen()
        process = await started(tmp_path, ports, shop, control)
        async with asyncio.timeout(60):
            _, err = await process.communicate()
    assert process.returncode == 1
    assert b"demo.port_taken" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize("arguments", [["--shop-port", "many"], ["--nonsense"], ["extra"]])
async def test_a_wrong_call_is_explained(arguments: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert b"Usage: gateway demo" in err
