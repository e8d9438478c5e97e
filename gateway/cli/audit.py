"""`gateway audit`: verify, search, count, prove and prune the audit log, and keep its keys.

Every command works on a directory, without a running gateway.
Leaves reading, proving and writing to gateway/observe/audit.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.audit_keys import keygen, pubkey, rotate_key
from gateway.cli.audit_options import anchor_notes, files_read, log_dirs, log_options, moment, settings_of, trusted_keys
from gateway.cli.audit_people import forget, pseudonym
from gateway.cli.audit_search import find_hash, query, stats
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import output_option, print_json
from gateway.observe.audit.findings import Finding, Report
from gateway.observe.audit.prove import ProofError, check_proof, parse_proof, prove
from gateway.observe.audit.prune import find_prunable, prune
from gateway.observe.audit.records import iso
from gateway.observe.audit.schema import json_schema
from gateway.observe.audit.verify import Options, verify

_EXIT: Final = {"intact": Exit.OK, "tampered": Exit.VERIFICATION, "unproved": Exit.UNPROVED}


@click.group("audit")
def audit_group() -> None:
    """Verify and read the tamper-evident audit log.

    Exit codes: 0 intact or done, 1 the files cannot be read, 2 usage, 5 tampering found, 6 cannot be proved.
    """


@audit_group.command("verify")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@log_options
@click.option(
    "--vkey", "vkeys", multiple=True, help="A verifier key that is trusted, or a file of them with their times."
)
@click.option("--anchor", "anchors", multiple=True, help="File, directory or URL of checkpoints kept elsewhere.")
@click.option("--since", help="Leave out segments that ended before this time.")
@click.option("--strict", is_flag=True, help="Without an anchor the log counts as not proved.")
@output_option
def verify_command(
    paths: tuple[Path, ...], vkeys: tuple[str, ...], anchors: tuple[str, ...], since: str | None, strict: bool,
    output: str,
    **where: Any,
) -> int:  # fmt: skip
    """Check every record, signature and claim of the log; PATHS are directories or segments, else the log itself.

    Says the first bad place of each writer and what is intact before it. Without --vkey the key of this machine's own
    configuration is trusted; an auditor gives --vkey and --anchor from elsewhere.
    """
    settings = settings_of(**where)
    at = moment(since, time.time())
    with files_read():
        options = Options(
            keys=trusted_keys(settings, vkeys),
            anchors=anchor_notes(anchors),
            since="" if at is None else iso(at),
            strict=strict,
        )
        report = verify(paths or [path for path in settings.dirs if path.is_dir()], options)
    if not report.writers and not report.findings:
        raise CommandFault(
            Exit.FAILED, "audit.empty", f"No audit log in {settings.dir}.", "Name it with --dir or --config."
        )
    if output == "json":
        print_json(report.as_json())
    else:
        _print_report(report, has_anchor=bool(anchors))
    return _EXIT[report.verdict]


def _print_report(report: Report, *, has_anchor: bool) -> None:
    click.echo(f"{report.verdict}: {report.records} records of {len(report.writers)} writers")
    for finding in report.findings:
        if finding.severity != "information":
            click.echo(_shown(finding))
    for writer in report.writers:
        state = "closed" if writer.is_closed else "open"
        places = [item.sequence for item in writer.findings if item.severity == "tampered"]
        last = min([writer.size, *places]) - 1
        click.echo(
            f"  {writer.writer}: records {writer.first} to {last} intact, sealed to {writer.sealed_size - 1}, {state}"
        )
    for finding in report.findings:
        if finding.severity == "information":
            click.echo(_shown(finding))
    if not has_anchor:
        click.echo("no --anchor was given: a cut tail, or a rewrite by somebody with the key, would not show", err=True)


def _shown(finding: Finding) -> str:
    place = f" {finding.segment}:{finding.line}" if finding.segment else ""
    number = "" if finding.sequence < 0 else f" record {finding.sequence}"
    until = f" to {finding.until}" if finding.until > finding.sequence else ""
    return f"  {finding.kind} {finding.writer}{place}{number}{until} {finding.at}: {finding.detail}".replace(" :", ":")


@audit_group.command("prove")
@click.argument("writer")
@click.argument("sequence", type=click.IntRange(min=0))
@log_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write RECORD to OUT.json and the proof to OUT.tlog-proof.",
)
def prove_command(writer: str, sequence: int, out: Path | None, **where: Any) -> int:
    """Prove one record (C2SP tlog-proof) without showing any other; prints the proof, or writes record and proof."""
    settings = settings_of(**where)
    with files_read():
        line, proof = prove(log_dirs(settings), writer, sequence)
        if out is None:
            click.echo(proof.text(), nl=False)
            return Exit.OK
        out.with_suffix(".json").write_bytes(line + b"\n")
        out.with_suffix(".tlog-proof").write_text(proof.text(), encoding="utf-8")
    return Exit.OK


@audit_group.command("check-proof")
@click.argument("record", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("proof", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@log_options
@click.option(
    "--vkey", "vkeys", multiple=True, help="A verifier key that is trusted, or a file of them with their times."
)
@output_option
def check_proof_command(record: Path, proof: Path, vkeys: tuple[str, ...], output: str, **where: Any) -> int:
    """Check that RECORD (one line) stands under the signed checkpoint of PROOF."""
    keys = trusted_keys(settings_of(**where), vkeys)
    with files_read():
        line, text = record.read_bytes().removesuffix(b"\n"), proof.read_text(encoding="utf-8")
    try:
        checkpoint = check_proof(line, parse_proof(text), keys)
    except ProofError as exc:
        raise CommandFault(
            Exit.VERIFICATION, "audit.proof", f"The proof does not hold: {exc}.", "Do not rely on the record."
        ) from exc
    answer = {"origin": checkpoint.origin, "size": checkpoint.size, "proved": True}
    if output == "json":
        print_json(answer)
    else:
        click.echo(
            f"proved: the record stands under the checkpoint of {checkpoint.origin} at {checkpoint.size} records"
        )
    return Exit.OK


@audit_group.command("prune")
@log_options
@click.option("--retention-days", type=click.IntRange(min=1), help="Keep this many days; else [audit] retention_days.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@output_option
def prune_command(retention_days: int | None, dry_run: bool, output: str, **where: Any) -> int:
    """Remove whole finished segments that are older than the retention, and the pseudonym keys of that time.

    What goes is first declared by a sealed record, so that the rest still verifies.
    """
    settings = settings_of(**where)
    if retention_days is not None:
        settings = replace(settings, retention_days=retention_days)
    now = time.time()
    with files_read():
        log_dirs(settings)
        if dry_run:
            segments, epochs = [item.segment.name for item in find_prunable(settings, now)], list[str]()
        else:
            segments, epochs = prune(settings, now)
    if output == "json":
        print_json({"segments": segments, "epochs": epochs, "removed": not dry_run})
    else:
        for name in (*segments, *epochs):
            click.echo(name)
    return Exit.OK


@audit_group.command("schema")
def schema_command() -> None:
    """Print the JSON Schema (2020-12) of audit records."""
    print_json(json_schema())


for _command in (query, stats, find_hash, pseudonym, forget, keygen, pubkey, rotate_key):
    audit_group.add_command(_command)
