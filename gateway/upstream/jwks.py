"""Keys of OpenID issuers: fetched when needed, by one request at a time, and remembered through outages.

Reading the documents is `policy/jwks.py`. Rules kept: however many tokens ask, an issuer is asked at most once in
`min_interval_s`; keys that were good stay good for `stale_s` while their issuer cannot be reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.jwks import MAX_DOCUMENT_BYTES, Address, discovery_address, jwks_address, read_key_set
from gateway.policy.jws import VerificationKey
from gateway.policy.visitors import IssuerRules
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg

log = structlog.get_logger(__name__)
ACCEPT: Final = ((b"accept", b"application/json"), (b"accept-encoding", b"identity"))


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """Times in seconds. `fresh_s`: keys are used without asking; `stale_s`: and at most, while asking fails.

    `min_interval_s`: between two requests to one issuer, whether the first succeeded or not.
    """

    fresh_s: float = 3_600.0
    stale_s: float = 86_400.0
    min_interval_s: float = 30.0
    timeout_s: float = 5.0


@dataclass(slots=True)
class _Issuer:
    """What is known of one issuer."""

    keys: tuple[VerificationKey, ...] = ()
    fetched_at: float = float("-inf")
    asked_at: float = float("-inf")
    asking: asyncio.Task[None] | None = field(default=None, repr=False)

    def has(self, kid: str | None) -> bool:
        """Can a token that names this key id be judged with what is known?"""
        return bool(self.keys) and (kid is None or any(key.kid == kid for key in self.keys))


class IssuerKeys:
    """The key source of admission (`admission.KeySource`). One per process; `close` at the end."""

    def __init__(
        self,
        leg: Callable[[str], HttpLeg],
        clock: Callable[[], float],
        *,
        times: KeyTimes | None = None,
        http_too: bool = False,
    ) -> None:
        """`leg`: the client of a base URL; `clock`: seconds of any beginning; `http_too`: in development only."""
        self._leg = leg
        self._clock = clock
        self._times = times or KeyTimes()
        self._http_too = http_too
        self._issuers: dict[str, _Issuer] = {}

    async def keys(self, rules: IssuerRules, kid: str | None) -> Sequence[VerificationKey]:
        """The issuer's keys, with `kid` among them if the issuer has it. Raises Refusal(VISITOR_KEYS_UNAVAILABLE)."""
        name, times = rules.issuer or "", self._times
        known = self._issuers.setdefault(name, _Issuer())
        now = self._clock()
        age = now - known.fetched_at
        if known.has(kid) and age < times.fresh_s:
            return known.keys
        asking = self._ask(name, known, now)
        if known.has(kid) and age < times.stale_s:
            return known.keys  # good enough; the answer under way serves the next
        if asking is not None:
            await asyncio.shield(asking)
        if known.keys and self._clock() - known.fetched_at < times.stale_s:
            return known.keys
        raise Refusal(errors.VISITOR_KEYS_UNAVAILABLE, retry_after_s=max(1, round(times.min_interval_s)))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [known.asking for known in self._issuers.values() if known.asking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask(self, name: str, known: _Issuer, now: float) -> asyncio.Task[None] | None:
        """The request under way, or a new one; None when it is too soon for another."""
        if known.asking is None and now - known.asked_at >= self._times.min_interval_s:
            known.asked_at = now
            known.asking = asyncio.create_task(self._refresh(name, known), name="issuer-keys")
        return known.asking

    async def _refresh(self, name: str, known: _Issuer) -> None:
        """Fetch both documents; on any fault the old keys stay."""
        try:
            deadline = asyncio.get_running_loop().time() + self._times.timeout_s
            document = await self._get(discovery_address(name, http_too=self._http_too), deadline)
            found = await self._get(jwks_address(document, name, http_too=self._http_too), deadline)
            known.keys = read_key_set(found)
            known.fetched_at = self._clock()
        except UpstreamFault as fault:
            log.warning("issuer.keys_unavailable", issuer=name, fault=str(fault.kind))
        except ValueError as fault:
            log.warning("issuer.keys_unusable", issuer=name, fault=str(fault))
        finally:
            known.asking = None

    async def _get(self, address: Address, deadline: float) -> bytes:
        """One document. Raises UpstreamFault, or ValueError for an answer that is not 200."""
        leg = self._leg(address.base)
        answer = await leg.request("GET", address.target.encode("ascii"), ACCEPT, deadline=deadline, idempotent=True)
        async with answer:
            if answer.status != 200:
                raise ValueError(f"{address.target} answered {answer.status}")
            return await answer.read(MAX_DOCUMENT_BYTES)
