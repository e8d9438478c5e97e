"""Keeps an answer's body from carrying back the credential that its call was made with, or any other.

Pure. The rule: no part of the credential leaves, also when it comes in two pieces; what merely looks like one is
starred out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from gateway.policy.leaks import last_break, masked

MAX_HELD_BYTES: Final = 65_536


class CredentialInBody(Exception):
    """The body holds a credential of this very call."""


async def guarded(pieces: AsyncIterator[bytes], secret: bytes) -> AsyncIterator[bytes]:
    """Pass a streamed body on, holding back as many bytes as `secret` (or nothing) could still begin in.

    Raises CredentialInBody instead of passing one.
    """
    reach = max(len(secret) - 1, 0)
    held = b""
    async for piece in pieces:
        window = held + piece
        if secret and secret in window:
            raise CredentialInBody
        cut = max(0, len(window) - reach)
        held = window[cut:]
        if cut:
            yield window[:cut]
    if held:
        yield held


async def masked_stream(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a streamed body on with token-shaped parts starred out, holding back what may still become one."""
    held = b""
    async for piece in pieces:
        window = held + piece
        cut = last_break(window)
        if not cut and len(window) > MAX_HELD_BYTES:
            cut = len(window)  # that much without a break is no JSON
        held = window[cut:]
        if cut:
            yield masked(window[:cut])
    if held:
        yield masked(held)
