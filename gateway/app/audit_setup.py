"""The audit log as the configuration wants it, with what nodes share through the store: heads, and keys of pseudonyms.

The log itself is `observe/audit/`. The rule: keys lie in the store sealed only, and a store that does not answer
keeps no node from starting: it then goes on with keys of its own, and says so.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from gateway.app.stores import shared
from gateway.config.compile import Compiled
from gateway.config.model import AuditSink
from gateway.errors import Refusal
from gateway.observe.audit.aggregate import LevelRule
from gateway.observe.audit.anchors import StoreAnchor
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.pseudonyms import Agree
from gateway.observe.audit.settings import AuditSettings, SinkSettings
from gateway.observe.metrics import Metrics
from gateway.store.base import Store
from gateway.store.sealing import SealBroken, Sealer

if TYPE_CHECKING:
    from gateway.store.redis import RedisStore

log = structlog.get_logger(__name__)
SHARE_EVERY_S: Final = 3_600.0


def audit_log(
    compiled: Compiled, directory: Path, node: str, metrics: Metrics, store: Store, sealer: Sealer
) -> AuditLog:
    """The log, not yet open. With a shared store its nodes witness each other and use the same pseudonyms."""
    settings = audit_settings(compiled, directory, node)
    common = shared(store)
    if common is None:
        return AuditLog(settings, metrics)
    prefix, keep_s = compiled.config.store.prefix, settings.retention_days * 86_400
    anchor = StoreAnchor(common.run_script, prefix, keep_s)
    subjects = StoredSubjectKeys(common, sealer, prefix, keep_s)
    return AuditLog(settings, metrics, store=anchor, agree=_agreement(common, sealer), subject_keys=subjects)


async def share_keys(audit: AuditLog) -> None:
    """Have the keys of the coming day agreed among the nodes, for ever: each is asked for before it is used."""
    while True:
        await asyncio.sleep(SHARE_EVERY_S)
        try:
            await audit.agree_keys()
        except OSError as fault:
            log.error("audit.keys_not_kept", error=type(fault).__name__)


def audit_settings(compiled: Compiled, directory: Path, node: str) -> AuditSettings:
    """The settings; relative paths begin at `directory`."""
    audit, key = compiled.config.audit, compiled.audit_key
    return AuditSettings(
        dir=directory / audit.dir,
        node=node,
        key_pem=key.reveal_bytes() if key is not None else None,
        dev=compiled.config.dev,
        on_failure=audit.on_failure,
        retention_days=audit.retention_days,
        fallback_dir=directory / audit.fallback_dir if audit.fallback_dir else None,
        anchor_dir=directory / audit.anchor_dir if audit.anchor_dir else None,
        stderr_checkpoints=not compiled.config.dev,
        conversation_id=audit.conversation_id,
        deployment=audit.deployment,
        segment_max_bytes=audit.segment_mib * 1024 * 1024,
        segment_max_age_s=audit.segment_hours * 3_600,
        gzip=audit.gzip,
        subject_keys=audit.subject_keys,
        checkpoint_interval_s=audit.checkpoint_s,
        checkpoint_max_records=audit.checkpoint_records,
        checkpoint_idle_s=audit.checkpoint_idle_s,
        linger_s=audit.linger_ms / 1_000,
        levels=tuple(LevelRule(rule.level, frozenset(rule.sites), frozenset(rule.routes)) for rule in audit.levels),
        refusing_sites=frozenset(
            name for name, site in compiled.config.sites.items() if site.audit_on_failure == "refuse"
        ),
        sinks=tuple(_sink(sink, compiled, directory) for sink in audit.sinks),
    )


def _sink(sink: AuditSink, compiled: Compiled, directory: Path) -> SinkSettings:
    authorization = compiled.sink_authorizations.get(sink.name)
    return SinkSettings(
        name=sink.name,
        kind=sink.kind,
        target=sink.target,
        ca_file=directory / sink.ca_file if sink.ca_file else None,
        authorization=authorization.reveal() if authorization is not None else None,
    )


def _agreement(store: RedisStore, sealer: Sealer) -> Agree:
    """Offers a key to the other nodes, sealed, and gives the one that all use."""

    async def agree(name: str, key: bytes) -> bytes:
        context = f"audit-key:{name}".encode()
        try:
            return sealer.open(await store.agree(f"audit-key:{name}", sealer.seal(key, context)), context)
        except Refusal:
            log.error("audit.keys_not_shared", key=name, why="the store does not answer")
        except SealBroken:
            log.error("audit.keys_not_shared", key=name, why="another guest key sealed it: [keys] guest differs")
        return key

    return agree


_AGREE_SCRIPT: Final = """
local kept = redis.call('GET', KEYS[1])
if not kept then kept = ARGV[1]; redis.call('SET', KEYS[1], kept) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return kept
"""
_FIND_SCRIPT: Final = "return redis.call('GET', KEYS[1])"
_FORGET_SCRIPT: Final = "return redis.call('DEL', KEYS[1])"


class StoredSubjectKeys:
    """The keys of single visitors in the shared store, sealed; each lives as long as records of its visitor may."""

    def __init__(self, store: RedisStore, sealer: Sealer, prefix: str, keep_s: int) -> None:
        """Keys of the store begin with `prefix`."""
        self._store, self._sealer, self._prefix, self._keep_s = store, sealer, prefix, keep_s

    async def agree(self, name: str, fresh: bytes) -> bytes:
        """Return the key of this name; keep `fresh` as such when there is none. Raises OSError."""
        sealed = self._sealer.seal(fresh, _context(name)).hex()
        return self._opened(name, await self._run(_AGREE_SCRIPT, name, sealed, str(self._keep_s)))

    async def find(self, name: str) -> bytes | None:
        """Return the key of this name, or None. Raises OSError."""
        kept = await self._run(_FIND_SCRIPT, name)
        return None if kept is None else self._opened(name, kept)

    async def forget(self, name: str) -> bool:
        """Destroy the key of this name; True when there was one. Raises OSError."""
        return await self._run(_FORGET_SCRIPT, name) == 1

    async def _run(self, script: str, name: str, *arguments: str) -> object:
        return await self._store.run_script(script, [f"{self._prefix}audit:subject:{name}"], list(arguments))

    def _opened(self, name: str, kept: object) -> bytes:
        text = kept.decode() if isinstance(kept, bytes) else str(kept)
        try:
            return self._sealer.open(bytes.fromhex(text), _context(name))
        except (SealBroken, ValueError) as fault:
            raise OSError("another guest key sealed it: [keys] guest differs") from fault


def _context(name: str) -> bytes:
    return f"audit-subject:{name}".encode()
