"""Answers whose head and body are at hand, written in one piece: what the data path gives instead of a `Response`.

A `web.Response` is built for answers that are still changing; half of what a small proxied answer costs went into that.
Leaves the headers to those who make the answer, and the bytes to `answer_bytes.py`. The rule: it is written once.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import HttpVersion, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from gateway.web.answer_bytes import answer_bytes


class WholeAnswer(web.StreamResponse):
    """An answer of fields that vary, constant lines, and a body; framing, Date and Connection are added here."""

    def __init__(self, status: int, fields: Sequence[tuple[str, str]], lines: bytes, body: bytes = b"") -> None:
        """`lines`: what was judged before, each ended by CRLF. Raises ValueError when a field holds a line break."""
        if fields:
            varying = "".join([f"{name}: {value}\r\n" for name, value in fields])
            if varying.count("\n") != len(fields) or varying.count("\r") != len(fields):
                raise ValueError("a header field holds a line break")
            lines = varying.encode("latin-1") + lines
        self._status = status
        self._lines = lines
        self._whole = body
        self._keep_alive: bool | None = None
        self._is_sent = False

    @property
    def status(self) -> int:
        """The status code."""
        return self._status

    @property
    def prepared(self) -> bool:
        """Is it on its way?"""
        return self._is_sent

    @property
    def keep_alive(self) -> bool | None:
        """May the connection be used again?"""
        return self._keep_alive

    def add(self, name: str, value: str) -> None:
        """One more field. Raises ValueError when it holds a line break."""
        if "\r" in value or "\n" in value:
            raise ValueError("a header field holds a line break")
        self._lines += f"{name}: {value}\r\n".encode("latin-1")

    def force_close(self) -> None:
        """End the connection after this answer."""
        self._keep_alive = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it all. Raises ConnectionResetError when nobody is there."""
        if self._is_sent:
            return None
        self._is_sent = True
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the caller has gone")
        keep_alive = self._keep_alive if self._keep_alive is not None else request.keep_alive
        transport.write(self.wire(request.method, keep_alive=keep_alive, version=request.version))
        if transport.get_write_buffer_size():
            await request.writer.drain()  # a slow reader with pipelined requests must not fill our memory
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be written."""

    def wire(self, method: str, *, keep_alive: bool, version: HttpVersion = HttpVersion11) -> bytes:
        """The whole answer, to be written now. `keep_alive`: unless the answer itself was told to end it."""
        self._is_sent = True
        if self._keep_alive is None:
            self._keep_alive = keep_alive
        return answer_bytes(
            self._status, self._lines, self._whole, method, keep_alive=self._keep_alive, is_old=version != HttpVersion11
        )
