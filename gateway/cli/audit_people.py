"""`gateway audit pseudonym|forget`: which names a person has in the records, and taking the way to them away.

Leaves the keys to gateway/observe/audit. Rule: who asked is on record, the person is not.
"""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.audit_options import files_read, log_dirs, log_options, settings_of
from gateway.cli.exits import CommandFault, Exit
from gateway.cli.options import load_config, output_option, print_json
from gateway.errors import Refusal
from gateway.observe.audit.keys import AuditKeyError
from gateway.observe.audit.oneoff import write_once
from gateway.observe.audit.pseudonyms import KeyRing
from gateway.observe.audit.records import admin_action, audit_read
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.subjects import DirectoryKeys, key_name, name_under

_SHARED: Final = "With a shared store the visitors' keys are there: use POST /guests/{call} at the admin listener."


def pseudonyms_of(settings: AuditSettings, site: str, ids: list[str]) -> list[str]:
    """Return the names in records of a visitor with these ids: by month, and by its own key. Raises OSError."""
    ring, keys = KeyRing(settings.keys_dir), DirectoryKeys(settings.subjects_dir)
    names = [name for one in ids for name in ring.pseudonyms(site, one)]
    if settings.subjects_dir.is_dir():
        found = [keys.find_now(key_name(ring, site, one)) for one in ids]
        names += [name_under(key) for key in found if key is not None]
    return names


def ids_of(where: dict[str, Any], site: str, subject: str) -> list[str]:
    """Return what the gateway calls a visitor: `subject` itself, in case it is a guest id, and the id that each issuer
    of the site leads to. With --dir, without a configuration, only itself. Raises ConfigFault, click.UsageError.
    """
    if where.get("directory") is not None:
        return [subject]
    from gateway.app.own_keys import own_key  # noqa: PLC0415  # an auditor's machine needs none of these rooms
    from gateway.config.checks import sources_of  # noqa: PLC0415
    from gateway.config.compile import compile_config  # noqa: PLC0415
    from gateway.policy.subjects import IdKey, visitor_id  # noqa: PLC0415

    loaded = load_config(where["config_path"])
    compiled = compile_config(loaded, sources_of(loaded, os.environ))
    found, keys = compiled.sites.get(site), loaded.config.keys
    if found is None:
        raise click.UsageError(f"the configuration has no site {site}; it has {', '.join(compiled.sites) or 'none'}")
    secret = own_key(compiled.guest_key, loaded.directory / keys.dir, "guest", dev=loaded.config.dev)
    key = IdKey(secret, keys.guest_version, found.rules.org, site)
    ids = [subject]
    for issuer in sorted({rules.name for rules in found.issuers}):
        try:
            ids.append(visitor_id(found.subject, key, issuer, subject))
        except Refusal:
            continue  # the site's rules would never have admitted such an id
    return list(dict.fromkeys(ids))


@click.command()
@click.argument("subject")
@log_options
@click.option("--site", required=True)
@output_option
def pseudonym(subject: str, site: str, output: str, **where: Any) -> int:
    """List the pseudonyms of SUBJECT (the visitor's id in its proof, or its guest id) at a site, for all keys that
    still exist.
    """
    settings = settings_of(**where)
    ids = ids_of(where, site, subject)
    with files_read():
        log_dirs(settings)  # no keys are made where no log is
        names = pseudonyms_of(settings, site, ids)
    record_reading(settings, f"pseudonym site={site}", len(names))
    if output == "json":
        print_json(names)
    else:
        for name in names:
            click.echo(name)
    return Exit.OK


@click.command()
@click.argument("subject")
@log_options
@click.option("--site", required=True)
@click.option("--reason", required=True, help="Why, for the record; name no person.")
def forget(subject: str, site: str, reason: str, **where: Any) -> int:
    """Destroy the key of SUBJECT (the visitor's id in its proof, or its guest id), so that nothing links its records.

    Needs [audit] subject_keys. The records stay, and the log verifies as before. Put on record before it is done.
    A running gateway goes on with the old name for a minute at most; end the guest's sessions first.
    """
    settings = settings_of(**where)
    if where.get("directory") is None and _is_store_shared(where["config_path"]):
        raise CommandFault(Exit.USAGE, "audit.shared_keys", "The keys are not here.", _SHARED.format(call="forget"))
    ids = ids_of(where, site, subject)
    with files_read():
        log_dirs(settings)
        ring, keys = KeyRing(settings.keys_dir), DirectoryKeys(settings.subjects_dir)
        names = [name for one in ids if keys.find_now(name := key_name(ring, site, one)) is not None]
        if not names:
            raise CommandFault(
                Exit.FAILED, "audit.nobody", "There is no key of this visitor.",
                "Check the id and the site; without [audit] subject_keys visitors have no keys of their own.",
            )  # fmt: skip
        _record_forgetting(settings, site, f"{getpass.getuser()}: {reason}", pseudonyms_of(settings, site, ids))
        for name in names:
            keys.forget_now(name)
    click.echo("forgotten")
    return Exit.OK


def _record_forgetting(settings: AuditSettings, site: str, who: str, names: list[str]) -> None:
    own = [name for name in names if name.startswith("s:")]
    try:
        write_once(
            settings,
            [admin_action(at=time.time(), who_acted=who, verb="audit.forget", target=" ".join(own), site=site)],
        )
    except AuditKeyError as exc:
        raise CommandFault(Exit.FAILED, "audit.key", f"{exc}.", "What cannot be recorded is not done.") from exc


def _is_store_shared(config_path: Path | None) -> bool:
    return not load_config(config_path).config.store.url.startswith("memory:")


def record_reading(settings: AuditSettings, said: str, number: int) -> None:
    """Put on record that the log was read; without a key (an auditor's copy) say that it was not."""
    try:
        write_once(settings, [audit_read(at=time.time(), query=said, count=number, who_acted=getpass.getuser())])
    except (AuditKeyError, OSError) as exc:
        click.echo(f"this reading was not recorded: {exc}", err=True)
