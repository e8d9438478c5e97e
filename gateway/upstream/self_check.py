"""Asks Genesys whose token it is: `GET /api/v2/tokens/me`, at the first token of a client and after a rotation.

Leaves the consequence to tokens.py and client_drift.py. The rule: a token of another organisation or client than
the configured one is found here, before it is ever injected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from gateway.upstream.bearer import Bearer, ClientCredentials
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg

MAX_ANSWER_BYTES: Final = 512_000
CLIENT_CREDENTIALS: Final = "CLIENT-CREDENTIALS"


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """What `tokens/me` tells about a token; None and () where it does not say."""

    organization_id: str | None
    organization_name: str | None
    client_id: str | None
    client_name: str | None
    grant_type: str | None
    state: str | None
    roles: tuple[str, ...] = ()


def read_tokens_me(body: bytes) -> TokenOwner | None:
    """Read the answer's body; None when it is not the object that the API gives."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    organization, client = _part(document, "organization"), _part(document, "OAuthClient")
    given = client.get("roleDivisions")
    roles = [_text(entry, "roleId") for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
    return TokenOwner(
        organization_id=_text(organization, "id"),
        organization_name=_text(organization, "name"),
        client_id=_text(client, "id"),
        client_name=_text(client, "name"),
        grant_type=_text(client, "authorizedGrantType"),
        state=_text(client, "state"),
        roles=tuple(role for role in roles if role is not None),
    )


def is_foreign(owner: TokenOwner, credentials: ClientCredentials) -> bool:
    """Does the token belong to somebody else than the configuration says?"""
    pairs = ((owner.organization_id, credentials.organization_id), (owner.client_id, credentials.client_id))
    return any(told is not None and meant is not None and told.lower() != meant.lower() for told, meant in pairs)


async def whose_token(leg: HttpLeg, bearer: Bearer, timeout_s: float = 5.0) -> TokenOwner | None:
    """Ask the API host. None when it gives no usable answer: that is no proof of anything, and is asked again later."""
    headers = [
        (b"authorization", b"Bearer " + bearer.reveal().encode("ascii")),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
    ]
    deadline = asyncio.get_running_loop().time() + timeout_s
    try:
        answer = await leg.request("GET", b"/api/v2/tokens/me", headers, deadline=deadline, idempotent=True)
        body = await answer.read(MAX_ANSWER_BYTES)
    except UpstreamFault:
        return None
    return read_tokens_me(body) if answer.status == 200 else None


def _part(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    """An object inside an object, or an empty one."""
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _text(document: Mapping[str, object], name: str) -> str | None:
    """A string inside an object, or None."""
    value = document.get(name)
    return value if isinstance(value, str) else None
