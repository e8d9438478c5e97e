"""The hourly self-check: a node verifies its own logs in a process of its own, so that requests do not wait for
hashing.

Run as a module it prints one JSON line: how many records, and the kinds of tampering found.
"""

import asyncio
import sys
from pathlib import Path

import orjson

from gateway.observe.audit.keys import AuditKeyError, signer_for
from gateway.observe.audit.notes import NoteError, VerifierKey, parse_vkey
from gateway.observe.audit.records import iso
from gateway.observe.audit.settings import AuditSettings
from gateway.observe.audit.verify import Options, verify

_OVERLAP_S = 600.0


async def check_own_log(settings: AuditSettings, now: float | None = None) -> tuple[int, list[str]]:
    """Verify the logs of this deployment's directories since the last check; returns records and kinds of tampering.

    Raises OSError when the check could not run.
    """
    try:
        vkey = signer_for(settings).verifier.vkey
    except AuditKeyError as exc:
        raise OSError("no key to check with") from exc
    since = "" if now is None else iso(now - settings.self_check_interval_s - _OVERLAP_S)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.observe.audit.selfcheck", vkey, since, *map(str, settings.dirs),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise OSError(f"self-check ended with {process.returncode}")
    result = orjson.loads(output)
    return int(result["records"]), [str(kind) for kind in result["tampered"]]


def main(arguments: list[str]) -> int:
    """Verify; prints the result and returns the exit code of the process."""
    vkey, since, *directories = arguments
    try:
        keys: list[VerifierKey] = [parse_vkey(vkey)]
        report = verify([path for path in map(Path, directories) if path.is_dir()], Options(keys=keys, since=since))
    except (OSError, NoteError) as exc:
        sys.stderr.write(f"{type(exc).__name__}\n")
        return 1
    tampered = sorted({item.kind for item in report.findings if item.severity == "tampered"})
    sys.stdout.buffer.write(orjson.dumps({"records": report.records, "tampered": tampered}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
