"""Finds out whose a conversation is: asks Genesys once with the organisation's ownership client, and remembers.

Leaves what follows to `policy.decision`, reading the marks to `policy.ownership`. The rule: an answer that is not a
conversation is never taken for a no, and a stranger's guess costs one call, not one per try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import orjson

from gateway.errors import TOKEN_UNAVAILABLE, UPSTREAM_BAD_ANSWER, UPSTREAM_BUSY, Refusal
from gateway.policy.ownership import NOBODYS, ConversationOwner, read_owner
from gateway.store.expiry import ExpiryMap
from gateway.upstream.bearer import Bearer
from gateway.upstream.faults import UpstreamFault
from gateway.upstream.http import HttpLeg

OPERATION: Final = "GET /api/v2/conversations/{conversationId}"
"""What the ownership client must be allowed to call."""
KEEP_S: Final = 600.0
"""An owner never changes; the limit is for the memory."""
FORGET_S: Final = 5.0
"""A conversation of nobody's may be one that Genesys shows only a few seconds after its beginning."""
MAX_KNOWN: Final = 20_000
MAX_ANSWER_BYTES: Final = 2_097_152
TIMEOUT_S: Final = 5.0
UNAUTHORIZED: Final = 401
_UNKNOWN: Final = frozenset({400, 403, 404})
"""Also the answers for a conversation in a division that the client does not see."""


@dataclass(frozen=True, slots=True)
class OwnerQuestion:
    """Whose is this conversation? `site` and `by_guest`: who made the question needed, and bears its cost."""

    org: str
    conversation: str
    site: str
    by_guest: bool


BearerOf = Callable[[OwnerQuestion, str, float], Awaitable[Bearer]]
"""Question, client and deadline into a bearer; raises Refusal: TOKEN_UNAVAILABLE, UPSTREAM_BUSY."""


class ConversationOwners:
    """What is known of conversations, by organisation and id. `client_of`: the ownership client, None without one."""

    def __init__(
        self,
        leg_of: Callable[[str], HttpLeg],
        bearer_of: BearerOf,
        client_of: Callable[[str], str | None],
        clock: Callable[[], float],
        carried: Callable[[Bearer, int | None], None] = lambda bearer, status: None,
        rejected: Callable[[Bearer], bool] = lambda bearer: False,
    ) -> None:
        """`carried`: hears of each call that was made, by its status or None without one, so that it is on record.

        `rejected`: hears of a bearer that Genesys did not take; True when another one is worth asking with.
        """
        self._leg_of = leg_of
        self._carried = carried
        self._rejected = rejected
        self._bearer_of = bearer_of
        self._client_of = client_of
        self._clock = clock
        self._known: ExpiryMap[tuple[str, str], ConversationOwner] = ExpiryMap(MAX_KNOWN, evict=True)
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}

    def owner(self, org: str, conversation: str) -> ConversationOwner | None:
        """Whose it is; None while that was not found out, or was too long ago."""
        return self._known.get((org, conversation.lower()), self._clock())

    async def find_out(self, question: OwnerQuestion) -> None:
        """Ask Genesys, so that `owner` can tell; one question at a time per conversation. A token that died before its
        time (Genesys' idle time-out) is replaced, and the question asked once more.

        Without an ownership client nothing is asked. Raises Refusal: TOKEN_UNAVAILABLE, UPSTREAM_UNREACHABLE,
        UPSTREAM_TIMEOUT, UPSTREAM_BUSY, UPSTREAM_BAD_ANSWER.
        """
        client = self._client_of(question.org)
        if client is None:
            return
        key = (question.org, question.conversation.lower())
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(question, key, client))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asking.pop(key, None) and None)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, question: OwnerQuestion, key: tuple[str, str], client: str) -> None:
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        status, body, bearer = await self._conversation(question, key, client, deadline)
        if status == UNAUTHORIZED and self._rejected(bearer):
            status, body, _ = await self._conversation(question, key, client, deadline)
        owner = _owner_of(status, body)
        now = self._clock()
        self._known.put(key, owner, now + (FORGET_S if owner is NOBODYS else KEEP_S), now)

    async def _conversation(
        self, question: OwnerQuestion, key: tuple[str, str], client: str, deadline: float
    ) -> tuple[int, bytes, Bearer]:
        """One call; the status, the body, and the bearer that went along."""
        org, conversation = key
        bearer = await self._bearer_of(question, client, deadline)
        headers = [
            (b"authorization", b"Bearer " + bearer.reveal().encode("ascii")),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
        ]
        path = f"/api/v2/conversations/{quote(conversation, safe='')}".encode("ascii")
        try:
            answer = await self._leg_of(org).request("GET", path, headers, deadline=deadline, idempotent=True)
            body = await answer.read(MAX_ANSWER_BYTES)
        except UpstreamFault as fault:
            self._carried(bearer, None)
            raise fault.refusal() from fault
        self._carried(bearer, answer.status)
        return answer.status, body, bearer


def _owner_of(status: int, body: bytes) -> ConversationOwner:
    if status in _UNKNOWN:
        return NOBODYS
    if status == UNAUTHORIZED:
        raise Refusal(TOKEN_UNAVAILABLE, "Genesys does not take the ownership client's token.", retry_after_s=5)
    if status != 200:
        reason = UPSTREAM_BUSY if status == 429 or status >= 500 else UPSTREAM_BAD_ANSWER
        raise Refusal(reason, "Whose the conversation is could not be found out.", retry_after_s=5)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refusal(UPSTREAM_BAD_ANSWER, "Whose the conversation is could not be found out.") from exc
    if not isinstance(document, dict):
        raise Refusal(UPSTREAM_BAD_ANSWER, "Whose the conversation is could not be found out.")
    return read_owner(document)
