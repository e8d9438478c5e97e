"""The token endpoint over HTTP: a backend's id and key in, a handle out, in the shape that the official SDKs read."""

from __future__ import annotations

import pytest

from tests.stack import BACKEND_ID, BACKEND_KEY, PAGE, Stack, basic

FORM = {"grant_type": "client_credentials"}


@pytest.mark.parametrize("path", ["/oauth/token", "/login/oauth/token"])
async def test_a_backend_gets_a_handle(stack: Stack, path: str) -> None:
    async with stack.client.post(stack.url + path, data=FORM, headers=basic(BACKEND_ID, BACKEND_KEY)) as answer:
        body = await answer.json()
    assert answer.status == 200
    assert body["access_token"].startswith("gwb_")
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "token.minted" in await stack.actions()


async def test_a_wrong_key_is_an_invalid_client_with_our_code(stack: Stack) -> None:
    async with stack.client.post(f"{stack.url}/oauth/token", data=FORM, headers=basic(BACKEND_ID, "no")) as answer:
        body = await answer.json()
    assert (answer.status, body["error"], body["code"]) == (401, "invalid_client", "backend.invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert (await stack.actions())[-1] in {"proxy.denied", "token.refused"}


async def test_a_page_does_not_get_tokens(stack: Stack) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with stack.client.options(f"{stack.url}/oauth/token", headers=headers) as answer:
        assert answer.status == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_json_instead_of_a_form_is_refused(stack: Stack) -> None:
    async with stack.client.post(f"{stack.url}/oauth/token", json=FORM) as answer:
        assert answer.status in {400, 415}
        assert "error" in await answer.json()
