"""The audit log as the configuration wants it, with what nodes share through the store: heads, and keys of pseudonyms.

The log itself is `observe/audit/`. The rule: keys lie in the store sealed only, and a store that does not answer
keeps no node from starting: it then goes on with keys of its own, and says so.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog

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
from gateway.store.redis import RedisStore
from gateway.store.sealing import SealBroken, Sealer

log = structlog.get_logger(__name__)
SHARE_EVERY_S: Final = 3_600.0


def audit_log(
    compiled: Compiled, directory: Path, node: str, metrics: Metrics, store: Store, sealer: Sealer
) -> AuditLog:
    """The log, not yet open. With a shared store its nodes witness each other and use the same pseudonyms."""
    settings = audit_settings(compiled, directory, node)
    if not isinstance(store, RedisStore):
        return AuditLog(settings, metrics)
    prefix, keep_s = compiled.config.store.prefix, settings.retention_days * 86_400
    anchor = StoreAnchor(store.run_script, prefix, keep_s)
    return AuditLog(settings, metrics, store=anchor, agree=_agreement(store, sealer))


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
