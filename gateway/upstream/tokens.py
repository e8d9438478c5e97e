"""The token broker: one Genesys bearer per OAuth client, got once, renewed ahead, never served past its life.

Leaves the moves to token_state.py, the asking to login.py, what is counted to an observer. The rule: whoever asks gets
a token of exactly this org, region, client and secret version, or a 503 that says when to come back; never a 401.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from gateway.errors import TOKEN_UNAVAILABLE, Refusal
from gateway.upstream.bearer import Bearer, ClientCredentials, TokenKey, fingerprint
from gateway.upstream.login import Denied, Granted
from gateway.upstream.self_check import TokenOwner, is_foreign
from gateway.upstream.token_state import (
    NEEDS_AN_OPERATOR,
    FetchFailure,
    Phase,
    Step,
    TokenRules,
    TokenState,
    fetch_failed,
    fetch_started,
    fetch_succeeded,
    next_step,
    phase,
    rejected,
    wait_s,
)

WAIT_S: Final = 8.0
"""Longest that a request waits for a fetch when its caller names no deadline."""
_QUICK_RETRY: Final = frozenset({FetchFailure.GARBLED, FetchFailure.UNREACHABLE})
_QUICK_RETRY_S: Final = (0.05, 0.25)


class Desk(Protocol):
    """A region's token endpoint (login.LoginDesk)."""

    async def ask(self, client_id: str, secret: str) -> Granted | Denied:
        """Ask for one token."""


class TokenObserver(Protocol):
    """Hears what the broker does; for metrics, audit and alarms. Never gets a token or a secret."""

    def served(self, key: TokenKey) -> None:
        """A held token was handed out without waiting."""

    def fetch_started(self, key: TokenKey) -> None:
        """The login host is being asked."""

    def fetch_succeeded(
        self, key: TokenKey, duration_s: float, life_s: int, previous_secret: bool, reference: str
    ) -> None:
        """A token came. `previous_secret`: only the secret before rotation was taken; `reference`: as in records."""

    def fetch_failed(self, key: TokenKey, duration_s: float, failure: FetchFailure, alarm: bool) -> None:
        """No token came; `alarm`: an operator has to act."""

    def rejected(self, key: TokenKey, dropped: bool) -> None:
        """Genesys answered 401 to a token that should have been good."""


class UnheardTokens:
    """The observer of a broker that nobody listens to."""

    def served(self, key: TokenKey) -> None:
        """Forget it."""

    def fetch_started(self, key: TokenKey) -> None:
        """Forget it."""

    def fetch_succeeded(
        self, key: TokenKey, duration_s: float, life_s: int, previous_secret: bool, reference: str
    ) -> None:
        """Forget it."""

    def fetch_failed(self, key: TokenKey, duration_s: float, failure: FetchFailure, alarm: bool) -> None:
        """Forget it."""

    def rejected(self, key: TokenKey, dropped: bool) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class TokenView:
    """One line of the console: what is held for a client, without the token."""

    key: TokenKey
    phase: Phase
    expires_in_s: int | None
    fingerprint: str | None
    failures: int
    failure: FetchFailure | None
    previous_secret: bool
    owner: TokenOwner | None


@dataclass(slots=True)
class _Entry:
    """What is held for one key."""

    credentials: ClientCredentials
    key: TokenKey
    state: TokenState = field(default_factory=TokenState)
    bearer: Bearer | None = None
    fetch: asyncio.Task[None] | None = None
    previous_secret: bool = False
    owner: TokenOwner | None = None


