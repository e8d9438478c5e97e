"""Backends: who they are, how they prove it (key, signed assertion, handle), and the handles given to them.

Leaves what a backend may do to `policy.decision`, assertions as bearers to `bearer_assertions`. Rules kept: only
digests of keys are held; a handle dies with the key that it was got with, with its backend, and at its end, on every
node.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from gateway import errors
from gateway.errors import Refusal
from gateway.policy import decision
from gateway.policy.assertions import AssertionKey, claimed_client, verify_assertion
from gateway.policy.handles import HandleKind, digest, expect, kind_of, mint
from gateway.policy.oauth_forms import Credentials, secret_digest, which_accepted
from gateway.provider.bearer_assertions import BearerAssertions, Signer
from gateway.store.base import Revocation, Store
from gateway.store.expiry import ExpiryMap

STORE_KIND: Final = "backend"
ASSERTION_KIND: Final = "assertion"
NEAR_HANDLES: Final = 10_000
MAX_HANDLE_S: Final = 86_400
"""Longest handle_s that the configuration takes: so long must a revocation be remembered."""
PUBLIC_KEY_PROOF: Final = "public_key"
HASH_PREFIX: Final = "sha256:"
_HASH_HEX: Final = 64


@dataclass(frozen=True, slots=True)
class BackendRules:
    """One backend of the configuration. `key_digests`: of its key and, in the overlap, of the key before."""

    name: str
    client_id: str
    key_digests: tuple[bytes, ...] = field(repr=False)
    sites: frozenset[str]
    routes: frozenset[str]
    handle_s: int
    public_key: AssertionKey | None = None

    @property
    def caller(self) -> decision.Backend:
        """The backend as the deciding function knows it."""
        return decision.Backend(self.name, self.sites, self.routes)


@dataclass(frozen=True, slots=True)
class Proved:
    """A backend that has proved itself. `proof`: by what, as a short word that a handle remembers."""

    rules: BackendRules
    proof: str


@dataclass(frozen=True, slots=True)
class _Registry:
    """The backends of one configuration, by everything that one is looked up by."""

    by_name: dict[str, BackendRules]
    proofs: dict[str, frozenset[str]]
    """By name of the backend: the marks of what it may have proved itself with."""
    by_id: dict[str, BackendRules]
    by_key: dict[bytes, BackendRules]


@dataclass(frozen=True, slots=True)
class _Known:
    """A handle as this process remembers it."""

    name: str
    proof: str
    issued_at: float


def key_digest(key: str) -> bytes:
    """The digest of a configured key: of its text, or the one that it spells as `sha256:<hex>`. Raises ValueError."""
    if not key.startswith(HASH_PREFIX):
        return secret_digest(key)
    spelled = key.removeprefix(HASH_PREFIX).strip().lower()
    try:
        value = bytes.fromhex(spelled)
    except ValueError as exc:
        raise ValueError("a hashed key is `sha256:` and 64 hex digits") from exc
    if len(spelled) != _HASH_HEX or len(value) != hashlib.sha256().digest_size:
        raise ValueError("a hashed key is `sha256:` and 64 hex digits")
    return value


class Backends:
    """The registry of backends: one per process; a reload hands in the new rules with `replace`."""

    def __init__(
        self,
        rules: Iterable[BackendRules],
        store: Store,
        entropy: Callable[[int], bytes],
        audiences: Collection[str] = (),
        bearer_audiences: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """`audiences`: what a signed assertion may name as its audience: the issuer and the token endpoint's URL.
        `bearer_audiences`: what one that is itself a bearer may name, and the sites that each is good for.

        Raises ValueError when two backends share a name, a client id or a key.
        """
        self._store = store
        self._entropy = entropy
        self._audiences = frozenset(audiences)
        self._registry = _registry(rules)
        self._bearer_audiences = dict(bearer_audiences or {})
        self.assertions = BearerAssertions(store, _signers(self._registry), self._bearer_audiences)
        self._near: ExpiryMap[str, _Known] = ExpiryMap(NEAR_HANDLES, evict=True)
        store.subscribe(self._forget)

    def replace(
        self,
        rules: Iterable[BackendRules],
        audiences: Collection[str] | None = None,
        bearer_audiences: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """Use other rules from now on. Raises ValueError as the constructor does, and then keeps the old ones.

        Audiences as in the constructor; None: as they were.
        """
        self._registry = _registry(rules)
        if audiences is not None:
            self._audiences = frozenset(audiences)
        if bearer_audiences is not None:
            self._bearer_audiences = dict(bearer_audiences)
        self.assertions.replace(_signers(self._registry), self._bearer_audiences)

    def knows(self, client_id: str) -> bool:
        """Is this the client id of a backend? Client ids are no secrets."""
        return client_id in self._registry.by_id

    async def authenticate(self, credentials: Credentials, now: float) -> Proved:
        """The backend of an id with its key, or of a signed assertion.

        An unknown id and a wrong key answer alike. Raises Refusal: BACKEND_INVALID, CLIENT_INVALID (assertion),
        STORE_UNAVAILABLE.
        """
        if credentials.assertion is not None:
            return await self._by_assertion(credentials, credentials.assertion, now)
        backend = self._registry.by_id.get(credentials.client_id)
        known = backend.key_digests if backend is not None else ()
        found = which_accepted(credentials.secrets, known or (bytes(32),))
        if backend is None or found is None:
            raise Refusal(errors.BACKEND_INVALID)
        return Proved(backend, _mark(found))

    async def open(self, proved: Proved, now: float) -> str:
        """A new handle of the backend, good for `handle_s`. Raises Refusal(STORE_UNAVAILABLE)."""
        handle = mint(HandleKind.BACKEND, self._entropy(32))
        backend, until = proved.rules, now + proved.rules.handle_s
        value = orjson.dumps({"name": backend.name, "proof": proved.proof, "at": now, "until": until})
        await self._store.put(STORE_KIND, digest(handle), value, backend.handle_s)
        self._near.put(digest(handle), _Known(backend.name, proved.proof, now), until, now)
        return handle

    async def identify(self, bearer: str, now: float) -> BackendRules:
        """The backend behind a bearer: its key itself, or a handle.

        Raises Refusal: BACKEND_INVALID, HANDLE_WRONG_KIND for another kind of handle, STORE_UNAVAILABLE.
        """
        if kind_of(bearer) is None:
            backend = self.by_key(bearer)
            if backend is None:
                raise Refusal(errors.BACKEND_INVALID)
            return backend
        return await self._by_handle(expect(bearer, HandleKind.BACKEND), now)

    def by_key(self, bearer: str) -> BackendRules | None:
        """The backend whose key this is. Looked up by digest, so that timing says nothing about a key."""
        presented = secret_digest(bearer)
        backend = self._registry.by_key.get(presented)
        if backend is None or not any(hmac.compare_digest(presented, known) for known in backend.key_digests):
            return None
        return backend

    async def close(self, handle: str, owner: BackendRules, now: float) -> bool:
        """Void a handle on every node (RFC 7009). False: it is none that is alive, or another backend's."""
        try:
            if kind_of(handle) is None or await self._by_handle(expect(handle, HandleKind.BACKEND), now) is not owner:
                return False
        except Refusal as exc:
            if exc.reason in (errors.BACKEND_INVALID, errors.HANDLE_WRONG_KIND):
                return False
            raise
        await self._store.delete(STORE_KIND, digest(handle))
        await self._store.revoke(f"handle:{digest(handle)}", MAX_HANDLE_S)
        self._near.pop(digest(handle))
        return True

    async def _by_assertion(self, credentials: Credentials, assertion: str, now: float) -> Proved:
        client_id = claimed_client(assertion)
        backend = self._registry.by_id.get(client_id)
        if backend is None or backend.public_key is None or credentials.client_id not in {"", client_id}:
            raise Refusal(errors.BACKEND_INVALID)
        verified = verify_assertion(assertion, backend.public_key, self._audiences, now)
        if verified.mark is None or not await self._store.claim(ASSERTION_KIND, verified.mark, verified.remember_s):
            raise Refusal(errors.CLIENT_INVALID, "The assertion was used before.")
        await self.assertions.spend(verified)
        return Proved(backend, PUBLIC_KEY_PROOF)

    async def _by_handle(self, key: str, now: float) -> BackendRules:
        known = self._near.get(key, now) or await self._recall(key, now)
        if known is None or known.proof not in self._registry.proofs.get(known.name, ()):
            raise Refusal(errors.BACKEND_INVALID)
        return self._registry.by_name[known.name]

    async def _recall(self, key: str, now: float) -> _Known | None:
        """A handle from the store, unless it was revoked; remembered until its end."""
        value = await self._store.get(STORE_KIND, key)
        if value is None:
            return None
        kept = orjson.loads(value)
        if kept["until"] <= now:
            return None
        known = _Known(kept["name"], kept["proof"], kept["at"])
        of_backend, of_handle = await self._store.revoked_at((f"backend:{known.name}", f"handle:{key}"))
        if of_handle is not None or (of_backend is not None and of_backend >= known.issued_at):
            return None
        self._near.put(key, known, kept["until"], now)
        return known

    def _forget(self, revocation: Revocation) -> None:
        """Drop from the near-cache what a revocation, of any node, made void."""
        kind, _, name = revocation.subject.partition(":")
        if kind == "handle":
            self._near.pop(name)
        elif kind == "backend":
            for key in self._near:
                known = self._near.get(key, revocation.at)
                if known is not None and known.name == name and known.issued_at <= revocation.at:
                    self._near.pop(key)


def _registry(rules: Iterable[BackendRules]) -> _Registry:
    registry = _Registry({}, {}, {}, {})
    for backend in rules:
        if backend.name in registry.by_name or backend.client_id in registry.by_id:
            raise ValueError(f"backend {backend.name}: name or client id stands twice")
        registry.by_name[backend.name] = registry.by_id[backend.client_id] = backend
        registry.proofs[backend.name] = _proofs(backend)
        for known in backend.key_digests:
            if registry.by_key.setdefault(known, backend) is not backend:
                raise ValueError(f"backend {backend.name}: shares a key with another backend")
    return registry


def _signers(registry: _Registry) -> dict[str, Signer]:
    return {client_id: Signer(rules.caller, rules.public_key) for client_id, rules in registry.by_id.items()}


def _proofs(backend: BackendRules) -> frozenset[str]:
    marks = frozenset(_mark(known) for known in backend.key_digests)
    return marks | {PUBLIC_KEY_PROOF} if backend.public_key is not None else marks


def _mark(known: bytes) -> str:
    """A short name of a key that says nothing about it: the digest of its digest."""
    return hashlib.sha256(b"backend key" + known).hexdigest()[:16]
