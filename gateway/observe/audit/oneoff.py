"""A log of a few records, opened and closed at once: how commands put on record what they did. Blocking."""

import os
from collections.abc import Sequence

from gateway.observe.audit.files import FileSystem
from gateway.observe.audit.keys import signer_for
from gateway.observe.audit.ledger import Clock, Ledger
from gateway.observe.audit.notes import Signer
from gateway.observe.audit.records import Record
from gateway.observe.audit.segments import writer_name
from gateway.observe.audit.settings import AuditSettings


def write_once(
    settings: AuditSettings, records: Sequence[Record], *, clock: Clock | None = None, signer: Signer | None = None
) -> str:
    """Write the records as a sealed log of their own and return its writer; durable on return.

    Raises AuditKeyError without a key, AuditWriteFailedError or OSError when no directory takes it.
    """
    clock = clock or Clock()
    FileSystem().make_dir(settings.dir)
    writer = writer_name(settings.node, clock.wall(), os.urandom(4))
    ledger = Ledger(settings, signer or signer_for(settings), writer, clock=clock)
    ledger.append(records)
    ledger.close()
    return writer
