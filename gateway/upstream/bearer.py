"""Credentials of the way to Genesys as values: a client's secrets, the key that a token is held under, the bearer.

No behaviour but comparison and hiding. The rule: a secret is read by asking for it by name, never by printing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn

from gateway.policy.injection import own_line

_PURPOSE: Final = b"gateway/secret-version/1\0"


def fingerprint(secret: str) -> str:
    """Twelve hex digits that stand for a secret: enough to tell two apart, useless for anything else."""
    return hashlib.sha256(_PURPOSE + secret.encode("utf-8")).hexdigest()[:12]


@lru_cache(maxsize=1_024)
def token_name(org: str, client: str, slot: int = 0) -> str:
    """What metrics and records call a token: clients of two organisations may share a name, and one have several."""
    return f"{org}.{client}/{slot}" if slot else f"{org}.{client}"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token belongs to. Two tokens are exchangeable only when all of this is equal."""

    org: str
    region: str
    endpoint: str
    client: str
    client_id: str
    secret_version: str
    slot: int = 0
    """Which of the client's tokens; each has a quota of its own at Genesys."""

    @property
    def name(self) -> str:
        """What metrics and records call it."""
        return token_name(self.org, self.client, self.slot)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """One OAuth client as configured. `previous_secret` is the one before rotation, valid in the overlap.

    `organization_id`: the organisation that its tokens must belong to, where the configuration names it. `tokens`: how
    many are used side by side.
    """

    org: str
    region: str
    login_url: str
    client: str
    client_id: str
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    organization_id: str | None = None
    tokens: int = 1

    @property
    def key(self) -> TokenKey:
        """The key of its first token; it changes with either secret."""
        versions = [fingerprint(secret) for secret in self.secrets]
        return TokenKey(self.org, self.region, self.login_url, self.client, self.client_id, "+".join(versions))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets in the order in which they are tried."""
        return (self.secret,) if self.previous_secret is None else (self.secret, self.previous_secret)


class Credential:
    """What one call goes with: its `authorization` line, and the bytes that no answer may bring back. Hides itself."""

    __slots__ = ("line", "secret")

    def __init__(self, token: str) -> None:
        """Raises ValueError unless the token is printable ASCII."""
        self.line = own_line("authorization", f"Bearer {token}")
        self.secret = token.encode("ascii")

    def __repr__(self) -> str:
        """Nothing of it."""
        return "<Credential>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a credential is not serialised")


class Bearer:
    """A Genesys access token. Hides itself; `reveal` is called where the request is written, and nowhere else.

    `reference`: what records call it; by it a leaked token is found again.
    """

    __slots__ = ("__credential", "__value", "fingerprint", "key", "reference")

    def __init__(self, value: str, key: TokenKey, reference: str | None = None) -> None:
        self.__value = value
        self.__credential: Credential | None = None
        self.key = key
        self.fingerprint = fingerprint(value)
        self.reference = self.fingerprint if reference is None else reference

    def reveal(self) -> str:
        """The token itself."""
        return self.__value

    def credential(self) -> Credential:
        """The token as calls go with it, made once. Raises ValueError unless it is printable ASCII."""
        found = self.__credential
        if found is None:
            found = self.__credential = Credential(self.__value)
        return found

    def __repr__(self) -> str:
        """Which one, not what."""
        return f"<Bearer {self.fingerprint} of {self.key.org}/{self.key.client}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise TypeError("a bearer is not serialised")
