"""What the provider writes into the audit log: each code, token and revocation, durable before it is given out.

Refusals are recorded and counted by the one door when the web room hands them there; here are only grants and
revocations. Rule kept: a record holds references (HMACs) of tokens and pseudonyms of visitors, never the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

from gateway.observe.audit import records
from gateway.observe.audit.records import Record, Subject
from gateway.provider.answers import Asked
from gateway.provider.people import SignedIn

TokenKind = Literal["handle", "code", "access", "refresh", "id_token"]
RevocationReason = Literal["replayed", "asked"]

COUNTED: Final = (
    "code_minted", "code_redeemed", "id_token_minted", "refreshed", "backend_handle", "token_exchange", "revoked",
    "replay_revoked",
)  # fmt: skip
"""The closed set of words that are handed to `count`."""


class Trail(Protocol):
    """What the provider needs of the audit log."""

    async def grant(self, record: Record) -> None:
        """Returns when the record is durable. Raises Refusal(AUDIT_UNAVAILABLE)."""

    async def meet(self, site: str, subject: str) -> None:
        """Has the pseudonym of a guest at hand, where each has a key of its own. Never raises."""

    def pseudonym(self, site: str, subject: str, now: float) -> str | None:
        """The pseudonym of a guest in the epoch of `now`; None where `meet` could not have it."""

    def client_ref(self, address: str, now: float) -> str:
        """The day's reference of a client address."""

    def ref(self, kind: str, secret: str) -> str:
        """The reference of a handle, token or session id."""


class Records:
    """Writes the provider's audit records, and counts what was granted."""

    def __init__(self, trail: Trail, count: Callable[[str], None]) -> None:
        self._trail = trail
        self._count = count

    def count(self, word: str) -> None:
        """Count something that was granted; `word` is one of COUNTED."""
        self._count(word)

    async def minted(
        self,
        asked: Asked,
        *,
        token: str,
        kind: TokenKind,
        client: str,
        expires_at: float,
        person: SignedIn | None = None,
        scopes: Iterable[str] = (),
        backend: str | None = None,
    ) -> None:
        """Record that a code, token or handle was made. Raises Refusal(AUDIT_UNAVAILABLE): then it is not given out."""
        if person is not None:
            await self._trail.meet(person.site, person.sub)
        record = records.token_minted(
            at=asked.now,
            who=self.subject(asked, person),
            token_ref=self._trail.ref("token", token),
            client=client,
            expires_at=expires_at,
            scopes=scopes,
            token_kind=kind,
            grant=asked.grant,
            backend=backend,
            request_id=asked.request_id,
        )
        await self._trail.grant(record)

    async def revoked(
        self, asked: Asked, *, token: str, kind: TokenKind, client: str, reason: RevocationReason
    ) -> None:
        """Record that a token, and what hangs on it, was made worthless. Raises Refusal(AUDIT_UNAVAILABLE)."""
        record = records.token_revoked(
            at=asked.now,
            who=self.subject(asked, None),
            token_ref=self._trail.ref("token", token),
            client=client,
            token_kind=kind,
            reason=reason,
            request_id=asked.request_id,
        )
        await self._trail.grant(record)
        self._count("replay_revoked" if reason == "replayed" else "revoked")

    def subject(self, asked: Asked, person: SignedIn | None) -> Subject:
        """Whom the record is about, as far as it is known."""
        ip = asked.client_ip
        return records.subject(
            site=person.site if person else None,
            client_ip=ip,
            client_ref=self._trail.client_ref(ip, asked.now) if ip else None,
            user=self._trail.pseudonym(person.site, person.sub, asked.now) if person else None,
            session_ref=self._trail.ref("session", person.session_id) if person else None,
        )
