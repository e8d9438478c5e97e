"""What the provider's tests share: a settable clock, numbered entropy, an audit trail that remembers, visitors."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from gateway.errors import Reason, Refusal
from gateway.observe.audit.records import Record
from gateway.policy.oauth_forms import FORM_TYPE, secret_digest
from gateway.provider.answers import Asked
from gateway.provider.backends import BackendRules, Backends
from gateway.provider.keys import KeyRing
from gateway.provider.pages import read_page_ask
from gateway.provider.parties import RelyingParties, RelyingParty
from gateway.provider.people import Admitted, SignedIn
from gateway.provider.provider import Provider
from gateway.provider.tokens import Lives
from gateway.store.base import Store

NOW = 1_763_600_000.0
ISSUER = "https://chat.shop.example"
REDIRECT = "https://shop.example/chat-callback"
SECRET = "genesys secret+%/~"
GENESYS = RelyingParty("genesys", "genesys-client", (secret_digest(SECRET),), (REDIRECT, "https://shop.example/two"))
OTHER_PARTY = RelyingParty("other", "other-client", (secret_digest("another"),), ("https://other.example/cb",))
BASIC = "Basic " + base64.b64encode(f"genesys-client:{quote_plus(SECRET)}".encode()).decode()
OTHER_BASIC = "Basic " + base64.b64encode(b"other-client:another").decode()
ANNA = SignedIn("session-anna", "shop", "8f14e45f-ceea-867f-8a2d-0123456789ab", NOW - 60, NOW + 43_200)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Entropy:
    """Bytes that differ at each call and are the same in each run."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return hashlib.shake_256(str(self.calls).encode()).digest(count)


@dataclass
class Trail:
    """An audit trail that remembers its records, and fails when told to."""

    records: list[Record] = field(default_factory=list)
    failure: Refusal | None = None
    met: list[tuple[str, str]] = field(default_factory=list)

    async def grant(self, record: Record) -> None:
        if self.failure is not None:
            raise self.failure
        self.records.append(record)

    async def meet(self, site: str, subject: str) -> None:
        self.met.append((site, subject))

    def pseudonym(self, site: str, subject: str, now: float) -> str:
        return "p202611:" + hashlib.sha256(f"{site}{subject}".encode()).hexdigest()[:24]

    def client_ref(self, address: str, now: float) -> str:
        return "c20261120:" + hashlib.sha256(address.encode()).hexdigest()[:24]

    def ref(self, kind: str, secret: str) -> str:
        return "h:" + hashlib.sha256(f"{kind}{secret}".encode()).hexdigest()[:32]

    def actions(self) -> list[str]:
        """What was recorded, in order."""
        return [record.action.name for record in self.records]


@dataclass
class People:
    """Sessions that are alive until the test ends them."""

    alive: dict[str, SignedIn] = field(default_factory=lambda: {ANNA.session_id: ANNA})

    async def signed_in(self, session_id: str, now: float) -> SignedIn | None:
        person = self.alive.get(session_id)
        return person if person is not None and now < person.ends_at else None

    def rename(self, session_id: str, name: str | None, email: str | None) -> None:
        """The visitor's proof says something else now."""
        self.alive[session_id] = replace(self.alive[session_id], name=name, email=email)


@dataclass
class Desk:
    """Admits every visitor token but one, and remembers the sites."""

    refusal: Refusal | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def admit(self, site: str, visitor_token: str, asked: Asked) -> Admitted:
        self.asked.append((site, visitor_token))
        if self.refusal is not None:
            raise self.refusal
        return Admitted("gws_handle", 900, ANNA.sub, True, "org-id", "eu-west-1", "deployment-id")


def backend(
    name: str, key: str, *, previous: str | None = None, sites: frozenset[str] = frozenset({"shop"})
) -> BackendRules:
    """A backend whose client id is `<name>-id`."""
    keys = [key] if previous is None else [key, previous]
    return BackendRules(name, f"{name}-id", tuple(secret_digest(k) for k in keys), sites, frozenset({"close"}), 900)


