"""Guest sessions, their connections, conversations and attachments as records.

A session is what a guest's token names; a conversation is one visit to the contact centre within a session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gateway.mock.model import Json


class Connection(Protocol):
    """One guest socket, seen from the session: it can be told things and be shut."""

    id: str
    session: GuestSession | None

    async def send(self, frame: Json) -> None:
        """Send one frame; a connection that is gone swallows it."""

    async def close(self, code: int, reason: str) -> None:
        """Close the socket with a WebSocket close code."""


@dataclass(eq=False, slots=True)
class Conversation:
    """One conversation: participants, what was said, whether it has ended."""

    id: str
    session_id: str
    deployment_id: str
    queue_id: str
    division_id: str
    started_at: float
    customer_id: str
    agent_id: str
    custom_attributes: dict[str, str] = field(default_factory=dict)
    attribute_conflicts: list[str] = field(default_factory=list)
    participant_attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)
    external_contact_id: str | None = None
    ended_at: float | None = None
    ended_by: str | None = None

    @property
    def active(self) -> bool:
        """Whether the conversation still runs."""
        return self.ended_at is None


@dataclass(eq=False, slots=True)
class GuestSession:
    """A guest's session; whoever holds one of its tokens (and, if verified, a JWT) is this guest."""

    id: str
    deployment_id: str
    started_at: float
    expires_at: float
    tokens: set[str] = field(default_factory=set, repr=False)
    subject: str | None = None
    claims: Json = field(default_factory=dict)
    external_contact_id: str | None = None
    read_only: bool = False
    expired: bool = False
    journey: Json | None = None
    connections: list[Connection] = field(default_factory=list)
    conversation: Conversation | None = None
    transcript: list[Json] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Whether the guest has signed in."""
        return self.subject is not None


@dataclass(eq=False, slots=True)
class Attachment:
    """A file that a guest announced, and its bytes once they came."""

    id: str
    session_id: str
    file_name: str
    file_type: str
    file_size: int | None
    file_md5: str | None
    url_expires_at: float
    expires_at: float
    state: str = "presigned"  # presigned | uploaded | sent | deleted | failed
    content: bytes = field(default=b"", repr=False)
