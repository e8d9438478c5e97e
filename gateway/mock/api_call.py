"""One call to the Platform API, as its handlers see it: who asks, for which operation, with what; and how they answer.

A handler is a coroutine of one Call; the tables of handlers are in the api_* files and joined in api.py.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.mock.catalogue import Operation
from gateway.mock.model import AccessToken, Client, Json
from gateway.mock.platform_error import PlatformError
from gateway.mock.world import World


@dataclass(slots=True)
class Call:
    """A call that passed authentication and permissions; `guest` holds the claims where a guest JWT was demanded."""

    world: World
    request: web.Request
    operation: Operation
    params: dict[str, str]
    token: AccessToken | None = None
    client: Client | None = None
    guest: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def body(self) -> Json:
        """Return the JSON object of the body; raises PlatformError 415 or 400."""
        value = await self.json()
        if not isinstance(value, dict):
            raise PlatformError("bad.request", {"reason": "the body is not an object"})
        return value

    async def body_list(self) -> list[Any]:
        """Return the JSON list of the body; raises PlatformError 415 or 400."""
        value = await self.json()
        if not isinstance(value, list):
            raise PlatformError("bad.request", {"reason": "the body is not a list"})
        return value

    async def json(self) -> Any:
        """Return the parsed body, whatever it is; raises PlatformError 415 or 400."""
        if self.request.content_type != "application/json":
            raise PlatformError("unsupported.media.type")
        try:
            return json.loads(await self.request.text())
        except (ValueError, RecursionError) as exc:
            raise PlatformError("bad.request", {"reason": "the body is not JSON"}) from exc

    def page(self) -> tuple[int, int]:
        """Return (pageSize, pageNumber); raises PlatformError 400 outside 1..500 and 1.."""
        numbers = []
        for name, default, most in (("pageSize", "25", 500), ("pageNumber", "1", 1_000_000)):
            text = self.request.query.get(name, default)
            if not text.isdigit() or not 1 <= int(text) <= most:
                raise PlatformError("invalid.value", {"value": text[:40], "field": name, "allowed": f"1 to {most}"})
            numbers.append(int(text))
        return numbers[0], numbers[1]

    def check_division(self, division_id: str) -> None:
        """Raise the division refusal unless the client's role covers this division."""
        client = self.client
        if client is None or "*" in client.divisions or division_id in client.divisions:
            return
        permissions = ", ".join(self.operation.permissions)
        raise PlatformError("missing.division.permission", {"permissions": permissions, "divisions": division_id})


Handler = Callable[[Call], Awaitable[web.Response]]


def reply(body: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    return web.json_response(body, status=status)


def nothing(status: int = 204) -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=status)


def listing(entities: list[Json], page_size: int, page_number: int, path: str) -> Json:
    """Return one page of entities in the platform's listing shape."""
    total = len(entities)
    pages = max(1, -(-total // page_size))
    first = (page_number - 1) * page_size
    return {
        "entities": entities[first : first + page_size],
        "pageSize": page_size,
        "pageNumber": page_number,
        "total": total,
        "pageCount": pages,
        "selfUri": f"{path}?pageSize={page_size}&pageNumber={page_number}",
        "firstUri": f"{path}?pageSize={page_size}&pageNumber=1",
        "lastUri": f"{path}?pageSize={page_size}&pageNumber={pages}",
    }
