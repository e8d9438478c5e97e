"""The things that exist in a mock Genesys organisation, as plain records.

No behaviour beyond one-line questions; who changes them is said in the files that do. Secrets never show in a repr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

HOME_DIVISION = "d1715100-0000-4000-8000-000000000001"
RESTRICTED_DIVISION = "d1715100-0000-4000-8000-000000000002"
DEFAULT_DEPLOYMENT = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
SUPPORT_QUEUE = "d0000000-0000-4000-8000-000000000001"
DEFAULT_ORG = "0ac3e000-0000-4000-8000-000000000001"
GRANT_CLIENT_CREDENTIALS = "CLIENT-CREDENTIALS"


@dataclass(slots=True)
class Secret:
    """One secret of a client; `valid_until` is set while an old one overlaps with its successor."""

    value: str = field(repr=False)
    valid_until: float | None = None


@dataclass(slots=True)
class Client:
    """An OAuth client: for client credentials its permissions and divisions count, scopes only for other grants."""

    name: str
    id: str
    secrets: list[Secret]
    permissions: set[str] = field(default_factory=set)
    divisions: set[str] = field(default_factory=lambda: {"*"})
    scopes: set[str] = field(default_factory=set)
    grant_type: str = GRANT_CLIENT_CREDENTIALS
    active: bool = True
    token_life_s: int = 86_400


@dataclass(slots=True)
class AccessToken:
    """A platform bearer: opaque, of one client, with an end."""

    value: str = field(repr=False)
    client_id: str
    issued_at: float
    expires_at: float
    scopes: frozenset[str] = frozenset()
    last_used_at: float = 0.0


@dataclass(slots=True)
class Deployment:
    """A web messaging deployment and the parts of its configuration that the mock obeys."""

    id: str
    name: str = "Shop"
    status: str = "Active"
    allowed_domains: list[str] = field(default_factory=list)
    allow_all_domains: bool = False
    queue_id: str = SUPPORT_QUEUE
    session_duration_s: int = 72 * 3600
    auto_start: bool = True
    conversation_disconnect: str | None = "Send"  # None = guests are not told; Send; ReadOnly
    conversation_clear: bool = True
    user_typing: bool = True
    agent_typing: bool = True
    uploads: bool = True
    auth_enabled: bool = True
    allow_session_upgrade: bool = True
    resolve_identities: bool = False
    file_types: list[str] = field(default_factory=lambda: ["image/png", "image/jpeg", "text/plain", "application/pdf"])
    blocked_extensions: list[str] = field(default_factory=lambda: [".exe", ".bat", ".js", ".sh", ".msi", ".com"])

    @property
    def auth_required(self) -> bool:
        """Whether guests must sign in before they send: authentication on, and no step-up later."""
        return self.auth_enabled and not self.allow_session_upgrade


@dataclass(slots=True)
class Queue:
    """A routing queue; its division decides who may see it."""

    id: str
    name: str
    division_id: str = HOME_DIVISION
    estimated_wait_s: int = 42


@dataclass(slots=True)
class OidcIntegration:
    """The `OpenID Connect Messenger Configuration` integration: where the exchange goes and as whom."""

    discovery_uri: str = ""
    client_id: str = "genesys"
    client_secret: str = field(default="demo-oidc-secret-never-use-it-elsewhere", repr=False)
    client_auth: str = "basic"  # basic | post
    max_refresh_s: int = 86_400
    jwks_min_refetch_s: float = 10.0
    timeout_s: float = 10.0


@dataclass(slots=True)
class GuestGrant:
    """What one successful exchange gave: whom, and how to renew it."""

    id: str
    deployment_id: str
    subject: str
    claims: Json
    expires_at: float
    refresh_token: str | None = field(default=None, repr=False)
    idp_refresh_token: str | None = field(default=None, repr=False)
    idp_expires_at: float = 0.0
    revoked: bool = False


@dataclass(slots=True)
class Contact:
    """An external contact with its identifiers (`type` to value)."""

    id: str
    division_id: str = HOME_DIVISION
    fields: Json = field(default_factory=dict)
    identifiers: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class AgentSettings:
    """How the scripted agent behaves; `delay_s` is real time between typing and answer."""

    name: str = "Charles (mock agent)"
    enabled: bool = True
    delay_s: float = 0.0
