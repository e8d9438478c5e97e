"""What the provider's tests share: a settable clock, numbered entropy, an audit trail that remembers, visitors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from gateway.errors import Refusal
from gateway.observe.audit.records import Record
from gateway.policy.oauth_forms import secret_digest
from gateway.provider.answers import Asked
from gateway.provider.backends import BackendRules
from gateway.provider.parties import RelyingParty
from gateway.provider.people import Admitted, SignedIn

NOW = 1_763_600_000.0
ISSUER = "https://chat.shop.example"
REDIRECT = "https://shop.example/chat-callback"
GENESYS = RelyingParty("genesys", "genesys-client", (secret_digest("genesys secret+%/~"),), (REDIRECT,))
OTHER_PARTY = RelyingParty("other", "other-client", (secret_digest("another"),), ("https://other.example/cb",))
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

    async def grant(self, record: Record) -> None:
        if self.failure is not None:
            raise self.failure
        self.records.append(record)

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
