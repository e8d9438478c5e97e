"""Who is calling: the bearer of a request into a guest, a backend, or nobody.

The prefix of a handle says which room knows it; a word of no kind is tried as a backend's key and as its signed
assertion, and then it is a platform token or a typing error, which are refused as such. The rule: a wrong credential is
never taken for none.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway import errors
from gateway.errors import Refusal
from gateway.guestbook import Guestbook
from gateway.policy.decision import Caller, Guest
from gateway.policy.dpop import REMEMBER_S, check_binding, check_proof
from gateway.policy.guests import GuestSession
from gateway.policy.handles import HandleKind
from gateway.provider.backends import Backends
from gateway.store.base import Store
from gateway.web.exchange import NOBODY, Exchange
from gateway.web.head import Credential
from gateway.web.known_callers import KnownCallers
from gateway.web.throttle import Throttle

GUEST_KINDS = frozenset({HandleKind.SESSION, HandleKind.HISTORY})


class Callers:
    """Finds out who is calling."""

    def __init__(
        self,
        guestbook: Guestbook,
        backends: Callable[[], Backends],
        throttle: Throttle,
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        """`backends`: the registry of the configuration in force."""
        self._guestbook = guestbook
        self._backends = backends
        self._throttle = throttle
        self._store = store
        self._clock = clock
        self.known = KnownCallers(guestbook.recall, throttle)

    async def identify(self, exchange: Exchange) -> Caller:
        """The caller of a proxied call.

        Raises Refusal: HEADER_INVALID, SESSION_INVALID, SESSION_EXPIRED, HANDLE_WRONG_KIND, PLATFORM_TOKEN,
        BACKEND_INVALID, RATE_LIMITED, DPOP_*, STORE_UNAVAILABLE.
        """
        credential = exchange.head.credential()
        if credential is None:
            return NOBODY
        bearer, kind = credential.bearer, credential.kind
        if kind in GUEST_KINDS:
            return await self._guest(exchange, credential)
        if kind is HandleKind.BACKEND:
            return (await self._backends().identify(bearer, self._clock())).caller
        if kind is not None:
            raise Refusal(errors.HANDLE_WRONG_KIND, f"A handle with the prefix {kind.value} makes no calls.")
        if (backend := self._backends().by_key(bearer)) is not None:
            return backend.caller
        signed = await self._backends().assertions.caller(bearer, exchange.rules.name, self._clock())
        if signed is None:
            raise Refusal(errors.PLATFORM_TOKEN)
        return signed

    async def _guest(self, exchange: Exchange, credential: Credential) -> Guest:
        site, bearer = exchange.rules.name, credential.bearer
        if credential.kind is HandleKind.HISTORY:
            history = await self._guestbook.history_of(bearer, site)
            guest = Guest(history.session, HandleKind.HISTORY)
            exchange.guest_jwt = history.jwt
        else:
            session = self._guestbook.recall(credential.digest, site) or await self._guestbook.session_of(bearer, site)
            guest = Guest(session)
        if guest.session.proof_key is not None:
            await self._check_holder(exchange, guest.session, bearer)
        self._throttle.admit_guest(exchange, guest.session.id)
        return guest

    async def session_of(self, exchange: Exchange, handle: str) -> GuestSession:
        """The session of a handle that came with this request. Raises Refusal as `Guestbook.session_of`, and DPOP_*."""
        session = await self._guestbook.session_of(handle, exchange.rules.name)
        if session.proof_key is not None:
            await self._check_holder(exchange, session, handle)
        return session

    async def proof_key(self, exchange: Exchange, handle: str | None) -> str | None:
        """The thumbprint of the key that the DPoP header proves; None without the header.

        Raises Refusal: DPOP_INVALID, DPOP_REPLAYED, STORE_UNAVAILABLE.
        """
        headers = exchange.head.headers
        sent = headers.getall("DPoP", ())
        if not sent:
            return None
        if len(sent) > 1:
            raise Refusal(errors.DPOP_INVALID, "the DPoP header stands more than once")
        proof = check_proof(
            sent[0], method=exchange.method, host=exchange.head.host or "", path=exchange.target.path,
            handle=handle, now=self._clock(),
        )  # fmt: skip
        if not await self._store.claim("dpop", proof.replay_key, REMEMBER_S):
            raise Refusal(errors.DPOP_REPLAYED)
        return proof.thumbprint

    async def _check_holder(self, exchange: Exchange, session: GuestSession, handle: str) -> None:
        """RFC 9449 section 7.1: a bound handle as a Bearer, or without proof by its key, is worth nothing."""
        if (exchange.head.authorization or "")[:5].lower() != "dpop ":
            raise Refusal(errors.DPOP_MISSING)
        check_binding(session.proof_key, await self.proof_key(exchange, handle), required=True)

    def session_handle(self, exchange: Exchange) -> str | None:
        """The session handle that came along, unchecked; None without a bearer. Raises Refusal(HANDLE_WRONG_KIND)."""
        credential = exchange.head.credential()
        if credential is None:
            return None
        if credential.kind not in (HandleKind.SESSION, None):
            raise Refusal(errors.HANDLE_WRONG_KIND, "A session handle (gws_) is needed here.")
        return credential.bearer
