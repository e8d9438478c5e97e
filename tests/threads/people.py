"""What the people of the five threads have in common: a server with a key, a page with a visitor, a guest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.journeys.guest_client import GuestClient, connected
from tests.login_stack import visitor_token
from tests.stack import BACKEND_ID, BACKEND_KEY, DEPLOYMENT, PAGE, Stack, basic

__all__ = ["ask_token", "call_as_server", "signed_in_guest", "visitor_token"]


async def ask_token(stack: Stack, path: str, **form: str) -> tuple[int, dict[str, Any]]:
    """Ask for a token at some path with the backend's id and key, as an author would ask Genesys."""
    data = {"grant_type": "client_credentials", **form}
    async with stack.client.post(stack.url + path, data=data, headers=basic(BACKEND_ID, BACKEND_KEY)) as answer:
        return answer.status, await answer.json()


async def call_as_server(
    stack: Stack, method: str, path: str, body: object = None, bearer: str = BACKEND_KEY
) -> tuple[int, dict[str, Any]]:
    """A call of a server, without Origin, to the address that an SDK would use."""
    headers = {"Authorization": f"Bearer {bearer}"}
    async with stack.client.request(method, stack.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json() if answer.content_length != 0 else {}


@asynccontextmanager
async def signed_in_guest(stack: Stack, session_token: str) -> AsyncIterator[GuestClient]:
    """The page's socket: a ticket for the session, then the Guest API."""
    async with stack.call("POST", "/ticket", bearer=session_token) as answer:
        ticket = (await answer.json())["ticket"]
    async with (
        aiohttp.ClientSession() as http,
        connected(http, stack.base, DEPLOYMENT, PAGE, protocols=("gateway.v1", f"ticket.{ticket}")) as guest,
    ):
        await guest.configure()
        yield guest
