"""Access, refresh and id_tokens: made for a redeemed code, renewed while the visitor's session lives, revoked as one.

Leaves codes to `codes.py` and records to whoever gives a token out. Rules kept: nothing outlives the visitor's session;
a refresh token is replaced at each use, and one that comes back after its grace ends the whole grant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.handles import HandleKind, digest, kind_of, mint
from gateway.policy.openid import Binding, RefreshUse, TokenRecord, check_refresh, id_token_claims, narrowed
from gateway.provider.kept import dump, read_token
from gateway.provider.keys import KeyRing
from gateway.provider.people import Sessions, SignedIn
from gateway.store.base import Store

ACCESS_KIND: Final = "access"
REFRESH_KIND: Final = "refresh"


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things live, in seconds.

    `access_token_s`: Genesys gives its guest JWT 15 minutes or the access token's life, whichever is shorter, and web
    clients ask the visitor to sign in again rather than refresh at each end; so 900 is the least that goes unnoticed.
    https://community.genesys.com/discussion/authenticated-web-messaging-javascript-sdk-genesys-jwt
    `refresh_s`: 0 for no refresh tokens. `refresh_grace_s`: how long a used one still works, for repeated calls.
    """

    code_s: float = 60.0
    access_token_s: float = 900.0
    id_token_s: float = 900.0
    refresh_s: float = 43_200.0
    refresh_grace_s: float = 60.0

    @property
    def longest_s(self) -> float:
        """How long a revocation must be remembered so that nothing outlives it."""
        return max(self.access_token_s, self.refresh_s) + self.code_s