class TokenBroker:
    """Bearers for the clients it is given. `desk_of` finds a client's login desk; `check` asks whose token it is."""

    def __init__(
        self,
        clients: Iterable[ClientCredentials],
        desk_of: Callable[[ClientCredentials], Desk],
        *,
        check: Callable[[ClientCredentials, Bearer], Awaitable[TokenOwner | None]] | None = None,
        rules: TokenRules | None = None,
        observer: TokenObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        reference_of: Callable[[str], str] = fingerprint,
        record: Callable[[Bearer, int], Awaitable[bool]] | None = None,
    ) -> None:
        """`reference_of`: what records call a token, by the token.

        `record`: puts a new token, with its life in seconds, on record before it is used for anything; False: it could
        not be, and the token is dropped.
        """
        self._desk_of = desk_of
        self._check = check
        self._rules = rules if rules is not None else TokenRules()
        self._observer: TokenObserver = observer if observer is not None else UnheardTokens()
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._reference_of = reference_of
        self._record = record
        self._entries: dict[tuple[str, str, int], _Entry] = {}
        self._fetches: set[asyncio.Task[None]] = set()
        self.replace(clients)

    def replace(self, clients: Iterable[ClientCredentials]) -> None:
        """Take a new configuration: what is unchanged keeps its token, what changed in any part starts with none."""
        before, self._entries = self._entries, {}
        for credentials in clients:
            for slot in range(credentials.tokens):
                key, name = replace(credentials.key, slot=slot), (credentials.org, credentials.client, slot)
                held = before.get(name)
                kept = held is not None and held.key == key and _same(held.credentials, credentials)
                self._entries[name] = held if held is not None and kept else _Entry(credentials, key)
        for name, entry in before.items():
            if self._entries.get(name) is not entry and entry.fetch is not None:
                entry.fetch.cancel()

    def held(self, org: str, client: str, slot: int = 0) -> Bearer | None:
        """The token at hand, when it is good and need not be renewed yet; None: `bearer` is to be asked."""
        entry = self._entries.get((org, client, slot))
        if entry is None or entry.bearer is None or self._clock() >= entry.state.renew_at:  # never after usable_until
            return None
        self._observer.served(entry.key)
        return entry.bearer

    async def bearer(self, org: str, client: str, deadline: float | None = None, slot: int = 0) -> Bearer:
        """Return a token that is good now. `deadline` is in the loop's time; `slot`: which of the client's tokens.

        Raises Refusal(TOKEN_UNAVAILABLE) with `retry_after_s` when there is none and none comes in time.
        """
        while True:
            entry = self._entries.get((org, client, slot))  # looked up each time: a reload may have replaced it
            if entry is None:
                raise Refusal(TOKEN_UNAVAILABLE, f"client {client} is not configured", retry_after_s=1)
            step = next_step(entry.state, self._clock())
            if step is Step.REFUSE:
                raise self._refusal(entry)
            if step is Step.FETCH or step is Step.SERVE_AND_FETCH:
                self._start_fetch(entry)
            if (step is Step.SERVE or step is Step.SERVE_AND_FETCH) and entry.bearer is not None:
                self._observer.served(entry.key)
                return entry.bearer
            await self._wait(entry, deadline)

    def reject(self, bearer: Bearer) -> bool:
        """Genesys answered 401 to this bearer. Returns whether a replay would be made with another one."""
        entry = self._entries.get((bearer.key.org, bearer.key.client, bearer.key.slot))
        if entry is None or entry.key != bearer.key or entry.bearer is not bearer:
            return entry is not None
        entry.state, dropped = rejected(entry.state, self._rules, self._clock())
        if dropped:
            entry.bearer = None
        self._observer.rejected(bearer.key, dropped)
        return dropped

    async def warm_up(self) -> None:
        """Fetch the first token of each client that is not held, side by side; the others come when they are needed.

        Failures are left to the observer and `snapshot`.
        """
        for entry in self._entries.values():
            if entry.key.slot == 0 and next_step(entry.state, self._clock()) is Step.FETCH:
                self._start_fetch(entry)
        if self._fetches:
            await asyncio.wait(set(self._fetches))

    def snapshot(self) -> list[TokenView]:
        """What is held now, for the console; no secrets."""
        return [self._view(entry, self._clock()) for entry in self._entries.values()]

    async def close(self) -> None:
        """Stop all fetches and forget all tokens."""
        fetches, self._entries = set(self._fetches), {}
        for task in fetches:
            task.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)

    def _view(self, entry: _Entry, now: float) -> TokenView:
        """One line of the snapshot."""
        held = entry.bearer is not None and now < entry.state.usable_until
        return TokenView(
            key=entry.key,
            phase=phase(entry.state, now),
            expires_in_s=int(entry.state.usable_until - now) if held else None,
            fingerprint=entry.bearer.fingerprint if held and entry.bearer is not None else None,
            failures=entry.state.failures,
            failure=entry.state.failure,
            previous_secret=entry.previous_secret,
            owner=entry.owner,
        )

    def _refusal(self, entry: _Entry) -> Refusal:
        """No token, and no use in waiting for one."""
        failure = entry.state.failure
        detail = f"client {entry.key.client}: {failure or 'no answer in time'}"
        return Refusal(TOKEN_UNAVAILABLE, detail, retry_after_s=wait_s(entry.state, self._clock()))

    async def _wait(self, entry: _Entry, deadline: float | None) -> None:
        """Wait for the fetch under way; raises the refusal when it takes too long."""
        loop = asyncio.get_running_loop()
        patience_s = WAIT_S if deadline is None else min(WAIT_S, deadline - loop.time())
        if entry.fetch is None or patience_s <= 0:
            raise self._refusal(entry)
        done, _ = await asyncio.wait({entry.fetch}, timeout=patience_s)
        if not done:
            raise self._refusal(entry)

    def _start_fetch(self, entry: _Entry) -> None:
        """Begin the one fetch of an entry."""
        entry.state = fetch_started(entry.state)
        entry.fetch = asyncio.get_running_loop().create_task(self._fetch(entry))
        self._fetches.add(entry.fetch)
        entry.fetch.add_done_callback(self._fetches.discard)

    async def _fetch(self, entry: _Entry) -> None:
        """Get a token and enter it, or enter the failure; the state never stays `fetching`."""
        asked_at = self._clock()
        outcome: Granted | Denied = Denied(FetchFailure.UNREACHABLE)
        wanted = True
        self._observer.fetch_started(entry.key)
        try:
            outcome, asked_at, previous = await self._ask_in_turn(entry)
            if isinstance(outcome, Granted):
                bearer = Bearer(outcome.token, entry.key, self._reference_of(outcome.token))
                if self._record is not None and not await self._record(bearer, outcome.life_s):
                    outcome = Denied(FetchFailure.UNRECORDED)
                elif await self._is_foreign(entry, bearer):
                    outcome = Denied(FetchFailure.WRONG_ORGANIZATION)
                else:
                    entry.bearer, entry.previous_secret = bearer, previous
        except asyncio.CancelledError:
            wanted = False  # by replace() or close(): nobody uses this entry any more
            raise
        finally:
            if wanted:
                self._enter(entry, outcome, asked_at)

    def _enter(self, entry: _Entry, outcome: Granted | Denied, asked_at: float) -> None:
        """Move the state by what came."""
        now = self._clock()
        entry.fetch = None
        if isinstance(outcome, Granted):
            entry.state = fetch_succeeded(
                entry.state, self._rules, asked_at=asked_at, life_s=outcome.life_s, chance=self._chance()
            )
            if now < entry.state.usable_until:
                reference = entry.bearer.reference if entry.bearer is not None else ""
                self._observer.fetch_succeeded(
                    entry.key, now - asked_at, outcome.life_s, entry.previous_secret, reference
                )
                return
            outcome = Denied(FetchFailure.TIMEOUT)  # it came when its life was over
        entry.state = fetch_failed(
            entry.state,
            self._rules,
            outcome.failure,
            now=now,
            chance=self._chance(),
            retry_after_s=outcome.retry_after_s,
        )
        alarm = outcome.failure in NEEDS_AN_OPERATOR
        self._observer.fetch_failed(entry.key, now - asked_at, outcome.failure, alarm)

    async def _ask_in_turn(self, entry: _Entry) -> tuple[Granted | Denied, float, bool]:
        """Ask with the new secret, then with the previous one if the new one is not (yet) known to Genesys.

        Returns what came, when it was asked for, and whether the previous secret got it.
        """
        credentials = entry.credentials
        outcome: Granted | Denied = Denied(FetchFailure.INVALID_CLIENT)
        asked_at = self._clock()
        for secret in credentials.secrets:
            outcome, asked_at = await self._ask(entry, secret)
            if isinstance(outcome, Granted):
                return outcome, asked_at, fingerprint(secret) != fingerprint(credentials.secret)
            if outcome.failure is not FetchFailure.INVALID_CLIENT:
                break
        return outcome, asked_at, False

    async def _ask(self, entry: _Entry, secret: str) -> tuple[Granted | Denied, float]:
        """Ask; after a first garbled or cut answer once more at once, for most of those pass by themselves."""
        desk = self._desk_of(entry.credentials)
        asked_at = self._clock()
        outcome = await desk.ask(entry.credentials.client_id, secret)
        if isinstance(outcome, Denied) and outcome.failure in _QUICK_RETRY and entry.state.failures == 0:
            low_s, high_s = _QUICK_RETRY_S
            await self._sleep(low_s + (high_s - low_s) * self._chance())
            asked_at = self._clock()
            outcome = await desk.ask(entry.credentials.client_id, secret)
        return outcome, asked_at

    async def _is_foreign(self, entry: _Entry, bearer: Bearer) -> bool:
        """Check whose token it is, until it was told once for this key."""
        if self._check is None or entry.owner is not None:
            return False
        owner = await self._check(entry.credentials, bearer)
        if owner is not None and is_foreign(owner, entry.credentials):
            return True
        entry.owner = owner
        return False


def _same(one: ClientCredentials, other: ClientCredentials) -> bool:
    """Is nothing changed but how many tokens there are?"""
    return replace(one, tokens=1) == replace(other, tokens=1)
