"""Admin calls about one guest: whom its id stands for, its name in the records, ending its sessions, forgetting it.

Leaves the admin listener and its token to `admin.py`. The rule: without an admin token there are no such calls, and
who asked, why and about whom is on disk before anything is looked up or ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol, TypeVar

from aiohttp import web

from gateway.errors import JSON_MALFORMED, SITE_UNKNOWN, STORE_UNAVAILABLE, Refusal
from gateway.guestbook import Guestbook
from gateway.observe.audit import records
from gateway.observe.audit.records import Record
from gateway.web.bodies import parse_object
from gateway.web.clients import fresh_request_id
from gateway.web.exchange import refuse_unknown, text_member
from gateway.web.problems import problem_answer

MAX_BODY_BYTES: Final = 4_096
MEMBERS: Final = frozenset({"site", "guest", "who", "reason"})
Answer = TypeVar("Answer")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuestNames(Protocol):
    """What the audit log knows of guests; every method raises OSError when the keys cannot be had."""

    async def look_up(self, site: str, subject: str) -> str | None:
        """The pseudonym of a guest now, or None."""

    async def forget(self, site: str, subject: str) -> bool:
        """Destroys the guest's own key; False when it has none."""


async def _answered(asked: Awaitable[Answer]) -> Answer:
    """What the keys' place says. Raises Refusal(STORE_UNAVAILABLE)."""
    try:
        return await asked
    except OSError as exc:
        raise Refusal(STORE_UNAVAILABLE) from exc


class AdminGuests:
    """The handlers of POST /guests/lookup, /guests/end, /guests/forget and /guests/pseudonym."""

    def __init__(
        self,
        guestbook: Guestbook,
        grant: Callable[[Record], Awaitable[None]],
        names: GuestNames,
        sites: Callable[[], Collection[str]],
        clock: Callable[[], float],
    ) -> None:
        """`grant`: writes a record durably; `names`: of the guests of a site, as the audit log has them."""
        self._guestbook = guestbook
        self._grant = grant
        self._names = names
        self._sites = sites
        self._clock = clock

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """What the admin listener adds to its table."""
        return (
            ("POST", "/guests/lookup", self._answering(self._lookup)),
            ("POST", "/guests/end", self._answering(self._end)),
            ("POST", "/guests/forget", self._answering(self._forget)),
            ("POST", "/guests/pseudonym", self._answering(self._pseudonym)),
        )

    async def _lookup(self, site: str, guest: str) -> web.Response:
        identity = await self._guestbook.who_is(site, guest)
        if identity is None:
            return web.json_response({"found": False})
        return web.json_response({"found": True, "issuer": identity.issuer, "external_id": identity.subject})

    async def _end(self, site: str, guest: str) -> web.Response:
        await self._guestbook.end_guest(guest)
        return web.json_response({"ended": True})

    async def _forget(self, site: str, guest: str) -> web.Response:
        """End the guest's sessions, then destroy the key that links its records; false: it had none of its own."""
        await self._guestbook.end_guest(guest)
        return web.json_response({"ended": True, "forgotten": await _answered(self._names.forget(site, guest))})

    async def _pseudonym(self, site: str, guest: str) -> web.Response:
        return web.json_response({"pseudonym": await _answered(self._names.look_up(site, guest))})

    def _answering(self, act: Callable[[str, str], Awaitable[web.Response]]) -> Handler:
        verb = f"guests.{act.__name__.strip('_')}"

        async def handler(request: web.Request) -> web.StreamResponse:
            request_id = fresh_request_id()
            try:
                site, guest, who = await self._asked(request)
                await self._grant(
                    records.admin_action(
                        at=self._clock(), who_acted=who, verb=verb, site=site, request_id=request_id,
                        target=await _answered(self._names.look_up(site, guest)),
                    )
                )  # fmt: skip
                return await act(site, guest)
            except Refusal as refusal:
                return problem_answer(refusal, request_id=request_id, headers={})

        return handler

    async def _asked(self, request: web.Request) -> tuple[str, str, str]:
        """Site, guest, and who asks with the reason. Raises Refusal: JSON_MALFORMED, SITE_UNKNOWN."""
        members = parse_object(await request.content.read(MAX_BODY_BYTES))
        refuse_unknown(members, MEMBERS)
        words = {name: text_member(members, name, 255) for name in MEMBERS}
        missing = sorted(name for name, value in words.items() if value is None)
        if missing:
            raise Refusal(JSON_MALFORMED, f"The call needs {', '.join(missing)}.")
        site = str(words["site"])
        if site not in self._sites():
            raise Refusal(SITE_UNKNOWN)
        return site, str(words["guest"]), f"{words['who']}: {words['reason']}"
