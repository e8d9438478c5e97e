"""The listener's own TLS: the certificate in force, and its successor, taken over when the files change.

Where the files lie is the configuration's. The rule: a pair that does not fit, or is just being written, changes
nothing; connections that are open keep what they began with.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from gateway.config.model import Tls
from gateway.errors import ConfigFault

log = structlog.get_logger(__name__)
KEY: Final = "server.tls.certificate"


class OwnTls:
    """A TLS context whose certificate follows its files."""

    def __init__(self, tls: Tls, directory: Path) -> None:
        """`directory`: what the names of the files are relative to. Raises ConfigFault."""
        self._certificate, self._key = directory / tls.certificate, directory / tls.key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        try:
            self._digest = self._content()
            self._load(self.context)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigFault([(KEY, f"cannot be used: {exc.strerror or type(exc).__name__}")]) from exc
        self._refused = ""

    def refresh(self) -> bool:
        """Take over what the files hold now; True when that is something else than before."""
        digest = ""
        try:
            digest = self._content()
            if digest in {self._digest, self._refused}:
                return False
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a pair that does not fit would spoil the live one
            self._load(self.context)
        except FileNotFoundError:
            return False  # being replaced just now
        except (OSError, ssl.SSLError) as exc:
            self._refused = digest
            log.error("tls.certificate_refused", error=type(exc).__name__)
            return False
        self._digest = digest
        log.info("tls.certificate_taken")
        return True

    async def watch(
        self, poll_s: float, changed: Callable[[], None], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Look again each `poll_s`, for ever; `changed` is called after each take-over."""
        while True:
            await sleep(poll_s)
            if await asyncio.to_thread(self.refresh):
                changed()

    def _content(self) -> str:
        return hashlib.sha256(self._certificate.read_bytes() + b"\0" + self._key.read_bytes()).hexdigest()

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self._certificate, self._key, password=_no_password)


def _no_password() -> str:
    """An encrypted key would be asked for at the terminal; it is refused instead."""
    return ""
