"""Compares each OAuth client at Genesys with the configuration: organisation, grant type, state, and its roles.

Asks with the client's own credentials and changes nothing. Roles may be read with those of another client, so that
none of the gateway's has to be allowed to. The rule: what could not be read is told as not proved, never as right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from gateway.config.client_plan import ClientPlan
from gateway.config.secrets import Secret
from gateway.policy.operations import covers
from gateway.upstream.bearer import Bearer, ClientCredentials
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg
from gateway.upstream.login import Denied, LoginDesk
from gateway.upstream.self_check import CLIENT_CREDENTIALS, is_foreign, whose_token
from gateway.upstream.token_state import FetchFailure

TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 2_097_152
UNREACHED: Final = frozenset({FetchFailure.UNREACHABLE, FetchFailure.TIMEOUT, FetchFailure.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Drift:
    """One client. `differs`: what is otherwise than configured. `unproved`: what could not be read, and why."""

    org: str
    client: str
    differs: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class RoleReader:
    """An OAuth client that may read roles (authorization:role:view), for one run; no part of the configuration."""

    client_id: str
    secret: Secret


async def find_drift(
    credentials: ClientCredentials,
    plan: ClientPlan,
    leg_of: Callable[[str], HttpLeg],
    api_url: str,
    reader: RoleReader | None = None,
) -> Drift:
    """Ask Genesys about one client; its roles are read by `reader`, else by itself."""
    org, client = credentials.org, credentials.client
    desk = LoginDesk(leg_of(credentials.login_url))
    granted = await desk.ask(credentials.client_id, credentials.secret)
    differs: list[str] = []
    if isinstance(granted, Denied) and granted.failure is FetchFailure.INVALID_CLIENT and credentials.previous_secret:
        granted = await desk.ask(credentials.client_id, credentials.previous_secret)
        differs.append("Genesys takes its previous secret only; the rotation there is not done")
    if isinstance(granted, Denied):
        said = f"the login host {credentials.login_url} gave no token: {granted.failure}"
        return Drift(org, client, (said,), unreachable=granted.failure in UNREACHED)
    bearer, api = Bearer(granted.token, credentials.key), leg_of(api_url)
    owner = await whose_token(api, bearer)
    if owner is None:
        return Drift(org, client, unproved=("tokens/me gave no usable answer",))
    if is_foreign(owner, credentials):
        differs.append(f"the token belongs to organisation {owner.organization_id}, client {owner.client_id}")
    if owner.grant_type not in (None, CLIENT_CREDENTIALS):
        differs.append(f"its grant type is {owner.grant_type}")
    if owner.state not in (None, "active"):
        differs.append(f"its state is {owner.state}")
    if reader is not None:
        told = await desk.ask(reader.client_id, reader.secret.reveal())
        if isinstance(told, Denied):
            return Drift(org, client, tuple(differs), (f"the reader of roles got no token: {told.failure}",))
        bearer = Bearer(told.token, replace(credentials.key, client="reader", client_id=reader.client_id))
    held = await _held_by(api, bearer, owner.roles)
    if held is None:
        return Drift(org, client, tuple(differs), ("its roles cannot be read without authorization:role:view",))
    if lacking := [p for p in plan.needed if not any(covers(one, p) for one in held)]:
        differs.append(f"its roles lack {', '.join(lacking)}")
    if surplus := sorted(held - set(plan.needed)):
        differs.append(f"its roles hold more than the routes need: {', '.join(surplus)}")
    return Drift(org, client, tuple(differs))


async def _held_by(api: HttpLeg, bearer: Bearer, roles: Sequence[str]) -> set[str] | None:
    """Every permission of these roles; None when one of them cannot be read."""
    held: set[str] = set()
    for role in dict.fromkeys(roles):
        document = await _get(api, bearer, f"/api/v2/authorization/roles/{role}")
        if document is None:
            return None
        for policy in document.get("permissionPolicies", ()):
            held |= {f"{policy['domain']}:{policy['entityName']}:{action}" for action in policy.get("actionSet", ())}
    return held


async def _get(api: HttpLeg, bearer: Bearer, path: str) -> dict[str, Any] | None:
    headers = [
        (b"authorization", b"Bearer " + bearer.reveal().encode("ascii")),
        (b"accept", b"application/json"),
        (b"accept-encoding", b"identity"),
    ]
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    try:
        answer = await api.request("GET", path.encode("ascii"), headers, deadline=deadline, idempotent=True)
        body = await answer.read(MAX_ANSWER_BYTES)
        document = orjson.loads(body) if answer.status == 200 else None
    except (UpstreamFault, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None
