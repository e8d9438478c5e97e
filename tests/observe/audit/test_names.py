"""The log names people by its own keys: by month, or each by a key that can be destroyed."""

from pathlib import Path
from typing import Any

from gateway.observe.audit import records
from gateway.observe.audit.log import AuditLog
from gateway.observe.audit.verify import verify
from tests.observe.audit.making import START, settings_for, trusting
from tests.observe.audit.test_log import documents, opened


async def test_pseudonyms_come_from_the_logs_own_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        assert log.pseudonym("shop", "u1", START) == log.pseudonym("shop", "u1", START)
        assert log.pseudonym("shop", "u1", START) != log.pseudonym("other", "u1", START)
        assert log.client_ref("192.0.2.1", START).startswith("c20261118:")
        assert log.ref("token", "x") != log.ref("session", "x")
        assert log.conversation("abc") == "abc"


async def test_a_conversation_id_may_be_hidden(tmp_path: Path) -> None:
    async with opened(tmp_path, conversation_id="hmac") as log:
        assert log.conversation("abc") == log.ref("conversation", "abc")


async def test_by_month_everybody_is_known_and_nobody_can_be_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await log.meet("shop", "u1")
        assert not log.has_subject_keys
        assert str(await log.look_up("shop", "u1")).startswith("p")
        assert not await log.forget("shop", "u1")


async def named(log: AuditLog, number: int) -> str:
    """One use by the visitor, as it is named now."""
    await log.meet("shop", "u1")
    name = log.pseudonym("shop", "u1", START)
    call: dict[str, Any] = {"route": "r", "method": "GET", "path": "/", "status": 200, "request_bytes": 0,
                            "response_bytes": 0, "region": "eu", "responder": "upstream", "duration_s": 0.0,
                            "upstream_s": 0.0}  # fmt: skip
    log.try_use(
        records.proxy_allowed(at=START, who=records.subject(site="shop", user=name), request_id=f"r{number}", **call)
    )
    return str(name)


async def test_forgetting_a_visitor_unlinks_its_records_and_the_log_stays_whole(tmp_path: Path) -> None:
    async with opened(tmp_path, subject_keys=True) as log:
        before = await named(log, 1)
        assert await log.look_up("shop", "u1") == before
        assert await log.forget("shop", "u1")
        assert await log.look_up("shop", "u1") is None
        after = await named(log, 2)
    users = [item.get("user.id") for item in documents(tmp_path, "proxy.allowed")]
    assert users == [before, after]
    assert before != after
    assert verify([tmp_path], trusting()).verdict == "intact"


async def test_the_name_outlives_the_process_and_a_rule_that_is_applied(tmp_path: Path) -> None:
    async with opened(tmp_path, subject_keys=True) as log:
        before = await named(log, 1)
        log.apply(settings_for(tmp_path, subject_keys=True))
        assert log.pseudonym("shop", "u1", START) == before
    async with opened(tmp_path, subject_keys=True) as log:
        assert await named(log, 2) == before
