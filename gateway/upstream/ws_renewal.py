"""Keeps a signed-in socket signed in: when Genesys says that the JWT has lapsed, gets another and configures again.

Getting JWTs is `guest_login.py`, holding the client's direction `ws_pair.py`. The rule: what the visitor wrote waits,
bounded, and is accepted by Genesys exactly once; only frames that Genesys itself refused are sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

import orjson

from gateway.errors import Refusal
from gateway.policy.frames import NeedsJwt, with_jwt
from gateway.policy.strict_json import serialise_bytes

MAX_OUTSTANDING: Final = 128
"""Frames whose answer is awaited; Genesys takes 60 a minute. What falls out is not sent again: its answer passes."""
MAX_OUTSTANDING_BYTES: Final = 262_144
MAX_TRIES: Final = 3
CONFIGURE_S: Final = 10.0
PAUSES_S: Final = (0.5, 1.0, 2.0)
"""Before Genesys is asked again that was too busy, or did not answer; the visitor's direction waits that long."""
LAPSED: Final = 401
# Frame 403 whose text starts so asks for a whole new sign-in (webmessaging mobile SDK, PlatformSocket)
DEAD_WORDS: Final = ("Session authentication failed", "Try to authenticate again")


@dataclass(slots=True)
class _Sent:
    """A frame that Genesys has and has not answered. `refusal`: its 401 that the client has not seen."""

    payload: bytes = field(repr=False)
    generation: int
    needs: NeedsJwt | None = None
    tries: int = 1
    refusal: str | None = field(default=None, repr=False)


