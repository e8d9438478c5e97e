"""Authorization codes: one use, one minute, bound to everything that they were made for.

Leaves what is given for a code to `grants.py`. Rule kept: of any number of redeemers, on any node, exactly one gets the
code; the second use ends what the first gave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.handles import HandleKind, digest, kind_of, mint
from gateway.policy.openid import Binding, CodeBinding
from gateway.provider.kept import dump, read_code
from gateway.provider.people import SignedIn
from gateway.store.base import OnceState, Store

STORE_KIND: Final = "code"


class CodeReplayed(Refusal):
    """A code that was redeemed before; `code` is what it was bound to, so that what it gave can be ended."""

    def __init__(self, bound: CodeBinding) -> None:
        super().__init__(errors.CODE_REPLAYED)
        self.bound = bound


class Codes:
    """Codes over the store; several processes share it."""

    def __init__(self, store: Store, entropy: Callable[[int], bytes], code_s: float) -> None:
        self._store = store
        self._entropy = entropy
        self._code_s = code_s

    async def mint(
        self,
        person: SignedIn,
        *,
        client_id: str,
        redirect_uri: str,
        deployment_id: str,
        scopes: tuple[str, ...],
        nonce: str | None,
        challenge: str | None,
    ) -> str:
        """A fresh code for a live person. Raises Refusal(STORE_UNAVAILABLE)."""
        code = mint(HandleKind.CODE, self._entropy(32))
        binding = bind(person, digest(code), client_id, deployment_id, scopes)
        bound = CodeBinding(binding, redirect_uri, nonce, challenge)
        await self._store.put_once(STORE_KIND, digest(code), dump(bound), self._code_s)
        return code

    async def take(self, code: str) -> CodeBinding:
        """Take a code, once and for all.

        Raises Refusal: CodeReplayed (CODE_REPLAYED), CODE_EXPIRED, GRANT_INVALID, STORE_UNAVAILABLE.
        """
        if kind_of(code) is not HandleKind.CODE:
            raise Refusal(errors.GRANT_INVALID)
        taken = await self._store.take_once(STORE_KIND, digest(code))
        if taken.state is OnceState.EXPIRED:
            raise Refusal(errors.CODE_EXPIRED)
        bound = read_code(taken.value) if taken.value is not None else None
        if bound is None:
            raise Refusal(errors.GRANT_INVALID)
        if taken.state is OnceState.USED:
            raise CodeReplayed(bound)
        return bound


def bind(person: SignedIn, grant_id: str, client_id: str, deployment_id: str, scopes: tuple[str, ...]) -> Binding:
    """What is made for this person and client belongs to."""
    return Binding(
        grant_id=grant_id,
        client_id=client_id,
        session_id=person.session_id,
        site=person.site,
        deployment_id=deployment_id,
        sub=person.sub,
        auth_time=int(person.auth_time),
        scopes=scopes,
    )
