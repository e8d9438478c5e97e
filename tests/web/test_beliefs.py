"""Beliefs at the running gateway: each is answered with what does the work, and counted."""

from __future__ import annotations

from importlib.resources import files

import orjson
import pytest

from gateway.config import genesys
from gateway.config.genesys import resolve_region
from gateway.policy.beliefs import Belief
from gateway.policy.regions import RegionUnknown
from tests.stack import BACKEND_ID, BACKEND_KEY, Stack, basic, compiled

BELIEFS = genesys.beliefs()
PATHS = [row for row in BELIEFS.rows if row.kind in {"route", "socket", "operation"}]
CONFIGURED = {"route.messaging-close"}
"""Beliefs that the shipped configuration makes work as a route."""
REMOVED = orjson.loads((files("gateway") / "data" / "genesys-operations.json").read_bytes())["removed"]
ID = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"


def path_of(pattern: str) -> tuple[str, str]:
    method, _, path = pattern.partition(" ")
    return ("GET" if method == "*" else method), path.replace("{}", ID).replace("**", f"{ID}/messages")


def hits(stack: Stack, belief: Belief | str) -> float:
    name = belief if isinstance(belief, str) else belief.id
    return stack.gateway.metrics.beliefs.child(name).value


async def test_each_believed_path_is_answered_with_its_replacement_and_counted(stack: Stack) -> None:
    for row in PATHS:
        if row.id in CONFIGURED:
            continue
        method, path = path_of(row.pattern)
        async with stack.client.request(
            method, stack.url + path, headers={"Authorization": f"Bearer {BACKEND_KEY}"}
        ) as answer:
            body = await answer.json()
        code = "route.unknown" if row.is_real else "route.never_existed"
        assert (answer.status, body["code"]) == (404, code), row.id
        assert row.instead in body["detail"], row.id
        assert hits(stack, row) == 1, row.id


async def test_each_of_the_41_removed_operations_is_answered_with_its_replacement(stack: Stack) -> None:
    assert len(REMOVED) == 41
    for key in REMOVED:
        method, _, template = key.partition(" ")
        found = genesys.catalogue().find_removed(method, template)
        assert found is not None
        path = "/".join(ID if part.startswith("{") else part for part in template.split("/"))
        async with stack.call(method, path, bearer=BACKEND_KEY, origin=None) as answer:
            body = await answer.json()
        assert (answer.status, body["code"]) == (410, "route.removed"), key
        assert found[1] in body["detail"], key


@pytest.mark.parametrize("path", ["/api/v2/oauth/token", "/v2/oauth/token", "/oauth2/token"])
async def test_a_believed_token_endpoint_gives_a_backend_a_handle_and_says_where_it_is(stack: Stack, path: str) -> None:
    form = {
        "grant_type": "client_credentials", "scope": "messaging:conversation:close conversations made:up:one",
        "audience": "https://api.us.genesys.cloud/oauth2/token", "redirect_uri": "https://shop.example/",
    }  # fmt: skip
    async with stack.client.post(stack.url + path, data=form, headers=basic(BACKEND_ID, BACKEND_KEY)) as answer:
        body = await answer.json()
    assert answer.status == 200, body
    assert body["access_token"].startswith("gwb_")
    said = "\n".join(body["warnings"])
    assert "The login host of the region answers at /oauth/token" in said
    assert "conversation:communication:disconnect" in said
    assert "conversations: ignored by Genesys for client credentials" in said
    assert "made:up:one: looks like a permission" in said
    assert 'region = "us-east-1"' in said
    for name in ("scope.messaging-conversation-close", "field.audience", "field.redirect-uri", "host.api-us"):
        assert hits(stack, name) == 1, name
    assert sum(hits(stack, f"token-endpoint.{one}") for one in ("api", "v2", "oauth2")) == 1


async def test_each_believed_scope_and_field_is_answered_with_what_is_so_and_counted(stack: Stack) -> None:
    for row in (row for row in BELIEFS.rows if row.kind in {"scope", "field"}):
        shown = row.pattern.replace("*", "anything")
        form = {"grant_type": "client_credentials", **({"scope": shown} if row.kind == "scope" else {shown: "x"})}
        async with stack.client.post(
            f"{stack.url}/oauth/token", data=form, headers=basic(BACKEND_ID, BACKEND_KEY)
        ) as answer:
            body = await answer.json()
        assert answer.status == 200, body
        said = f"{shown}: {row.told}" if row.kind == "scope" else f"{shown} is ignored: {row.truth}"
        assert said in body["warnings"], row.id
        assert hits(stack, row) == 1, row.id


HOSTS = {
    row.id: row.pattern.replace("*", "eu-west-1" if row.id == "host.api-region" else "mycompany")
    for row in BELIEFS.rows
    if row.kind == "host"
}


async def test_each_believed_host_that_is_named_as_audience_is_answered_and_counted(stack: Stack) -> None:
    for name, host in HOSTS.items():
        for audience in (host, f"https://{host}/oauth2/token"):
            form = {"grant_type": "client_credentials", "audience": audience}
            async with stack.client.post(
                f"{stack.url}/oauth/token", data=form, headers=basic(BACKEND_ID, BACKEND_KEY)
            ) as answer:
                body = await answer.json()
            assert f"{host}: {BELIEFS.by_id[name].told}" in body["warnings"], name
        assert hits(stack, name) == 2, name


@pytest.mark.parametrize("host", HOSTS.values())
def test_each_believed_host_is_refused_as_a_region_with_what_is_so(host: str) -> None:
    with pytest.raises(RegionUnknown, match="another vendor" if "cxone" in host else "write|region"):
        resolve_region(f"https://{host}/oauth2/token")


async def test_a_believed_token_endpoint_refuses_a_wrong_key_and_says_the_same(stack: Stack) -> None:
    form = {"grant_type": "client_credentials"}
    headers = basic(BACKEND_ID, "not-the-key")
    async with stack.client.post(f"{stack.url}/v2/oauth/token", data=form, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["error"], body["code"]) == (401, "invalid_client", "backend.invalid")
    assert "login host" in body["error_description"]


async def test_the_scheme_guest_is_refused_with_what_guests_really_do(stack: Stack) -> None:
    headers = {"Authorization": "Guest abc", "X-Genesys-Application": "shop", "Audience": "x", "OrgName": "acme"}
    async with stack.call("GET", "/api/v2/webmessaging/messages", headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["code"]) == (400, "request.header_invalid")
    assert "POST /sites/{site}/session" in body["detail"]
    for name in ("header.application", "header.audience", "header.organization", "header.guest-scheme"):
        assert hits(stack, name) == 1, name


async def test_a_path_that_nobody_believes_in_is_answered_as_before(stack: Stack) -> None:
    async with stack.call("GET", "/api/v2/nothing/of/the/kind", bearer=BACKEND_KEY) as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "route.unknown")
    async with stack.call("DELETE", "/ticket") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_the_belief_that_is_made_to_work_is_a_route_of_the_shipped_configuration() -> None:
    routes = [route.match for route in compiled({}).config.routes]
    for name in CONFIGURED:
        assert BELIEFS.by_id[name].pattern.replace("{}", "{conversationId}") in routes
