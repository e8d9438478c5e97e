"""Whose a conversation is: read from what the gateway itself has written into it, and compared with who asks.

Web messaging tells a guest no conversation id, so an id alone proves nothing. The gateway sets `gateway.guest` and
`gateway.site` on every message of a guest; Genesys keeps them as attributes of the customer, and pages cannot set them.
The rule: what carries no such mark, or two different ones, is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

GUEST_ATTRIBUTE: Final = "gateway.guest"
SITE_ATTRIBUTE: Final = "gateway.site"
MARKS: Final[Mapping[str, str]] = {GUEST_ATTRIBUTE: "{guest_id}", SITE_ATTRIBUTE: "{site}"}
"""The guest context that a site must set for its conversations to be told apart."""
GENESYS_PREFIX: Final = "context."
"""What Genesys puts before custom attributes of messages (reference: not confirmed for all, so both are read)."""
CUSTOMERS: Final = frozenset({"customer", "external"})


@dataclass(frozen=True, slots=True)
class ConversationOwner:
    """Whose a conversation is; `site` is None for a conversation that no site of ours began, or that is unknown."""

    site: str | None
    guest_id: str | None = None


NOBODYS: Final = ConversationOwner(None)


class KnownOwners(Protocol):
    """What is known now of conversations; asking changes nothing."""

    def owner(self, org: str, conversation: str) -> ConversationOwner | None:
        """Whose it is; None while that was not found out."""


class NoOwners:
    """Nothing is known of any conversation."""

    def owner(self, org: str, conversation: str) -> ConversationOwner | None:
        """None."""
        return None


def read_owner(conversation: Mapping[str, Any]) -> ConversationOwner:
    """Read the owner from a conversation as `GET /api/v2/conversations/{conversationId}` shows it."""
    found: set[tuple[str, str | None]] = set()
    for participant in _list_of(conversation.get("participants")):
        if participant.get("purpose") not in CUSTOMERS:
            continue
        attributes = participant.get("attributes")
        if isinstance(attributes, dict) and (site := _mark(attributes, SITE_ATTRIBUTE)) is not None:
            found.add((site, _mark(attributes, GUEST_ATTRIBUTE)))
    return ConversationOwner(*found.pop()) if len(found) == 1 else NOBODYS


def _mark(attributes: Mapping[str, Any], name: str) -> str | None:
    """The mark under either spelling; two that differ are none."""
    values = {attributes[key] for key in (name, GENESYS_PREFIX + name) if isinstance(attributes.get(key), str)}
    return values.pop() if len(values) == 1 else None


def _list_of(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
