"""Keeps an answer's body from carrying back the credential that its call was made with.

Pure. The rule: no part of the credential leaves, also when it comes in two pieces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence


class CredentialInBody(Exception):
    """The body holds a credential of this very call."""


async def guarded(pieces: AsyncIterator[bytes], secrets: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Pass a streamed body on, holding back as many bytes as a credential could still begin in.

    Raises CredentialInBody instead of passing one.
    """
    reach = max((len(secret) for secret in secrets), default=1) - 1
    held = b""
    async for piece in pieces:
        window = held + piece
        if any(secret in window for secret in secrets):
            raise CredentialInBody
        cut = max(0, len(window) - reach)
        held = window[cut:]
        if cut:
            yield window[:cut]
    if held:
        yield held