@dataclass(frozen=True, slots=True)
class Issued:
    """What one redemption or refresh gave."""

    access_token: str = field(repr=False)
    access_expires_at: float
    id_token: str = field(repr=False)
    id_expires_at: float
    refresh_token: str | None = field(repr=False)
    refresh_expires_at: float


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a revocation ended, for its record."""

    kind: HandleKind
    record: TokenRecord


class Tokens:
    """Tokens over the store; several processes share it."""

    def __init__(
        self,
        issuer: str,
        lives: Lives,
        *,
        store: Store,
        ring: KeyRing,
        sessions: Sessions,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._issuer = issuer
        self._lives = lives
        self._store = store
        self._ring = ring
        self._sessions = sessions
        self._entropy = entropy

    async def live_person(self, binding: Binding, now: float) -> SignedIn:
        """The visitor behind a code or token, if still signed in as the same person.

        Raises Refusal: GRANT_SESSION_OVER, STORE_UNAVAILABLE.
        """
        person = await self._sessions.signed_in(binding.session_id, now)
        if person is None or person.sub != binding.sub or person.site != binding.site:
            raise Refusal(errors.GRANT_SESSION_OVER)
        return person

    async def issue(
        self,
        binding: Binding,
        person: SignedIn,
        now: float,
        *,
        scopes: tuple[str, ...],
        nonce: str | None = None,
        refresh_until: float | None = None,
    ) -> Issued:
        """New tokens for a live person: access and id_token for `scopes`, the refresh token for all that were granted.

        `refresh_until`: end of the refresh token that these replace.

        Raises Refusal: SIGNING_KEY_UNAVAILABLE, STORE_UNAVAILABLE.
        """
        access_until = min(now + self._lives.access_token_s, person.ends_at)
        shown = replace(binding, scopes=scopes)
        access = await self._keep(HandleKind.ACCESS, ACCESS_KIND, TokenRecord(shown, access_until), now)
        until = min(now + self._lives.refresh_s, person.ends_at) if refresh_until is None else refresh_until
        refresh = None
        if "offline_access" in binding.scopes and until > now:
            refresh = await self._keep(HandleKind.REFRESH, REFRESH_KIND, TokenRecord(binding, until), now)
        id_token, id_until = self.id_token(shown, person, now, nonce=nonce, access_token=access)
        return Issued(access, access_until, id_token, id_until, refresh, until)

    def id_token(
        self, binding: Binding, person: SignedIn, now: float, *, nonce: str | None, access_token: str | None = None
    ) -> tuple[str, float]:
        """A signed id_token and its end. Raises Refusal(SIGNING_KEY_UNAVAILABLE)."""
        life_s = min(self._lives.id_token_s, person.ends_at - now)
        claims = id_token_claims(
            binding,
            issuer=self._issuer,
            now=now,
            life_s=life_s,
            nonce=nonce,
            access_token=access_token,
            name=person.name,
            email=person.email,
        )
        return self._ring.sign(claims, now), now + life_s

    async def start_refresh(
        self, token: str, client_id: str, scope: str | None, now: float
    ) -> tuple[TokenRecord, tuple[str, ...]]:
        """The record of a refresh token that this client may use now, and the scopes; its first use is noted.

        Raises Refusal: GRANT_INVALID, REFRESH_REPLAYED (the grant was then revoked), SCOPE_INVALID, STORE_UNAVAILABLE.
        """
        key = _digest_of(token, HandleKind.REFRESH)
        record = read_token(await self._store.get(REFRESH_KIND, key)) if key is not None else None
        if key is None or record is None or await self._is_revoked(record.binding):
            raise Refusal(errors.GRANT_INVALID)
        try:
            use = check_refresh(record, client_id, now, self._lives.refresh_grace_s)
        except Refusal as exc:
            if exc.reason is errors.REFRESH_REPLAYED:
                await self.revoke_grant(record.binding.grant_id)
            raise
        scopes = narrowed(record.binding.scopes, scope)
        if use is RefreshUse.FIRST:
            used = replace(record, used_at=now)
            await self._store.put(REFRESH_KIND, key, dump(used), max(record.expires_at - now, 1.0))
        return record, scopes

    async def by_access_token(self, token: str, now: float) -> tuple[Binding, SignedIn]:
        """What an access token stands for. Raises Refusal: ACCESS_TOKEN_INVALID, STORE_UNAVAILABLE."""
        key = _digest_of(token, HandleKind.ACCESS)
        record = read_token(await self._store.get(ACCESS_KIND, key)) if key is not None else None
        if record is None or now >= record.expires_at or await self._is_revoked(record.binding):
            raise Refusal(errors.ACCESS_TOKEN_INVALID)
        try:
            return record.binding, await self.live_person(record.binding, now)
        except Refusal as exc:
            if exc.reason is errors.GRANT_SESSION_OVER:
                raise Refusal(errors.ACCESS_TOKEN_INVALID) from exc
            raise

    async def revoke(self, token: str, client_id: str, now: float) -> Revoked | None:
        """End a token of this client: a refresh token with its whole grant, an access token alone (RFC 7009).

        None for what is unknown, over, or another client's: all are answered alike.
        """
        kind = kind_of(token)
        if kind not in (HandleKind.ACCESS, HandleKind.REFRESH):
            return None
        kept_as = ACCESS_KIND if kind is HandleKind.ACCESS else REFRESH_KIND
        record = read_token(await self._store.get(kept_as, digest(token)))
        if record is None or record.binding.client_id != client_id or now >= record.expires_at:
            return None
        if kind is HandleKind.REFRESH:
            await self.revoke_grant(record.binding.grant_id)
        await self._store.delete(kept_as, digest(token))
        return Revoked(kind, record)

    async def revoke_grant(self, grant_id: str) -> None:
        """End everything that grew from one code, on every node. Raises Refusal(STORE_UNAVAILABLE)."""
        await self._store.revoke(f"grant:{grant_id}", self._lives.longest_s)

    async def _is_revoked(self, binding: Binding) -> bool:
        (at,) = await self._store.revoked_at((f"grant:{binding.grant_id}",))
        return at is not None

    async def _keep(self, kind: HandleKind, kept_as: str, record: TokenRecord, now: float) -> str:
        token = mint(kind, self._entropy(32))
        await self._store.put(kept_as, digest(token), dump(record), max(record.expires_at - now, 1.0))
        return token


def _digest_of(token: str, kind: HandleKind) -> str | None:
    """The digest of a word of this kind; None for every other word, which all are answered alike."""
    return digest(token) if kind_of(token) is kind else None
