"""Canaries: what must never be shown goes in everywhere it can, and is searched in everything that comes out."""

import base64
import inspect
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from gateway.observe import log as app_log
from gateway.observe.audit import records
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.records import Record
from gateway.observe.metrics import Metrics
from gateway.observe.redaction import Redactor
from tests.observe.audit.making import START, settings_for

CANARIES = {
    "secret": "canarySecret0123456789abcdefXYZ",
    "token": "gws_canaryHandle0123456789abcdefghij",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJjYW5hcnktand0In0.Y2FuYXJ5LXNpZ25hdHVyZS1ieXRlcw",
    "cookie": "Cookie: sid=canaryCookieValue0123456789",
    "email": "canary.person.long.name@visitors.example",
    "address": "198.51.100.237",
    "url": "https://h.example/path?access=canaryQueryValue0123456789",
}
PARTS = {
    **CANARIES, "cookie": "canaryCookieValue0123456789", "url": "canaryQueryValue0123456789",
}  # fmt: skip


def pieces() -> Iterator[str]:
    """Every 16 characters of every canary, raw, in base64 and URL-encoded; a short one as a whole."""
    for value in PARTS.values():
        for text in (value, base64.b64encode(value.encode()).decode().rstrip("="), quote(value, safe="")):
            yield from (text[at : at + 16] for at in range(max(1, len(text) - 15)))


def hits(shown: str) -> list[str]:
    return [piece for piece in pieces() if piece in shown]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    target = io.StringIO()
    redactor = Redactor()
    redactor.learn(CANARIES["secret"])
    app_log.configure(stream=target, pretty=False, redactor=redactor)
    yield target
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def foreign_records(text: str) -> Iterator[Record]:
    """Every constructor off the fast path, with the text wherever a text may be."""
    numbers: dict[str, Any] = {
        "at": START, "expires_at": START, "status": 403, "duration_s": 1.0, "upstream_s": 1.0, "request_bytes": 1,
        "response_bytes": 1,
        "attempts": 1, "code": 1000, "messages": 1, "bytes_": 1, "pid": 1, "version": 1, "count": 1,
        "who": records.subject(site="shop", client_ip=CANARIES["address"]),
    }  # fmt: skip
    lists = {"scopes", "changed_keys", "keys", "predecessors"}
    for name in ("session_denied", "token_refused", "proxy_denied", "proxy_upstream_error", "origin_denied",
        "ratelimit_blocked",
                 "session_issued", "token_minted", "admin_action", "config_rejected"):  # fmt: skip
        maker = getattr(records, name)
        parameters = inspect.signature(maker).parameters
        yield maker(
            **{item: numbers.get(item, [text] if item in lists else text) for item in parameters if item not in lists}
        )


@pytest.mark.parametrize("name", [name for name in CANARIES if name != "secret"])
async def test_no_canary_reaches_audit_log_or_metrics(tmp_path: Path, stream: io.StringIO, name: str) -> None:
    canary = CANARIES[name]
    metrics = Metrics()
    audit = AuditLog(settings_for(tmp_path), metrics)
    await audit.open()
    for record in foreign_records(f"said {canary} here"):
        if record.action.failure_class == "A":
            await audit.grant(record)
        else:
            audit.refuse(record)
        structlog.get_logger("x").warning(
            "refused %s", canary, detail=canary, deep={"a": [canary]}, headers={"Cookie": canary}
        )
        logging.getLogger("aiohttp.server").error("parser said %s", canary)
        metrics.refusals.child(canary).inc()
        metrics.request_ended(canary, canary, 400, canary, 0.1)
    tail = str(audit.tail(500))
    await audit.close()
    sealed = "".join(item.line.decode() + "\n" for item in search([tmp_path], Filter()))
    assert sealed.count("\n") > 10
    assert stream.getvalue()
    for shown in (sealed, tail, stream.getvalue(), metrics.exposition()[0].decode(), repr(audit.settings)):
        assert hits(shown) == []


def test_a_known_secret_reaches_no_log_line(stream: io.StringIO) -> None:
    secret = CANARIES["secret"]
    for text in (secret, base64.b64encode(secret.encode()).decode(), quote(secret), f"x={secret}&y"):
        structlog.get_logger().error("failed %s", text, extra=text)
        logging.getLogger("redis").error("AUTH %s", text)
    assert stream.getvalue().count("\n") == 8
    assert hits(stream.getvalue()) == []
