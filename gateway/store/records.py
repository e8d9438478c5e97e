"""How a guest session and what its handles stand for are written into a store: sealed, and bound to their place.

A session is a public line (no secret, no personal data) and a sealed part; the public line is the additional data of
the seal, so that whoever can write to the store can neither read a token nor make a session verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.policy.guests import GuestSession
from gateway.store.sealing import SealBroken, Sealer


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session with what only the service needs.

    `generation` grows when all handles given out before become void; `bound_at`: when it became this guest's.
    """

    session: GuestSession
    generation: int
    bound_at: float


@dataclass(frozen=True, slots=True)
class HandleRecord:
    """What a handle, ticket or history handle stands for. `secret`: the Genesys JWT of a history handle."""

    site: str
    session_id: str
    generation: int
    expires_at: float
    secret: str = field(default="", repr=False)


def seal_session(record: SessionRecord, sealer: Sealer) -> bytes:
    """The bytes that a store keeps for a session."""
    session = record.session
    public = orjson.dumps(
        {
            "id": session.id,
            "site": session.site,
            "org": session.org,
            "guest_id": session.guest_id,
            "verified": session.verified,
            "issuer": session.issuer,
            "created_at": session.created_at,
            "last_used_at": session.last_used_at,
            "expires_at": session.expires_at,
            "idle_s": session.idle_s,
            "proof_key": session.proof_key,
            "generation": record.generation,
            "bound_at": record.bound_at,
        }
    )
    private = orjson.dumps([session.upstream_token, session.external_ref, session.display_name, session.email])
    return public + b"\n" + sealer.seal(private, b"session\0" + public)


def open_session_record(value: bytes, session_id: str, sealer: Sealer) -> SessionRecord:
    """Read what `seal_session` wrote for this session. Raises `SealBroken` for anything else."""
    public, separator, sealed = value.partition(b"\n")
    if not separator:
        raise SealBroken("not a session record")
    private = orjson.loads(sealer.open(sealed, b"session\0" + public))
    known: dict[str, Any] = orjson.loads(public)
    if known["id"] != session_id:
        raise SealBroken("the record of another session")
    generation, bound_at = known.pop("generation"), known.pop("bound_at")
    token, external_ref, display_name, email = private
    session = GuestSession(
        **known, upstream_token=token, external_ref=external_ref, display_name=display_name, email=email
    )
    return SessionRecord(session, generation, bound_at)


def seal_handle(record: HandleRecord, kind: str, digest: str, sealer: Sealer) -> bytes:
    """The bytes that a store keeps under a handle's digest."""
    parts = [record.site, record.session_id, record.generation, record.expires_at, record.secret]
    return sealer.seal(orjson.dumps(parts), f"{kind}\0{digest}".encode("ascii"))


def open_handle(value: bytes, kind: str, digest: str, sealer: Sealer) -> HandleRecord:
    """Read what `seal_handle` wrote under this kind and digest. Raises `SealBroken` for anything else."""
    return HandleRecord(*orjson.loads(sealer.open(value, f"{kind}\0{digest}".encode("ascii"))))
