"""Signed assertions as bearers: a backend with a public key calls with the assertion itself, until its end.

Leaves what an assertion must say to `policy.assertions`, keys and handles to `backends`. Rules kept: each process
checks a signature once, and what was spent at the token endpoint, revoked, or signed for another site opens nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.assertions import Assertion, AssertionKey, claimed_client, verify_assertion
from gateway.policy.decision import Backend
from gateway.store.base import Revocation, Store
from gateway.store.expiry import ExpiryMap

KEPT: Final = 2_000
SPENT: Final = "assertion"
"""The kind of revocation that tells every node of an assertion that was spent at the token endpoint."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A backend by what its assertions are checked with. `key`: None where it may not sign."""

    caller: Backend
    key: AssertionKey | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    """A verified assertion. `sites`: those that its audiences name. `mark`: that of its jti, if it has one."""

    caller: Backend
    sites: frozenset[str]
    mark: str | None
    issued_at: float


class BearerAssertions:
    """Knows the assertions that came as bearers. What it knows is forgotten when the configuration changes."""

    def __init__(self, store: Store, signers: Mapping[str, Signer], audiences: Mapping[str, frozenset[str]]) -> None:
        """`signers`: by client id. `audiences`: the URLs that an assertion may name, and the sites each is good for."""
        self._store = store
        self._signers, self._audiences = signers, audiences
        self._known: ExpiryMap[str, _Known] = ExpiryMap(KEPT, evict=True)
        self._generation = 0
        """Grows whenever something that was found out before may no longer hold."""
        store.subscribe(self._forget)

    def replace(self, signers: Mapping[str, Signer], audiences: Mapping[str, frozenset[str]]) -> None:
        """Judge by these from now on."""
        self._signers, self._audiences = signers, audiences
        self._known.clear()
        self._generation += 1

    async def caller(self, bearer: str, site: str, now: float) -> Backend | None:
        """The backend that signed this bearer; None: it is no assertion, or claims to be of nobody that is known here.

        Raises Refusal: BACKEND_INVALID, STORE_UNAVAILABLE.
        """
        if bearer.count(".") != 2:  # a JWS in compact form has three parts (RFC 7515 section 7.1)
            return None
        key = hashlib.sha256(bearer.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._known.get(key, now) or await self._find_out(bearer, key, now)
        if known is None:
            return None
        if site not in known.sites:
            raise Refusal(errors.BACKEND_INVALID, "The assertion's aud names another site.")
        return known.caller

    async def spend(self, assertion: Assertion) -> None:
        """Tell every node that an assertion was spent at the token endpoint, where it could be a bearer too.

        Raises Refusal(STORE_UNAVAILABLE).
        """
        if assertion.mark is not None and not assertion.audiences.isdisjoint(self._audiences):
            await self._store.revoke(f"{SPENT}:{assertion.mark}", assertion.remember_s)

    async def _find_out(self, bearer: str, key: str, now: float) -> _Known | None:
        while True:
            generation = self._generation
            signed = self._signed_by(bearer, now)
            if signed is None:
                return None
            known, remember_s = signed
            await self._refuse_revoked(known)
            if generation == self._generation:  # else a reload or a revocation came between
                self._known.put(key, known, now + remember_s, now)
                return known

    def _signed_by(self, bearer: str, now: float) -> tuple[_Known, float] | None:
        """What a bearer says after its signature was checked, and for how many seconds that is good."""
        try:
            client_id = claimed_client(bearer)
        except Refusal:  # CLIENT_INVALID alone: some other JWT, or none
            return None
        if (signer := self._signers.get(client_id)) is None:
            return None
        if signer.key is None:
            raise Refusal(errors.BACKEND_INVALID)
        try:
            verified = verify_assertion(bearer, signer.key, self._audiences, now, one_use=False)
        except Refusal as refusal:
            raise Refusal(errors.BACKEND_INVALID, refusal.detail) from refusal
        sites = frozenset[str]().union(*(self._audiences.get(name, ()) for name in verified.audiences))
        return _Known(signer.caller, sites, verified.mark, verified.issued_at), verified.remember_s

    async def _refuse_revoked(self, known: _Known) -> None:
        subjects = [f"backend:{known.caller.name}"]
        if known.mark is not None:
            subjects.append(f"{SPENT}:{known.mark}")
        of_backend, *spent = await self._store.revoked_at(subjects)
        if of_backend is not None and of_backend >= known.issued_at:
            raise Refusal(errors.BACKEND_INVALID)
        if any(at is not None for at in spent):
            raise Refusal(errors.BACKEND_INVALID, "The assertion was spent at the token endpoint.")

    def _forget(self, revocation: Revocation) -> None:
        """Drop what a revocation, of any node, made void."""
        kind, _, name = revocation.subject.partition(":")
        if kind not in ("backend", SPENT):
            return
        self._generation += 1
        for key, (_, known) in tuple(self._known.entries.items()):
            of_backend = known.caller.name == name and known.issued_at <= revocation.at
            if of_backend if kind == "backend" else known.mark == name:
                self._known.pop(key)
