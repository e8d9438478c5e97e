"""Thread 002: the new widget is 401 on page load; the replies say loginUrl, scopes, CORS list, and a hidden secret.

Each belief is met, and a page of a listed origin opens its session without any token at all.
"""

from __future__ import annotations

import pytest

from gateway.config.genesys import resolve_region
from gateway.policy.regions import RegionUnknown
from tests.stack import PAGE, Stack
from tests.threads.people import ask_token


async def test_the_page_loads_without_any_token_and_a_wrong_origin_is_told_so(stack: Stack) -> None:
    # the endpoint of the replies exists for servers only, and says where it really is
    status, token = await ask_token(stack, "/v2/oauth/token", scope="view:user view:conversation")
    assert status == 200
    said = "\n".join(token["warnings"])
    assert "directory:user:view" in said
    assert "conversation:communication:view" in said

    # staging is not listed: the page can read why, which a plain CORS error would hide
    async with stack.call("POST", "/session", origin="https://staging.shop.example", json={}) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (403, "origin.not_allowed")
    assert "origins" in body["detail"]

    # a listed page: no account id, no widget id, no API key, no token
    async with stack.call("POST", "/session", json={}) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (201, PAGE)
        session = await answer.json()
    assert session["session_token"].startswith("gws_")

    # what the documentation calls silent refresh: the same call renews
    renewed = await stack.session(bearer=session["session_token"])
    assert renewed["guest"] == session["guest"]


@pytest.mark.parametrize("host", ["https://mycompany.mygen.com/v2/oauth/token", "platform.genesys.cloud"])
def test_a_login_host_per_customer_is_named_as_an_invention(host: str) -> None:
    with pytest.raises(
        RegionUnknown, match=r"not a Genesys Cloud domain|not for the Platform API|no Platform API host|no host"
    ):
        resolve_region(host)


async def test_the_script_of_the_page_holds_no_secret(stack: Stack) -> None:
    async with stack.client.get(f"{stack.base}/widget.js") as answer:
        text = await answer.text()
    for secret in ("mock-secret", "never-use-it-elsewhere", "client_secret"):
        assert secret not in text
