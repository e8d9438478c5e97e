"""Which limit refused stands in metric and record by the name that the answer has; else nobody knows what to raise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.stack import BACKEND_KEY, PAGE, Stack, whole_stack
from tests.telemetry.drive import WAIT

FREE = {f"limits.requests_per_{who}_per_min": 100_000 for who in ("address", "origin", "guest", "site")}


async def call(stack: Stack, handle: str | None) -> dict[str, Any]:
    """A guest's call where there is a handle, else one of the backend from a page; the refusal's body, or nothing."""
    path = "/api/v2/webmessaging/messages" if handle else WAIT
    async with stack.call("GET", path, bearer=handle or BACKEND_KEY, origin=PAGE) as answer:
        return await answer.json() if answer.status == 429 else {}


@pytest.mark.parametrize(
    ("limiter", "key", "as_guest"),
    [
        ("address", "limits.requests_per_address_per_min", False),
        ("origin", "limits.requests_per_origin_per_min", False),
        ("site", "limits.requests_per_site_per_min", False),
        ("guest", "limits.requests_per_guest_per_min", True),
        ("route", "routes.0.limit_per_min", False),
    ],
)
async def test_the_limit_that_refused_is_named_alike_everywhere(
    tmp_path: Path, limiter: str, key: str, as_guest: bool
) -> None:
    async with whole_stack(tmp_path, {**FREE, key: 8}) as stack:
        handle = (await stack.session())["session_token"] if as_guest else None
        refusals = [body for _ in range(16) if (body := await call(stack, handle))]
        assert refusals
        assert all(f"limit per {limiter} is" in body["detail"] for body in refusals)
        assert stack.gateway.metrics.rate_limited.child(limiter).value == len(refusals)
        told = [one for one in await stack.records() if one["event.action"] == "ratelimit.blocked"]
        assert {one["gateway.limiter"] for one in told} == {limiter}


async def test_sessions_of_one_address_are_a_limiter_of_their_own(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {**FREE, "limits.sessions_per_address_per_min": 2}) as stack:
        statuses: list[int] = []
        for _ in range(6):
            async with stack.call("POST", "/session", json={}) as answer:
                statuses.append(answer.status)
        assert statuses[-1] == 429
        assert stack.gateway.metrics.rate_limited.child("sessions").value >= 1
