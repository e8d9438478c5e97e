"""What `tokens/me` may tell, and when it makes a token foreign."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.upstream.bearer import Bearer, ClientCredentials
from gateway.upstream.http import HttpLeg
from gateway.upstream.self_check import TokenOwner, is_foreign, read_tokens_me, whose_token
from tests.upstream.misbehaving import Peer, upstream_of

CLIENT = ClientCredentials("acme", "r", "u", "closer", "ID-1", "s", organization_id="ORG-1")
OWNER = TokenOwner("org-1", "Acme", "id-1", "closer", "CLIENT-CREDENTIALS", "active", ("role-1",))
BODY = {
    "organization": {"id": "org-1", "name": "Acme"},
    "OAuthClient": {
        "id": "id-1", "name": "closer", "authorizedGrantType": "CLIENT-CREDENTIALS", "state": "active",
        "roleDivisions": [{"roleId": "role-1", "divisionId": "*"}, {"x": 1}, "odd"],
    },
}  # fmt: skip


def test_owner_is_read() -> None:
    assert read_tokens_me(json.dumps(BODY).encode()) == OWNER


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"null"])
def test_what_is_no_object_tells_nothing(body: bytes) -> None:
    assert read_tokens_me(body) is None


def test_absent_and_odd_parts_tell_nothing() -> None:
    told = read_tokens_me(b'{"organization":5,"OAuthClient":{"id":7,"roleDivisions":"x"}}')
    assert told == TokenOwner(None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("change", "foreign"),
    [
        ({}, False),
        ({"organization_id": "org-2"}, True),
        ({"client_id": "id-2"}, True),
        ({"organization_id": None}, False),
    ],
)
def test_other_organisation_or_client_is_foreign(change: dict[str, str | None], foreign: bool) -> None:
    assert is_foreign(replace(OWNER, **change), CLIENT) is foreign  # type: ignore[arg-type]  # fields of str | None


async def test_asked_with_the_bearer_and_silent_about_failures() -> None:
    async def script(peer: Peer) -> None:
        first, headers, _ = await peer.request()
        assert (first, headers["authorization"]) == ("GET /api/v2/tokens/me HTTP/1.1", "Bearer tok")
        await peer.answer(json.dumps(BODY).encode())
        await peer.request()
        await peer.answer(json.dumps(BODY).encode(), 401)

    async with upstream_of(script) as upstream:
        leg = HttpLeg(upstream.url)
        bearer = Bearer("tok", CLIENT.key)
        assert await whose_token(leg, bearer) == OWNER
        assert await whose_token(leg, bearer) is None
        await leg.close()
    leg = HttpLeg(upstream.url)
    assert await whose_token(leg, bearer) is None
    await leg.close()
