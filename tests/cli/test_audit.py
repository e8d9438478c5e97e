"""`gateway audit` as its users call it: answers, exit codes, nothing lost in between."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli.audit import audit_group
from gateway.cli.exits import CommandFault, Exit
from gateway.errors import GatewayError
from gateway.observe.audit import records
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.verify import Options, verify
from tests.observe.audit.making import START, Made, key, lines_of, pem_of

LEAKED = "gws_leaked-handle-of-a-visitor"


@dataclass
class Log:
    """A log on disk, and the command line in front of it."""

    directory: Path
    key_file: Path
    made: Made

    def run(self, *words: str, given: str | None = None) -> Result:
        """Call a command; a foreseen fault counts by its exit code, as in gateway.cli.main."""
        where = ["--dir", str(self.directory), "--key", str(self.key_file), "--deployment", "test", "--node", "gw1"]
        result = CliRunner().invoke(audit_group, [words[0], *where, *words[1:]], input=given, standalone_mode=False)
        if isinstance(result.exception, CommandFault):
            result.exit_code = result.exception.exit_code
        elif isinstance(result.exception, GatewayError):
            result.exit_code = Exit.FAILED
        elif result.exception is not None:
            raise result.exception
        else:
            result.exit_code = int(result.return_value or 0)
        return result


@pytest.fixture
def log(tmp_path: Path) -> Log:
    directory = tmp_path / "log"
    ring = KeyRing(directory / "keys")
    user, ref = ring.pseudonym("shop", "ann", START), ring.ref("session", "the id of the session")
    who = records.subject(site="shop", client_ip="192.0.2.7", user=user, session_ref=ref)
    handle = ring.ref("token", LEAKED)
    made = Made(directory).write([
        records.session_issued(
            at=START, who=who, auth_method="oidc", session_ref=ref, token_ref=handle, expires_at=START + 900,
        ),
        records.proxy_denied(at=START + 1, who=who, reason="route.not_allowed", route="close"),
    ]).close()  # fmt: skip
    key_file = tmp_path / "key.pem"
    key_file.write_bytes(pem_of(1))
    return Log(directory, key_file, made)


def test_an_intact_log_ends_with_0(log: Log) -> None:
    result = log.run("verify")
    assert result.exit_code == Exit.OK
    assert result.stdout.startswith("intact: 5 records of 1 writers")
    assert "no --anchor" in result.stderr


def test_an_edited_record_ends_with_5_and_is_named(log: Log) -> None:
    log.made.path.write_bytes(log.made.path.read_bytes().replace(b"route.not_allowed", b"route.all_allowed"))
    result = log.run("verify")
    assert result.exit_code == Exit.VERIFICATION
    assert f"EDITED {log.made.writer} {log.made.path.name}:3 record 2" in result.stdout
    assert f"{log.made.writer}: records 0 to 1 intact" in result.stdout


@pytest.mark.parametrize("words", [["--vkey", key(2, "test/other").vkey], ["--strict"]])
def test_what_cannot_be_proved_ends_with_6(log: Log, words: list[str]) -> None:
    assert log.run("verify", *words).exit_code == Exit.UNPROVED


def test_an_anchor_file_shows_a_cut_log(log: Log, tmp_path: Path) -> None:
    note = json.loads(lines_of(log.made.path)[-1])["gateway.checkpoint.note"]
    anchor = tmp_path / "anchor.note"
    anchor.write_text(note, encoding="utf-8")
    assert log.run("verify", "--strict", "--anchor", str(anchor)).exit_code == Exit.OK
    log.made.path.write_bytes(b"".join(lines_of(log.made.path)[:2]))
    result = log.run("verify", "--anchor", str(tmp_path / "anchor.note"), "-o", "json")
    assert result.exit_code == Exit.VERIFICATION
    report = json.loads(result.stdout)
    assert report["verdict"] == "tampered"
    assert [item["kind"] for item in report["writers"][0]["findings"] if item["severity"] == "tampered"] == [
        "TRUNCATED"
    ]


def test_a_file_of_keys_holds_their_times(log: Log, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"# the first node\n{key().vkey} 2026-01-01 2027-01-01\n")
    assert log.run("verify", "--vkey", str(keys)).exit_code == Exit.OK
    keys.write_text(f"{key().vkey} 2027-01-01\n")
    assert log.run("verify", "--vkey", str(keys)).exit_code == Exit.VERIFICATION
    keys.write_text("nonsense\n")
    assert log.run("verify", "--vkey", str(keys)).exit_code == Exit.USAGE


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["query"],
        ["stats"],
        ["prune"],
        ["prove", "gw1", "0"],
        ["pseudonym", "ann", "--site", "shop"],
        ["forget", "ann", "--site", "shop", "--reason", "x"],
    ],
)
def test_no_log_is_a_failure_and_neither_intact_nor_without_records(log: Log, tmp_path: Path, words: list[str]) -> None:
    log.directory = tmp_path / "nowhere"
    result = log.run(*words)
    assert result.exit_code == Exit.FAILED
    assert isinstance(result.exception, CommandFault)
    assert result.exception.code == "audit.empty"
    assert not log.directory.exists()


def test_an_anchor_that_cannot_be_fetched_is_unreachable(log: Log) -> None:
    assert log.run("verify", "--anchor", "http://127.0.0.1:1/x").exit_code == Exit.UNREACHABLE


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 5), (["--action", "session.issued"], 1), (["--subject", "ann", "--site", "shop"], 2),
        (["--subject", "bob", "--site", "shop"], 0), (["--backend", "crm"], 0), (["--reason", "route.not_allowed"], 1),
        (["--since", "2026-11-18T11:06:41"], 1), (["--limit", "2"], 2),
    ],
)  # fmt: skip
def test_query_finds_what_was_asked(log: Log, words: list[str], count: int) -> None:
    result = log.run("query", *words)
    assert result.exit_code == Exit.OK
    assert len(result.stdout.splitlines()) == count


@pytest.mark.parametrize("words", [["query"], ["stats"], ["hash", LEAKED]])
def test_a_spoilt_line_is_passed_over_and_told(log: Log, words: list[str]) -> None:
    lines = lines_of(log.made.path)
    log.made.path.write_bytes(b"".join([lines[0], b'{"event.action":["x"]}\n', *lines[1:]]))
    result = log.run(*words)
    assert result.exit_code == Exit.OK
    assert f"passed over lines that are no records: 1, in {log.made.path.name};" in result.stderr


def test_reading_is_recorded_and_the_log_still_verifies(log: Log) -> None:
    log.run("query", "--subject", "ann", "--site", "shop")
    result = log.run("query", "--action", "audit.read")
    [read] = map(json.loads, result.stdout.splitlines())
    assert read["gateway.read.query"] == "query site=shop users=1"
    assert read["gateway.read.count"] == 2
    assert verify([log.directory], Options(keys=[key()])).verdict == "intact"


def test_a_leaked_handle_is_found_with_all_it_did(log: Log) -> None:
    result = log.run("hash", given=f"{LEAKED}\n")
    assert result.exit_code == Exit.OK
    assert "ours" in result.stdout.splitlines()
    assert "session.issued" in result.stdout
    assert "proxy.denied" in result.stdout
    assert LEAKED not in result.stdout
    document = json.loads(log.run("hash", "-o", "json", LEAKED).stdout)
    assert document["ours"] is True
    assert len(document["records"]) == 2


def test_a_foreign_handle_is_not_ours(log: Log) -> None:
    result = log.run("hash", "gws_something-else")
    assert result.exit_code == Exit.FAILED
    assert "not ours" in result.stdout


def test_without_the_key_of_references_nothing_can_be_said(log: Log) -> None:
    (log.directory / "keys" / "ref.key").unlink()
    assert log.run("hash", LEAKED).exit_code == Exit.UNPROVED


def test_stats_by_group_and_bucket(log: Log) -> None:
    assert "1  session.issued" in log.run("stats").stdout
    rows = json.loads(log.run("stats", "--by", "action,site", "--bucket", "5m", "-o", "json").stdout)
    assert {"time": "2026-11-18T11:05:00Z", "action": "session.issued", "site": "shop", "count": 1} in rows


@pytest.mark.parametrize(
    "words",
    [["stats", "--by", "nothing"], ["stats", "--bucket", "5x"], ["stats", "--bucket", "0s"], ["query", "--since",
    "soon"],
     ["query", "--subject", "ann"], ["hash", "  "]],
)  # fmt: skip
def test_wrong_words_are_usage(log: Log, words: list[str]) -> None:
    import click

    with pytest.raises(click.UsageError):
        log.run(*words)


def test_a_record_is_proved_and_a_changed_one_is_not(log: Log, tmp_path: Path) -> None:
    out = tmp_path / "r1"
    assert log.run("prove", log.made.writer, "1", "--out", str(out)).exit_code == Exit.OK
    assert log.run("prove", log.made.writer, "1").stdout == out.with_suffix(".tlog-proof").read_text(encoding="utf-8")
    paths = [str(out.with_suffix(".json")), str(out.with_suffix(".tlog-proof"))]
    assert log.run("check-proof", *paths, "-o", "json").exit_code == Exit.OK
    out.with_suffix(".json").write_text(out.with_suffix(".json").read_text().replace("oidc", "none"))
    assert log.run("check-proof", *paths).exit_code == Exit.VERIFICATION
    assert log.run("prove", log.made.writer, "99").exit_code == Exit.FAILED


def test_prune_says_first_and_does_then(log: Log) -> None:
    assert log.run("prune", "--retention-days", "1", "--dry-run").stdout.split() in ([], [log.made.path.name])
    before = len(list(log.directory.glob("*.jsonl")))
    result = log.run("prune", "--retention-days", "10000", "-o", "json")
    assert json.loads(result.stdout) == {"segments": [], "epochs": [], "removed": True}
    assert len(list(log.directory.glob("*.jsonl"))) == before


def test_the_schema_is_printed(log: Log) -> None:
    result = CliRunner().invoke(audit_group, ["schema"], standalone_mode=False)
    assert json.loads(result.stdout)["title"].startswith("Audit record")
