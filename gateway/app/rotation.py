"""Notices that a secret has changed, puts it on record, and has the configuration read again.

Files are looked at by content, commands run again now and then; the environment is read on reload only. The rule: a
rotation is on record, by fingerprints, before the new secret is in force, and a bad new secret changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.config.secrets import Secrets, SecretUnreadable
from gateway.gate import Gate
from gateway.observe.audit import records
from gateway.observe.metrics import Metrics

log = structlog.get_logger(__name__)

FILE: Final = "file:"
COMMAND: Final = "exec:"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One secret that has changed; `old` is None for one that is new."""

    key: str
    new: str
    old: str | None


def rotations(before: Mapping[str, str], after: Mapping[str, str]) -> list[Rotation]:
    """What changed between two sets of fingerprints by key; a key that went away is no rotation."""
    return [Rotation(key, new, before.get(key)) for key, new in after.items() if before.get(key) != new]


async def record_rotations(gate: Gate, before: Mapping[str, str], after: Mapping[str, str], now: float) -> None:
    """Put each change on record durably. Raises Refusal(AUDIT_UNAVAILABLE): then nothing may change."""
    for one in rotations(before, after):
        await gate.granted(records.secret_rotated(at=now, name=one.key, new_fp=one.new, old_fp=one.old))
        log.info("secret.rotated", key=one.key, fingerprint=one.new, before=one.old)


def show_fingerprints(metrics: Metrics, before: Mapping[str, str], after: Mapping[str, str], now: float) -> None:
    """Set the metrics of secrets: which one is in force, and when it last changed in this process."""
    for key, fingerprint in after.items():
        metrics.secret_fingerprint.child(key).set(int(fingerprint, 16))  # 48 bits: exact in a float
    for one in rotations(before, after) if before else ():
        metrics.secret_last_rotation.child(one.key).set(now)


class SecretWatch:
    """Looks at file: and exec: references until one of them gives something else than what is in force."""

    def __init__(
        self,
        in_force: Callable[[], tuple[Secrets, Mapping[str, str]]],
        *,
        poll_s: float,
        exec_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`in_force`: the reader of the configuration in force, and fingerprints by reference."""
        self._in_force = in_force
        self._poll_s = poll_s
        self._rounds_per_run = max(1, round(exec_s / poll_s))
        self._sleep = sleep
        self._tried: dict[str, str] = {}

    async def run(self, changed: Callable[[], None]) -> None:
        """Call `changed` each time something else is found; the same find is told once. Never returns."""
        round_number = 0
        while True:
            await self._sleep(self._poll_s)
            round_number += 1
            kinds = (FILE, COMMAND) if round_number % self._rounds_per_run == 0 else (FILE,)
            if await asyncio.to_thread(self._look, kinds):
                changed()

    def _look(self, kinds: tuple[str, ...]) -> bool:
        secrets, known = self._in_force()
        news = False
        for reference, fingerprint in known.items():
            if not reference.startswith(kinds):
                continue
            try:
                found = secrets.peek(reference).fingerprint()
            except SecretUnreadable:
                continue  # being replaced just now, or gone: what is in force stays, and a reload would say so
            if found == fingerprint:
                self._tried.pop(reference, None)
            elif self._tried.get(reference) != found:
                self._tried[reference] = found
                news = True
        return news
