"""The store of many nodes: Redis 7 or later, or Valkey, one server or a master with Sentinels (not Cluster).

Every step is one command or one script. Rules kept: no call takes longer than `timeout_s`; when the store does not
answer, limits are counted locally and every other use is refused (`base.ON_FAILURE`); values come sealed already.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.exceptions import RedisError

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.limits import SLACK_S
from gateway.store import redis_scripts as lua
from gateway.store.base import (
    TOMBSTONE_S,
    Clock,
    LimitAsk,
    LimitResult,
    OnceResult,
    OnceState,
    RevocationListener,
)
from gateway.store.counts import LocalCounts
from gateway.store.redis_client import make_client
from gateway.store.redis_feed import RevocationFeed

T = TypeVar("T")
StoreWatch = Callable[[str, float, BaseException | None], None]
"""Hears of each step: its use, the seconds that it took, and what it failed by. Must not raise."""
_SLACK_MS = 60_000
_FAILURES_BEFORE_REST = 3
_REST_S = 0.25


class RedisStore:
    """`Store` in Redis or Valkey. Makes no connection before it is used."""

    def __init__(
        self, url: str, clock: Clock, *, timeout_s: float = 0.25, prefix: str = "gateway:", max_connections: int = 64
    ) -> None:
        """`clock`: seconds since the epoch, the same on all nodes to a second or so. Raises ValueError for the URL."""
        self._clock = clock
        self._timeout_s = timeout_s
        self._prefix = prefix
        self._client = make_client(url, timeout_s, max_connections)
        self.watch: StoreWatch = _unheard
        names = ("RENEW", "REPLACE", "REVOKE", "END", "TAKE_ONCE", "CLAIM", "DELETE", "ACQUIRE", "RELEASE", "LIMITS")
        self._scripts = {name: self._client.register_script(getattr(lua, name)) for name in names}
        self._feed = RevocationFeed(self._client, self._key("revocations", "stream"))
        self._local = LocalCounts()
        self._failures = 0
        self._rest_until = 0.0

    async def start(self) -> None:
        """Begin to follow revocations, now or as soon as the store answers."""
        self._feed.start()

    async def close(self) -> None:
        """Stop following and close the connections."""
        await self._feed.close()
        await self._client.aclose()

    async def ready(self) -> str | None:
        """None, or what does not answer."""
        try:
            await self._within("ready", self._client.ping)
        except Refusal:
            return "the store does not answer"
        return None if await self._feed.is_following(self._timeout_s) else "revocations are not followed"

    async def put_session(self, session_id: str, value: bytes, ttl_s: float) -> None:
        """Keep a new session."""
        await self._set("put_session", self._key("session", session_id), value, ttl_s)

    async def get_session(self, session_id: str) -> bytes | None:
        """The session's value, or None."""
        return await self._get("get_session", self._key("session", session_id))

    async def renew_session(self, session_id: str, ttl_s: float) -> bool:
        """Prolong a session that still exists."""
        now = self._clock()
        args = [repr(now), struct.pack(">d", now + ttl_s), _px(ttl_s)]
        return bool(await self._run("renew_session", "RENEW", [self._key("session", session_id)], args))

    async def replace_session(self, session_id: str, old: bytes, new: bytes, ttl_s: float) -> bool:
        """Put `new` in the place of `old`, atomically."""
        now = self._clock()
        args = [repr(now), old, struct.pack(">d", now + ttl_s) + new, _px(ttl_s)]
        return bool(await self._run("replace_session", "REPLACE", [self._key("session", session_id)], args))

    async def end_session(self, session_id: str, revoke_for_s: float) -> bool:
        """Delete and revoke the session in one step."""
        now, subject = self._clock(), f"session:{session_id}"
        keys = [self._key("revoked", subject), self._feed.stream, self._key("session", session_id)]
        args = [struct.pack(">dd", now + revoke_for_s, now), _px(revoke_for_s), subject, repr(now)]
        return bool(await self._run("end_session", "END", keys, args))

    async def put_once(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a one-use value, and after that its tombstone."""
        packed = struct.pack(">d", self._clock() + ttl_s) + b"\0" + value
        key, px = self._key(f"once:{kind}", digest), _px(ttl_s + TOMBSTONE_S)
        await self._within("put_once", lambda: self._client.set(key, packed, px=px))

    async def take_once(self, kind: str, digest: str) -> OnceResult:
        """Take a one-use value in one atomic step."""
        args = [repr(self._clock()), _px(TOMBSTONE_S)]
        found = await self._run("take_once", "TAKE_ONCE", [self._key(f"once:{kind}", digest)], args)
        return OnceResult(OnceState(found[0].decode("ascii")), found[1] if len(found) > 1 else None)

    async def claim(self, kind: str, digest: str, ttl_s: float) -> bool:
        """True for the first caller."""
        now = self._clock()
        args = [repr(now), struct.pack(">d", now + ttl_s), _px(ttl_s)]
        return bool(await self._run("claim", "CLAIM", [self._key(f"claim:{kind}", digest)], args))

    async def put(self, kind: str, digest: str, value: bytes, ttl_s: float) -> None:
        """Keep a value."""
        await self._set("put", self._key(f"value:{kind}", digest), value, ttl_s)

    async def get(self, kind: str, digest: str) -> bytes | None:
        """A value kept by `put`, or None."""
        return await self._get("get", self._key(f"value:{kind}", digest))

    async def delete(self, kind: str, digest: str) -> bool:
        """Forget a value."""
        key = self._key(f"value:{kind}", digest)
        return bool(await self._run("delete", "DELETE", [key], [repr(self._clock())]))

    async def revoke(self, subject: str, ttl_s: float) -> None:
        """Note the revocation and tell every node."""
        now = self._clock()
        args = [struct.pack(">dd", now + ttl_s, now), _px(ttl_s), subject]
        await self._run("revoke", "REVOKE", [self._key("revoked", subject), self._feed.stream], args)

    async def revoked_at(self, subjects: Sequence[str]) -> tuple[float | None, ...]:
        """For each subject the time of its latest revocation, or None."""
        if not subjects:
            return ()
        keys, now = [self._key("revoked", subject) for subject in subjects], self._clock()
        found: list[Any] = await self._within("revoked_at", lambda: self._client.mget(keys))
        times = (None if packed is None else struct.unpack(">dd", packed) for packed in found)
        return tuple(None if pair is None or pair[0] <= now else pair[1] for pair in times)

    def subscribe(self, listener: RevocationListener) -> None:
        """Have `listener` called for each revocation."""
        self._feed.subscribe(listener)

    async def acquire_lease(self, name: str, owner: str, ttl_s: float) -> int | None:
        """Hold or extend a lease."""
        now = self._clock()
        keys = [self._key("lease", name), self._key("fence", name)]
        args = [repr(now), struct.pack(">d", now + ttl_s), owner, _px(ttl_s)]
        return int(await self._run("acquire_lease", "ACQUIRE", keys, args)) or None

    async def release_lease(self, name: str, owner: str) -> None:
        """Give a lease back if `owner` holds it."""
        await self._run("release_lease", "RELEASE", [self._key("lease", name)], [owner])

    async def agree(self, name: str, value: bytes) -> bytes:
        """Keep a value under a name unless there is one; the one that is kept. Raises Refusal(STORE_UNAVAILABLE)."""
        key = self._key("agreed", name)
        found: Any = await self._within("agree", lambda: self._client.set(key, value, nx=True, get=True))
        return value if found is None else bytes(found)

    async def run_script(self, script: str, keys: list[str], args: list[str]) -> object:
        """Run a script of the audit log, whose keys are whole names. Raises OSError when the store does not answer."""
        try:
            found: object = await self._within("script", lambda: self._client.eval(script, len(keys), *keys, *args))
        except Refusal as exc:
            raise OSError("the store does not answer") from exc
        return found

    async def take_limits(self, asks: Sequence[LimitAsk]) -> tuple[LimitResult, ...]:
        """Answer several limits in one round trip; counted on this node only when the store does not answer."""
        args: list[Any] = [repr(self._clock()), repr(SLACK_S)]
        for ask in asks:
            args += [repr(ask.rate_per_s), ask.burst, ask.cost]
        try:
            found = await self._run("take_limits", "LIMITS", [self._key("limit", ask.key) for ask in asks], args)
        except Refusal:
            return self._local.take(asks, self._clock(), local=True)
        return tuple(LimitResult(bool(allowed), float(wait), int(left)) for allowed, wait, left in found)

    # --- within ---------------------------------------------------------------------------------------------------

    def _key(self, sort: str, name: str) -> str:
        return f"{self._prefix}{sort}:{name}"

    async def _set(self, use: str, key: str, value: bytes, ttl_s: float) -> None:
        packed = struct.pack(">d", self._clock() + ttl_s) + value
        await self._within(use, lambda: self._client.set(key, packed, px=_px(ttl_s)))

    async def _get(self, use: str, key: str) -> bytes | None:
        packed: Any = await self._within(use, lambda: self._client.get(key))
        if packed is None or struct.unpack_from(">d", packed)[0] <= self._clock():
            return None
        body: bytes = packed[8:]
        return body

    async def _run(self, use: str, script: str, keys: list[str], args: list[Any]) -> Any:
        return await self._within(use, lambda: self._scripts[script](keys=keys, args=args))

    async def _within(self, use: str, step: Callable[[], Awaitable[T]]) -> T:
        """Take one step in its time. Raises Refusal(STORE_UNAVAILABLE), at once while the store rests from failures."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now < self._rest_until:
            raise Refusal(errors.STORE_UNAVAILABLE, use, retry_after_s=1)
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await step()
        except (RedisError, OSError) as exc:  # TimeoutError is an OSError
            self.watch(use, loop.time() - now, exc)
            self._failures += 1
            if self._failures >= _FAILURES_BEFORE_REST:
                self._rest_until = now + self._timeout_s + _REST_S
            raise Refusal(errors.STORE_UNAVAILABLE, use, retry_after_s=1) from exc
        self._failures = 0
        self.watch(use, loop.time() - now, None)
        return result


def _unheard(_use: str, _duration_s: float, _failure: BaseException | None) -> None:
    """The watch of a store that nobody listens to."""


def _px(ttl_s: float) -> int:
    """When Redis may clear a key away: after its logical expiry, with room for clocks that differ."""
    return math.ceil(ttl_s * 1000) + _SLACK_MS
