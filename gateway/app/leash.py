"""What supervisor and worker say to each other over the socket pair that holds them together.

Messages are JSON objects behind their length. The rule: the end of either process is the end of the leash, whatever
ended it, so that no worker outlives its supervisor and no end of a worker goes unnoticed.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import orjson

MAX_BYTES: Final = 64 * 1024 * 1024
_LENGTH_BYTES: Final = 4
Message = dict[str, Any]


class Leash:
    """One end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def over(cls, end: socket.socket) -> Leash:
        """Take one end of a Unix socket pair."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end))

    async def say(self, message: Message) -> None:
        """Send; that the other process is gone is told to whoever listens."""
        data = orjson.dumps(message)
        try:
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
            await self._writer.drain()
        except ConnectionError:
            return

    async def hear(self) -> Message | None:
        """The next message; None when the other process is gone."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
            if length > MAX_BYTES:
                return None
            found = orjson.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, orjson.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    async def close(self) -> None:
        """Let go."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