SIGNING_KEYS = [generate_private_key(public_exponent=65537, key_size=2048) for _ in range(4)]
"""Made once, because making one takes a while."""


def ring_in(directory: Path, keep_s: float = 87_300.0) -> KeyRing:
    """A ring whose new keys come from SIGNING_KEYS, in their order."""
    keys = iter(SIGNING_KEYS)
    return KeyRing(directory, keep_s=keep_s, make=lambda: next(keys))


@dataclass
class Bench:
    """A whole provider with its parts in reach, and a relying party that speaks to it."""

    store: Store
    clock: Clock
    ring: KeyRing
    entropy: Entropy = field(default_factory=Entropy)
    people: People = field(default_factory=People)
    trail: Trail = field(default_factory=Trail)
    desk: Desk = field(default_factory=Desk)
    counted: list[str] = field(default_factory=list)
    lives: Lives = field(default_factory=Lives)
    response_iss: bool = False
    issuer: str = ISSUER

    def __post_init__(self) -> None:
        self.ring.ensure(self.clock.now)
        self.provider = self.node()

    def node(self) -> Provider:
        """Another process over the same store and keys."""
        backends = Backends([backend("servicenow", "servicenow-key")], self.store, self.entropy, {self.issuer})
        return Provider(
            self.issuer, self.lives, backends=backends, parties=RelyingParties([GENESYS, OTHER_PARTY]), ring=self.ring,
            store=self.store, sessions=self.people, admits=self.desk, trail=self.trail, entropy=self.entropy,
            count=self.counted.append, response_iss=self.response_iss,
        )  # fmt: skip

    def asked(self) -> Asked:
        """A request at the clock's time."""
        return Asked(self.clock.now, "request-1", "192.0.2.7")

    async def page_code(self, **members: str) -> dict[str, Any]:
        """What the page of Anna gets."""
        return await self.provider.page_code(ANNA.session_id, "deployment", read_page_ask(members), self.asked())

    async def token(
        self, form: dict[str, str], *, party: str | None = BASIC, node: Provider | None = None
    ) -> dict[str, Any]:
        """What the token endpoint answers with 200."""
        body = urlencode(form).encode()
        answer = await (node or self.provider).token(FORM_TYPE, body, party, self.asked())
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.body is not None
        return dict(answer.body)

    async def redeem(self, code: str, **changes: Any) -> dict[str, Any]:
        """Redeem a code as Genesys does."""
        node, party = changes.pop("node", None), changes.pop("party", BASIC)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT} | changes
        return await self.token(form, party=party, node=node)

    async def refresh(self, token: str, **changes: Any) -> dict[str, Any]:
        """Refresh as Genesys does."""
        party = changes.pop("party", BASIC)
        return await self.token({"grant_type": "refresh_token", "refresh_token": token} | changes, party=party)

    async def signed_in(self) -> dict[str, Any]:
        """The tokens of a fresh code."""
        return await self.redeem((await self.page_code())["authCode"])

    async def userinfo(self, token: str) -> dict[str, Any]:
        """What the userinfo endpoint answers."""
        answer = await self.provider.userinfo(f"Bearer {token}", self.asked())
        return dict(answer.body or {})

    async def revoke(self, token: str, party: str = BASIC) -> None:
        """Revoke a token as Genesys would."""
        answer = await self.provider.revoke(FORM_TYPE, urlencode({"token": token}).encode(), party, self.asked())
        assert answer.status == 200


def next_revocation(store: Store) -> asyncio.Event:
    """Set when the store has told everybody who listens until now of the next revocation."""
    heard = asyncio.Event()
    store.subscribe(lambda revocation: heard.set())
    return heard


async def refused(call: Awaitable[object]) -> Reason:
    """Why the call was refused."""
    with pytest.raises(Refusal) as caught:
        await call
    return caught.value.reason