class LoginKeeper:
    """The sign-in of one socket. Told of every frame in both directions once the socket signs in."""

    def __init__(
        self,
        ask: Callable[[bool], Awaitable[str | None]],
        send: Callable[[bytes], None],
        hold: Callable[[Coroutine[None, None, None]], bool],
        pass_on: Callable[[str], None],
        new_id: Callable[[], str],
    ) -> None:
        """`ask(afresh)`: another JWT, by refresh or by a whole new exchange; None when there is none.

        `send`: to Genesys. `hold`: run a step while the client's direction waits; False: it waits already. `pass_on`:
        a frame of Genesys to the client. `new_id`: a fresh UUID.
        """
        self._ask = ask
        self._send = send
        self._hold = hold
        self._pass_on = pass_on
        self._new_id = new_id
        self._sent: dict[str, _Sent] = {}
        self._bytes = 0
        self._generation = 0
        self._renewing = False
        self._is_dead = False
        self._configure: NeedsJwt | None = None
        self._ours: tuple[str, asyncio.Future[bool]] | None = None

    def sign_in(self, needs: NeedsJwt, jwt: str) -> None:
        """Send the client's sign-in with its JWT, and remember how, for the times after."""
        self._configure = needs
        self._generation += 1
        self._send(self._tracked(with_jwt(needs, jwt), needs))

    def outgoing(self, payload: bytes) -> bytes:
        """The client's frame as it is to be sent; a frame that names no tracing id is given one."""
        return self._tracked(payload, None)

    def takes(self, text: str) -> bool:
        """Is this frame of Genesys about the sign-in only, so that the client need not see it?"""
        if not self._sent and self._ours is None:
            return False
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False  # judged where all frames are
        tracing_id = frame.get("tracingId") if isinstance(frame, dict) else None
        if not isinstance(tracing_id, str):
            return False
        if self._ours is not None and tracing_id == self._ours[0]:
            if not self._ours[1].done():
                self._ours[1].set_result(frame.get("class") == "SessionResponse")
            return True
        sent = self._sent.get(tracing_id)
        if sent is None:
            return False
        verdict = _lapse(frame)
        if verdict is None or sent.tries >= MAX_TRIES:
            self._forget(tracing_id)
            return False
        return self._lapsed(tracing_id, sent, text, is_dead=verdict == "dead")

    def _lapsed(self, tracing_id: str, sent: _Sent, text: str, *, is_dead: bool) -> bool:
        """A frame was refused because the sign-in has lapsed: it goes again, after a renewal or at once."""
        if sent.generation < self._generation and not self._renewing and sent.needs is None:
            self._again(sent)
            return True
        self._is_dead = self._is_dead or is_dead
        if not self._renewing:
            step = self._renew()
            if not self._hold(step):
                step.close()
                self._forget(tracing_id)
                return False
            self._renewing = True
        sent.refusal = text
        return True

    async def _renew(self) -> None:
        """Configure again with another JWT, then send what was refused; when there is none, tell the client."""
        try:
            for afresh in (True,) if self._is_dead else (False, True):
                jwt = await self._patiently(afresh)
                if jwt is not None and await self._signed_in(jwt):
                    self._resend()
                    return
        except Refusal:
            pass  # recorded where it arose; the client sees Genesys' own refusal
        finally:
            self._renewing = self._is_dead = False
            self._give_up()

    async def _patiently(self, afresh: bool) -> str | None:
        """Another JWT, asked for again while Genesys is in trouble. Raises the last Refusal."""
        for pause_s in PAUSES_S:
            try:
                return await self._ask(afresh)
            except Refusal as refusal:
                if refusal.status < 500:
                    raise
            await asyncio.sleep(pause_s)
        return await self._ask(afresh)

    async def _signed_in(self, jwt: str) -> bool:
        """Whether Genesys takes the session with this JWT. The client's own sign-in is judged by its own answer."""
        refused = next((s for s in self._sent.values() if s.refusal is not None and s.needs is not None), None)
        if refused is not None and refused.needs is not None:
            self._generation += 1
            self._bytes -= len(refused.payload)
            refused.payload = with_jwt(refused.needs, jwt)
            self._bytes += len(refused.payload)
            return True
        if self._configure is None:
            return False
        own_id = self._new_id()
        frame = {name: value for name, value in self._configure.frame.items() if name != "startNew"}
        needs = NeedsJwt({**frame, "tracingId": own_id}, own_id)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ours = (own_id, answer)
        try:
            self._send(with_jwt(needs, jwt))
            async with asyncio.timeout(CONFIGURE_S):
                taken = await answer
        except TimeoutError:
            return False
        finally:
            self._ours = None
        self._generation += taken
        return taken

    def _resend(self) -> None:
        for sent in self._sent.values():  # in the order in which the client sent them
            if sent.refusal is not None:
                self._again(sent)

    def _again(self, sent: _Sent) -> None:
        sent.refusal = None
        sent.tries += 1
        sent.generation = self._generation
        self._send(sent.payload)

    def _give_up(self) -> None:
        """What could not be sent again is told to the client, in Genesys' own words."""
        for tracing_id, sent in tuple(self._sent.items()):
            if sent.refusal is not None:
                self._forget(tracing_id)
                self._pass_on(sent.refusal)

    def _tracked(self, payload: bytes, needs: NeedsJwt | None) -> bytes:
        frame = orjson.loads(payload)
        tracing_id = frame.get("tracingId")
        if tracing_id is None:
            tracing_id = self._new_id()
            payload = serialise_bytes({**frame, "tracingId": tracing_id})
        if isinstance(tracing_id, str) and tracing_id not in self._sent:
            self._sent[tracing_id] = _Sent(payload, self._generation, needs)
            self._bytes += len(payload)
            while len(self._sent) > MAX_OUTSTANDING or self._bytes > MAX_OUTSTANDING_BYTES:
                self._forget(next(iter(self._sent)))
        return payload

    def _forget(self, tracing_id: str) -> None:
        self._bytes -= len(self._sent.pop(tracing_id).payload)


def _lapse(frame: dict[str, object]) -> str | None:
    """`lapsed` for an expired JWT, `dead` for one that is not taken at all, None for every other answer."""
    code, body = frame.get("code"), frame.get("body")
    if frame.get("class") != "string":
        return None
    if code == LAPSED:
        return "lapsed"
    return "dead" if code == 403 and isinstance(body, str) and body.startswith(DEAD_WORDS) else None
