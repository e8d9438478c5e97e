"""The life of signing keys, as a timeline: published ahead, signing, still published after, gone.

Leaves files and signatures to `provider.keys`. Rule kept: the phase of a key follows from the entries and the time
alone, so that every process with the same entries signs with the same key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum


class Phase(Enum):
    """Where a key stands."""

    NEXT = "next"
    """Published, so that relying parties know it before it signs."""
    CURRENT = "current"
    RETIRED = "retired"
    """Signs no more; published until the last id_token that it signed is over everywhere."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key: its thumbprint, when it begins to sign, and when it was withdrawn as no longer to be trusted."""

    kid: str
    created_at: float
    signs_from: float
    withdrawn_at: float | None = None


def in_order(entries: Sequence[KeyEntry]) -> list[KeyEntry]:
    """The keys that are not withdrawn, in the order in which they sign; of equals the later in the list is later."""
    kept = [entry for entry in entries if entry.withdrawn_at is None]
    return sorted(kept, key=lambda entry: (entry.signs_from, entry.created_at))


def current_key(entries: Sequence[KeyEntry], now: float) -> KeyEntry | None:
    """The key that signs: the latest whose time has come.

    When none has come yet (the key before was withdrawn), the earliest signs ahead of its time.
    """
    ordered = in_order(entries)
    due = [entry for entry in ordered if entry.signs_from <= now]
    return due[-1] if due else next(iter(ordered), None)


def phases(entries: Sequence[KeyEntry], now: float, keep_s: float) -> dict[str, Phase]:
    """The phase of every key. A key is kept published for `keep_s` after its successor began to sign."""
    found = {entry.kid: Phase.GONE for entry in entries}
    current = current_key(entries, now)
    ordered = in_order(entries)
    for place, entry in enumerate(ordered):
        if entry is current:
            found[entry.kid] = Phase.CURRENT
        elif entry.signs_from > now:
            found[entry.kid] = Phase.NEXT
        elif now < ordered[place + 1].signs_from + keep_s:
            # a key whose time has come and that is not current has a successor whose time has come
            found[entry.kid] = Phase.RETIRED
    return found


def started_now(entries: Sequence[KeyEntry], kid: str, now: float) -> list[KeyEntry]:
    """The entries with this key signing from now on."""
    return [replace(entry, signs_from=now) if entry.kid == kid else entry for entry in entries]


def withdrawn(entries: Sequence[KeyEntry], kid: str, now: float) -> list[KeyEntry]:
    """The entries with this key withdrawn: it is neither published nor used from now on."""
    return [replace(entry, withdrawn_at=now) if entry.kid == kid else entry for entry in entries]
