"""One gateway's parts: built from a configuration, changed by a reload, stopped in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.gateway import Gateway, Surroundings
from tests.stack import BACKEND_KEY, QUEUE, compiled, mock_flags, whole_stack

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"


async def test_another_configuration_takes_effect_for_what_comes_next(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        session = await stack.session()
        changed = {
            **mock_flags(stack.mock),
            "sites.shop.origins": ["https://other.example"],
            "backends.servicenow.routes": [],
        }
        stack.gateway.apply(compiled(changed))
        async with stack.call("POST", "/ticket", bearer=session["session_token"]) as answer:
            assert (await answer.json())["code"] == "origin.not_allowed"
        async with stack.call(
            "POST", "/ticket", bearer=session["session_token"], origin="https://other.example"
        ) as answer:
            assert answer.status == 200, "sessions survive a reload"
        async with stack.call("GET", WAIT, bearer=BACKEND_KEY, origin=None) as answer:
            assert (await answer.json())["code"] == "route.caller_not_allowed"


async def test_the_legs_to_one_host_are_shared(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        assert stack.gateway._api_leg("acme") is stack.gateway._api_leg("acme")


async def test_a_gateway_that_was_never_started_stops_quietly(tmp_path: Path) -> None:
    gateway = Gateway(compiled({}), Surroundings(tmp_path))
    await gateway.stop()


def test_the_secrets_of_a_gateway_are_in_no_repr(tmp_path: Path) -> None:
    text = repr(compiled({})) + repr(Gateway(compiled({}), Surroundings(tmp_path)).rules)
    for secret in ("mock-secret-reader", BACKEND_KEY, "demo-shop-signing-secret"):
        assert secret not in text


async def test_a_missing_key_outside_development_is_a_fault(tmp_path: Path) -> None:
    from gateway.app.own_keys import own_key
    from gateway.errors import ConfigFault

    with pytest.raises(ConfigFault):
        own_key(None, tmp_path, "guest", dev=False)
