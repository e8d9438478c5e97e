"""A person's names in the records are found by the id in its proof, and the way to them can be destroyed."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.audit import audit_group
from gateway.cli.exits import CommandFault, Exit
from gateway.config.shipped import shipped_config
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.query import Filter, search
from gateway.observe.audit.subjects import DirectoryKeys, key_name, name_under
from gateway.observe.audit.verify import verify
from tests.login_stack import visitor_token
from tests.observe.audit.making import START, Made, pem_of, trusting
from tests.stack import whole_stack

ADA = "ada-1815"


def run(*words: str) -> Result:
    """Call a command; a foreseen fault counts by its exit code, as in gateway.cli.main."""
    result = CliRunner().invoke(audit_group, list(words), standalone_mode=False)
    if isinstance(result.exception, CommandFault):
        result.exit_code = result.exception.exit_code
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def log(tmp_path: Path) -> tuple[str, ...]:
    """A log in which Ann has a name by month and one of her own; the options that lead to it."""
    directory, key_file = tmp_path / "log", tmp_path / "key.pem"
    Made(directory).add(2).close()
    ring = KeyRing(directory / "keys")
    ring.pseudonym("shop", "ann", START)
    asyncio.run(DirectoryKeys(directory / "keys" / "subjects").agree(key_name(ring, "shop", "ann"), b"k" * 32))
    key_file.write_bytes(pem_of(1))
    return ("--dir", str(directory), "--key", str(key_file), "--deployment", "test", "--node", "gw1")


def test_pseudonyms_by_month_and_by_the_own_key_are_listed(log: tuple[str, ...]) -> None:
    by_month, own = run("pseudonym", *log, "--site", "shop", "ann").stdout.split()
    assert by_month.startswith("p202611:")
    assert own == name_under(b"k" * 32)
    assert json.loads(run("pseudonym", *log, "--site", "shop", "-o", "json", "ann").stdout) == [by_month, own]
    assert len(run("pseudonym", *log, "--site", "shop", "bob").stdout.split()) == 1


def test_forgetting_is_on_record_and_done_once(log: tuple[str, ...]) -> None:
    directory = Path(log[1])
    result = run("forget", *log, "--site", "shop", "--reason", "request 12", "ann")
    assert (result.exit_code, result.stdout) == (Exit.OK, "forgotten\n")
    [found] = search([directory], Filter(actions=frozenset(["admin.action"])))
    assert found.document["gateway.admin.verb"] == "audit.forget"
    assert found.document["gateway.admin.target"] == name_under(b"k" * 32)
    assert found.document["gateway.admin.who"].endswith(": request 12")
    assert "ann" not in found.line.decode().replace("channel", "")
    assert list((directory / "keys" / "subjects").iterdir()) == []
    assert run("forget", *log, "--site", "shop", "--reason", "again", "ann").exit_code == Exit.FAILED
    assert verify([directory], trusting()).verdict == "intact"


def test_without_a_signing_key_nobody_is_forgotten(log: tuple[str, ...]) -> None:
    result = run("forget", *log[:2], "--site", "shop", "--reason", "x", "ann")
    assert result.exit_code == Exit.FAILED
    assert len(list((Path(log[1]) / "keys" / "subjects").iterdir())) == 1


@pytest.mark.parametrize("own", [False, True])
async def test_the_id_in_a_proof_leads_to_what_the_gateway_recorded(
    tmp_path: Path, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(shipped_config(), tmp_path / "config.toml")
    monkeypatch.setenv("GATEWAY_CONFIG", str(tmp_path / "config.toml"))
    async with whole_stack(tmp_path, {"audit.subject_keys": own}) as stack:
        await stack.session(visitor_token(subject=ADA))
        [issued] = [r for r in await stack.records() if r["event.action"] == "session.issued"]
        called = in_thread("pseudonym", "--site", "shop", ADA)
        assert issued["user.id"] in (await called()).stdout.split()
        shown = await in_thread("query", "--site", "shop", "--subject", ADA, "--action", "session.issued")()
        assert [json.loads(line)["event.id"] for line in shown.stdout.splitlines()] == [issued["event.id"]]
        forgotten = await in_thread("forget", "--site", "shop", "--reason", "request 12", ADA)()
        assert forgotten.exit_code == (Exit.OK if own else Exit.FAILED)
        assert (issued["user.id"] in (await called()).stdout.split()) is not own


def in_thread(*words: str) -> Callable[[], Awaitable[Result]]:
    """The command beside the running gateway."""
    return lambda: asyncio.to_thread(run, *words)


def test_with_a_shared_store_the_keys_are_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shipped_config().read_text().replace('url = "memory://"', 'url = "redis://127.0.0.1:9/0"')
    (tmp_path / "config.toml").write_text(text)
    result = run("forget", "--config", str(tmp_path / "config.toml"), "--site", "shop", "--reason", "x", ADA)
    assert result.exit_code == Exit.USAGE
    assert "/guests/forget" in str(vars(result.exception))
