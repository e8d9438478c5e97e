"""What the provider answers, as a value: status, JSON members, headers. The web room makes bytes of it.

Leaves CORS, request ids and the shape of refusals to the web room. Rule kept: an answer that holds a token or a code
says `Cache-Control: no-store`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

# RFC 6749 section 5.1
NO_STORE: Final[Mapping[str, str]] = MappingProxyType({"Cache-Control": "no-store", "Pragma": "no-cache"})


@dataclass(frozen=True, slots=True)
class OAuthAnswer:
    """One answer. `body` may hold tokens, and so is never shown in a repr; None: no body at all (a redirect)."""

    status: int
    body: Mapping[str, object] | None = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: NO_STORE, repr=False)


@dataclass(slots=True)
class Asked:
    """One request as every call of the provider knows it: the time, and for the records who asked.

    `now`: seconds since the epoch. `client_ip`: as the trusted-proxy rules found it; it is cut before it is recorded.
    `client`: name of the authenticated client or backend, and `grant`: the grant_type, are filled as they are found
    out, so that a refusal can name them.
    """

    now: float
    request_id: str | None = None
    client_ip: str | None = None
    client: str | None = None
    grant: str | None = None
