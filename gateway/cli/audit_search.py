"""`gateway audit query|stats|hash`: who did what, when. Searching is itself put on record.

Leaves filtering and counting to gateway/observe/audit/query.py, forms to export.py.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.audit_options import files_read, log_dirs, log_options, moment, settings_of
from gateway.cli.audit_people import ids_of, pseudonyms_of, record_reading
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import output_option, print_json
from gateway.observe.audit.export import FORMATS, table_line
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.query import GROUPS, Filter, Found, count, deeds, search
from gateway.observe.audit.settings import AuditSettings

REF_KINDS: Final = ("token", "session", "conversation")
"""What records refer to: tokens, handles, tickets and codes; ids of sessions; conversations, where they are hidden."""
_POLL_S: Final = 1.0
_BUCKET: Final = re.compile(r"^(\d+)(s|m|h|d)$")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Strangers:
    """Lines that are no records: counted in one passage of the log, and told at the end."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Another passage begins: count anew."""
        self._count = 0
        self._files: set[str] = set()

    def add(self, path: Path) -> None:
        """One line of this file."""
        self._count += 1
        self._files.add(path.name)

    def tell(self) -> None:
        """Say on stderr what was passed over."""
        if self._count:
            places = ", ".join(sorted(self._files))
            click.echo(
                f"passed over lines that are no records: {self._count}, in {places}; `gateway audit verify` tells more",
                err=True,
            )


