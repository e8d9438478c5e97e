"""Reads the answers that come on one connection, one exchange after the other: llhttp in, heads and bodies out.

Leaves meaning to framing.py, the socket and the clock to connection.py. The rule: what llhttp lets through is judged
here once more, and after anything that is not plain nothing on this connection is believed (`is_last`).
"""

from __future__ import annotations

from typing import Final

import httptools

from gateway.upstream.answer import Answer
from gateway.upstream.framing import AmbiguousAnswer, Framing, Header, plan_body
from gateway.upstream.settings import LegSettings

_CONTINUE: Final = 100
_SWITCHING: Final = 101


class AnswerReader:
    """The receiving half of a connection."""

    __slots__ = (
        "_answer", "_headers", "_in_head", "_interim", "_max_headers", "_max_interim", "_parser", "_status", "done",
        "is_last", "may_send", "silent_bytes",
    )  # fmt: skip

    def __init__(self, settings: LegSettings) -> None:
        self._max_headers = settings.max_headers
        self._max_interim = settings.max_interim_answers
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._headers: list[Header] = []
        self._in_head = False
        self._status = 0
        self._interim = 0
        self.done = False
        """Has the answer ended?"""
        self.is_last = False
        """Must nothing be sent on this connection after this exchange?"""
        self.may_send = False
        """Has the upstream said that the body may come (100)?"""
        self.silent_bytes = 0
        """Bytes that came since the last piece of a body; whoever has taken note of a head sets it to 0."""

    def begin(self, answer: Answer) -> None:
        """What comes now is this answer."""
        self._answer = answer
        self._headers = []
        self._in_head = True
        self.done = self.may_send = False
        self._interim = self.silent_bytes = 0

    def feed(self, data: bytes) -> str | None:
        """Read on; returns what is wrong when the answer cannot be believed."""
        parser = self._parser
        if parser is None:
            return "closed"
        self.silent_bytes += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self.is_last = True
            if not self.done:
                cause = exc.__context__
                return str(cause if isinstance(cause, AmbiguousAnswer) else exc)
        return None

    def renew(self) -> None:
        """Forget the parser's state: after HEAD it would wait for the body that the head announces."""
        self._parser = httptools.HttpResponseParser(self)

    def close(self) -> None:
        """Let the parser go: it holds our bound methods, an island that only the cycle collector would find."""
        self._parser = self._answer = None

    # --- llhttp -----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A head begins; behind a complete answer it is one too many."""
        if self.done:
            self.is_last = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a field; those of the trailer are dropped."""
        if self._in_head:
            headers = self._headers
            headers.append((name, value.rstrip(b" \t")))
            if len(headers) > self._max_headers:
                raise AmbiguousAnswer("too many header fields")

    def on_headers_complete(self) -> None:
        """Judge the head."""
        answer, parser = self._answer, self._parser
        if self.done or answer is None or parser is None:
            return
        self._status = status = parser.get_status_code()
        if _CONTINUE <= status < 200:
            self._interim += 1
            if status == _SWITCHING or self._interim > self._max_interim:
                raise AmbiguousAnswer("an interim answer that was not asked for")
            return
        headers = self._headers
        plan = plan_body(answer.method, status, parser.get_http_version(), headers)
        self._in_head = False
        if not plan.keep_alive:
            self.is_last = True
        answer.set_head(status, headers, plan)
        if plan.length == 0 and plan.framing is Framing.NONE:
            self.done = True
            self._answer = None

    def on_body(self, body: bytes) -> None:
        """Pass a piece on."""
        answer = self._answer
        if self.done or answer is None:
            self.is_last = True  # a body where the head allows none
            return
        self.silent_bytes = 0
        answer.put(body)

    def on_message_complete(self) -> None:
        """An interim answer is over, or the exchange is."""
        if self._in_head:
            self._headers = []
            if self._status == _CONTINUE:
                self.may_send = True
        else:
            self.done = True
            self._answer = None
