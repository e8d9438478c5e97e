"""One mock organisation in one region: everything that exists in it, and how things are looked up and come to be.

A world is the only state of the mock; the listeners are views of it. Two worlds know nothing of each other, so an id or
token of one fails in the other as it would in a wrong region.
"""

from __future__ import annotations

import asyncio
import base64
import math
import secrets
import string
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.mock import guest_jwt
from gateway.mock.clock import Clock
from gateway.mock.faults import Faults
from gateway.mock.guest_model import Attachment, Conversation, GuestSession
from gateway.mock.limits import RATES, SIZES, Meter, Rate
from gateway.mock.model import (
    DEFAULT_ORG,
    AccessToken,
    AgentSettings,
    Client,
    Contact,
    Deployment,
    GuestGrant,
    Json,
    OidcIntegration,
    Queue,
    Secret,
)
from gateway.mock.recorder import Recorder

_TOKEN_LETTERS = string.ascii_letters + string.digits + "-_*"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The base addresses of the listeners, without a slash at the end; `webmessaging` is the socket's address."""

    login: str = ""
    api: str = ""
    cdn: str = ""
    webmessaging: str = ""
    apps: str = ""
    upload: str = ""
    control: str = ""


class World:
    """The state of one mock organisation; fill it with the `add_*` methods or `default_world`."""

    def __init__(
        self,
        *,
        org_id: str = DEFAULT_ORG,
        org_name: str = "acme",
        region: str = "eu-west-1",
        domain: str = "mypurecloud.ie",
        clock: Clock | None = None,
    ) -> None:
        self.org_id, self.org_name, self.region, self.domain = org_id, org_name, region, domain
        self.clock = clock or Clock()
        self.rates: dict[str, Rate] = dict(RATES)
        self.sizes: dict[str, int] = dict(SIZES)
        self.meter = Meter(self.rates)
        self.endpoints = Endpoints()
        self.clients: dict[str, Client] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self.deployments: dict[str, Deployment] = {}
        self.queues: dict[str, Queue] = {}
        self.contacts: dict[str, Contact] = {}
        self.sessions: dict[str, GuestSession] = {}
        self.session_by_token: dict[str, GuestSession] = {}
        self.conversations: dict[str, Conversation] = {}
        self.attachments: dict[str, Attachment] = {}
        self.oidc = OidcIntegration()
        self.grants: dict[str, GuestGrant] = {}
        self.key_sets: dict[str, tuple[float | None, dict[str, RSAPublicKey]]] = {}
        self.exchanges: list[Json] = []
        self.agent = AgentSettings()
        self.channels: dict[str, Channel] = {}
        self.jwt_key = secrets.token_bytes(32)
        self.require_origin = True
        self.idle_timeout_s: int | None = None
        self.refuse_extra_token_fields = False
        self.faults = Faults()
        self.recorder = Recorder(self.now, self.owner_of)
        self.tasks = TaskOwner()

    def now(self) -> float:
        """Return the world's present in seconds since the epoch."""
        return self.clock.now()

    def new_id(self) -> str:
        """Return a fresh UUID."""
        return str(uuid4())

    # -- clients and platform tokens --------------------------------------------------------------------------------

    def add_client(self, client: Client) -> Client:
        """Register an OAuth client; one with the same id is replaced."""
        self.clients[client.id] = client
        return client

    def client_named(self, name: str) -> Client | None:
        """Return the client of that name or id."""
        return next((client for client in self.clients.values() if name in (client.name, client.id)), None)

    def secret_matches(self, client: Client, secret: str) -> bool:
        """Whether `secret` is one of the client's secrets that still count."""
        now = self.now()
        return any(
            secrets.compare_digest(known.value, secret) and (known.valid_until is None or now < known.valid_until)
            for known in client.secrets
        )

    def rotate_secret(self, client: Client, new_secret: str, overlap_s: float = 0.0) -> None:
        """Give the client a new secret; the older ones stay good for `overlap_s` seconds."""
        until = self.now() + overlap_s
        for known in client.secrets:
            known.valid_until = until if known.valid_until is None else min(until, known.valid_until)
        client.secrets.append(Secret(new_secret))

    def issue_token(self, client: Client, scopes: frozenset[str] = frozenset()) -> AccessToken:
        """Make a new opaque bearer for the client."""
        value = "".join(secrets.choice(_TOKEN_LETTERS) for _ in range(86))
        now = self.now()
        token = AccessToken(value, client.id, now, now + client.token_life_s, scopes, now)
        self.access_tokens[value] = token
        return token

    def live_token(self, value: str) -> AccessToken | None:
        """Return the token if it is known, not expired, not idle too long and its client is active."""
        token = self.access_tokens.get(value)
        if token is None or self.now() >= token.expires_at:
            return None
        if self.idle_timeout_s is not None and self.now() - token.last_used_at >= self.idle_timeout_s:
            return None
        client = self.clients.get(token.client_id)
        return token if client is not None and client.active else None

    def revoke_tokens(self, client_id: str) -> int:
        """Forget all tokens of a client and return how many there were."""
        values = [value for value, token in self.access_tokens.items() if token.client_id == client_id]
        for value in values:
            del self.access_tokens[value]
        return len(values)

    # -- guest JWTs -------------------------------------------------------------------------------------------------

    def sign_guest_jwt(self, kind: str, claims: Json, life_s: int) -> tuple[str, int]:
        """Return a new guest JWT of this organisation and its end in epoch seconds."""
        return guest_jwt.sign(self.jwt_key, kind, {**claims, "org": self.org_id}, self.now(), life_s)

    def read_guest_jwt(self, kind: str, token: str) -> Json:
        """Return the claims of a live guest JWT; raises JwtRefused (also for a sign-in that was revoked)."""
        claims = guest_jwt.read(self.jwt_key, kind, token, self.now())
        grant = self.grants.get(str(claims.get("grant")))
        if kind == guest_jwt.AUTHENTICATED and (grant is None or grant.revoked):
            raise guest_jwt.JwtRefused("revoked")
        return claims

    def owner_of(self, authorization: str) -> str | None:
        """Say whose credential an `Authorization` value holds: `client closer`, `guest <id>`, or None."""
        value = authorization.partition(" ")[2].strip()
        token = self.access_tokens.get(value)
        if token is not None:
            client = self.clients.get(token.client_id)
            return f"client {client.name if client else token.client_id}"
        try:
            claims = guest_jwt.read(self.jwt_key, None, value, -math.inf)
        except guest_jwt.JwtRefused:
            return self._basic_owner(authorization)
        return f"guest {claims.get('session') or claims.get('sub')}"

    def _basic_owner(self, authorization: str) -> str | None:
        pair = basic_credentials(authorization)
        client = self.clients.get(pair[0]) if pair else None
        return f"client {client.name}" if client else None

    # -- the rest of the organisation -------------------------------------------------------------------------------

    def add_deployment(self, deployment: Deployment) -> Deployment:
        """Register a web messaging deployment."""
        self.deployments[deployment.id] = deployment
        return deployment

    def add_queue(self, queue: Queue) -> Queue:
        """Register a queue."""
        self.queues[queue.id] = queue
        return queue

    def grant_by_refresh_token(self, refresh_token: str) -> GuestGrant | None:
        """Return the sign-in whose refresh token this is."""
        return next((grant for grant in self.grants.values() if grant.refresh_token == refresh_token), None)

    def holder_of(self, identifier: Json) -> Contact | None:
        """Return the contact that holds an identifier `{type, value}`."""
        wanted = (identifier.get("type"), identifier.get("value"))
        for contact in self.contacts.values():
            if any((one.get("type"), one.get("value")) == wanted for one in contact.identifiers):
                return contact
        return None

    def contact_of(self, identifier: Json) -> Contact:
        """Return the contact that holds an identifier, made when nobody does."""
        contact = self.holder_of(identifier)
        if contact is None:
            contact = Contact(self.new_id(), identifiers=[identifier])
            self.contacts[contact.id] = contact
        return contact

    def live_sessions_of(self, deployment_id: str, subject: str) -> GuestSession | None:
        """Return the running session of a signed-in person on a deployment."""
        return next(
            (
                session
                for session in self.sessions.values()
                if session.deployment_id == deployment_id and session.subject == subject and not session.expired
            ),
            None,
        )


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """Return (id, secret) of a Basic header, or None when it is not one."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, or not UTF-8 underneath
        return None
    return (name, secret) if separator else None


@dataclass(slots=True)
class Channel:
    """A notification channel: its end, its topics, and the sockets that listen."""

    expires_at: float
    topics: list[str] = field(default_factory=list)
    sockets: set[web.WebSocketResponse] = field(default_factory=set)


@dataclass(slots=True)
class TaskOwner:
    """Owns the mock's background work (the agent's answers) and ends it with the mock."""

    _running: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` until it ends or the mock stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Wait until all started work, and what it started in turn, has ended."""
        while self._running:
            await asyncio.gather(*self._running)

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