@click.command()
@log_options
@click.option("--action", "actions", multiple=True, help="Kind of record, e.g. session.issued.")
@click.option("--outcome", type=click.Choice(["success", "failure"]))
@click.option("--reason", "reasons", multiple=True, help="Stable reason code.")
@click.option("--site")
@click.option("--user", "users", multiple=True, help="Pseudonym as it stands in records.")
@click.option(
    "--subject", help="The visitor's own id, or guest id; needs --site and the keys. All its pseudonyms are searched."
)
@click.option("--backend", "backends", multiple=True, help="Backend, by its name in the configuration.")
@click.option(
    "--ref", "refs", multiple=True, help="Reference of a token or session, as `gateway audit hash` prints it."
)
@click.option("--trace", help="Trace id.")
@click.option("--request", help="Request id, as the caller saw it.")
@click.option("--conversation", help="Conversation id as it stands in records.")
@click.option("--since", help="Time, or age such as 24h.")
@click.option("--until", help="Time, or age such as 1h.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="jsonl", show_default=True)
@click.option("--follow", is_flag=True, help="Go on with new records until interrupted.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many.")
def query(form: str, follow: bool, limit: int | None, **named: Any) -> int:
    """Search the log; all writers as one stream by time. The search itself is recorded (audit.read)."""
    where = {name: named.pop(name) for name in ("directory", "config_path", "key_path", "deployment", "node")}
    settings = settings_of(**where)
    wanted = _filter(settings, where, named)
    shown, strangers = 0, Strangers()
    with files_read():
        if not follow:  # who follows may wait for the first record
            log_dirs(settings)
        for found in _stream(settings, wanted, strangers, follow=follow):
            click.echo(FORMATS[form](found.line, found.document))
            shown += 1
            if limit is not None and shown >= limit:
                break
    strangers.tell()
    record_reading(settings, f"query {wanted}", shown)
    return Exit.OK


def _filter(settings: AuditSettings, where: dict[str, Any], named: dict[str, Any]) -> Filter:
    now = time.time()
    users = set(named["users"])
    if named["subject"] is not None:
        if named["site"] is None:
            raise click.UsageError("--subject needs --site")
        ids = ids_of(where, named["site"], named["subject"])
        users |= set(pseudonyms_of(settings, named["site"], ids)) or {"nobody"}
    return Filter(
        actions=frozenset(named["actions"]), outcome=named["outcome"], reasons=frozenset(named["reasons"]),
        site=named["site"], users=frozenset(users), refs=frozenset(named["refs"]),
        backends=frozenset(named["backends"]), trace=named["trace"], request=named["request"],
        conversation=named["conversation"], since=moment(named["since"], now), until=moment(named["until"], now),
    )  # fmt: skip


def _stream(settings: AuditSettings, wanted: Filter, strangers: Strangers, *, follow: bool) -> Iterator[Found]:
    """Yield what there is; with `follow` then what comes, in the order in which it is seen."""
    last: dict[str, int] = {}
    while True:
        strangers.begin()
        for found in search([path for path in settings.dirs if path.is_dir()], wanted, strangers.add):
            if found.sequence > last.get(found.writer, -1):
                last[found.writer] = found.sequence
                yield found
        if not follow:
            return
        time.sleep(_POLL_S)


@click.command()
@log_options
@click.option("--by", default="action", show_default=True, help=f"Groups, comma-separated: {', '.join(GROUPS)}.")
@click.option("--bucket", help="Also by time, e.g. 5m or 1h.")
@click.option("--since", help="Time, or age such as 24h.")
@click.option("--until", help="Time, or age such as 1h.")
@output_option
def stats(by: str, bucket: str | None, since: str | None, until: str | None, output: str, **where: Any) -> int:
    """Count records by group and time."""
    groups = [name.strip() for name in by.split(",")]
    unknown = [name for name in groups if name not in GROUPS]
    if unknown:
        raise click.UsageError(f"--by knows {', '.join(GROUPS)}; not {', '.join(unknown)}")
    match = None if bucket is None else _BUCKET.match(bucket)
    if bucket is not None and (match is None or int(match[1]) == 0):
        raise click.UsageError("--bucket is a number and s, m, h or d")
    bucket_s = None if match is None else int(match[1]) * _UNIT_S[match[2]]
    settings, now = settings_of(**where), time.time()
    wanted = Filter(since=moment(since, now), until=moment(until, now))
    with files_read():
        strangers = Strangers()
        rows = count(search(log_dirs(settings), wanted, strangers.add), groups, bucket_s)
    names = [*(["time"] if bucket_s else []), *groups]
    if output == "json":
        print_json([dict(zip(names, key, strict=True)) | {"count": number} for key, number in rows])
    else:
        for key, number in rows:
            click.echo(f"{number:8}  {'  '.join(item or '-' for item in key)}")
    strangers.tell()
    return Exit.OK


@click.command("hash")
@click.argument("secret", required=False)
@log_options
@click.option(
    "--kind", "kinds", type=click.Choice(REF_KINDS), multiple=True, help="What it is; else all kinds are tried."
)
@output_option
def find_hash(secret: str | None, kinds: tuple[str, ...], output: str, **where: Any) -> int:
    """Was this leaked token or handle ours, whose, and what did it do? SECRET is read from stdin when it is left out.

    Prints its references, every record that names one of them, and what was done by the session or backend that it was
    given to. Exit code 0 when it was ours, 1 when not.
    """
    text = (sys.stdin.readline() if secret is None else secret).strip()
    if not text:
        raise click.UsageError("give the token on stdin, or as SECRET")
    settings = settings_of(**where)
    if not (settings.dir / "keys" / "ref.key").is_file():
        raise CommandFault(
            Exit.UNPROVED, "audit.no_ref_key", "The key of references is not in this log's directory.",
            "Run the command where the gateway writes its log.",
        )  # fmt: skip
    with files_read():
        ring = KeyRing(settings.dir / "keys")
        refs = {kind: ring.ref(kind, text) for kind in kinds or REF_KINDS}
        dirs = log_dirs(settings)
        strangers = Strangers()
        named = list(search(dirs, Filter(refs=frozenset(refs.values())), strangers.add))
        found = list(deeds(dirs, named)) if named else []
    strangers.tell()
    record_reading(settings, f"hash {' '.join(sorted(refs.values()))}", len(found))
    _print_hash(refs, found, output)
    return Exit.OK if found else Exit.FAILED


def _print_hash(refs: dict[str, str], found: Sequence[Found], output: str) -> None:
    if output == "json":
        print_json({"refs": refs, "ours": bool(found), "records": [item.document for item in found]})
        return
    for kind, ref in refs.items():
        click.echo(f"{kind:13}{ref}")
    click.echo("ours" if found else "not ours, or its records are gone")
    for item in found:
        click.echo(table_line(item.document))
