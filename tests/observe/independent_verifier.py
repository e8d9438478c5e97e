"""A second verifier of the audit log, written from docs/audit-format.md alone; it imports nothing of the gateway.

It reads whole files into memory and says no more than: verdict, and for each writer the first tampering and its record.
"""

import base64
import gzip
import json
import re
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NAME = re.compile(r"^(.+-\d{8}T\d{6}Z-[0-9a-f]{8})\.(\d{6,})\.jsonl(\.gz)?$")
MARK = b',"gateway.checkpoint.note":'
Json = dict[str, Any]


class Bad(Exception):
    """Tampering: kind and first record in doubt."""

    def __init__(self, kind: str, record: int, until: int | None = None) -> None:
        self.kind, self.record, self.until = kind, record, record if until is None else until
        super().__init__(kind)


class Key(NamedTuple):
    """A trusted key: verifier key, and the ISO times in which it counts."""

    vkey: str
    begins: str = ""
    ends: str = "~"


class Outcome(NamedTuple):
    """What was found: verdict, tampering by writer as (kind, first record, last record), kinds that leave it
    unproved.
    """

    verdict: str
    tampering: dict[str, tuple[str, int, int]]
    unproved: set[str]


class Log:
    """One writer's log as it is read."""

    def __init__(self, writer: str) -> None:
        self.writer, self.origin = writer, ""
        self.leaves: list[bytes] = []
        self.before: list[bytes] = []  # edge before the first leaf that is known
        self.first = 0
        self.sealed, self.closed = 0, False
        self.said: list[tuple[int, Json]] = []
        self.voids: list[int] = []
        self.void_bytes: list[bytes] = []
        self.pruned_head: Json | None = None
        self.unknown_key = False

    @property
    def size(self) -> int:
        return self.first + len(self.leaves)

    def edge(self, size: int) -> list[bytes]:
        stack = [(h, 1 << b) for h, b in zip(self.before, _bits(self.first), strict=True)]
        for leaf in self.leaves[: size - self.first]:
            item, weight = leaf, 1
            while stack and stack[-1][1] == weight:
                item, weight = sha256(b"\x01" + stack.pop()[0] + item).digest(), weight * 2
            stack.append((item, weight))
        return [h for h, _ in stack]

    def root(self, size: int) -> bytes:
        edge = self.edge(size)
        if not edge:
            return sha256(b"").digest()
        root = edge.pop()
        while edge:
            root = sha256(b"\x01" + edge.pop() + root).digest()
        return root


def _bits(number: int) -> list[int]:
    return [bit for bit in reversed(range(number.bit_length())) if number >> bit & 1]


def _b64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("spelling")
    return data


def _open(note: str, keys: list[Key]) -> tuple[list[str], Key | None, bool]:
    """The text's lines, the key that signed, and whether a key of the signer's name is known;
    raises ValueError, InvalidSignature.
    """
    text, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise ValueError("no note")
    named = False
    for line in tail[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        if match is None:
            raise ValueError("no signature")
        blob = _b64(match[2])
        for key in keys:
            name, key_id, public = key.vkey.split("+", 2)
            named = named or name == match[1]
            if name == match[1] and bytes.fromhex(key_id) == blob[:4]:
                Ed25519PublicKey.from_public_bytes(_b64(public)[1:]).verify(blob[4:], (text + "\n").encode())
                return text.split("\n"), key, True
    return text.split("\n"), None, named


def _load(line: bytes) -> Json | None:
    try:
        value = json.loads(line.decode())
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        raise Bad("EDITED", 0, 0) from None


def _readable(path: Path) -> bytes:
    try:
        return _bytes(path)
    except Bad:
        return b""


def verify(directory: Path, keys: list[Key], anchors: list[str]) -> Outcome:
    """Verify every log in the directory; nothing is taken to be live."""
    groups: dict[str, dict[int, Path]] = {}
    for path in directory.iterdir():
        match = NAME.match(path.name)
        if match:
            groups.setdefault(match[1], {})[int(match[2])] = path
    bad: dict[str, tuple[str, int, int]] = {}
    unproved: set[str] = set()
    trusted = list(keys)
    heads = _heads(groups, trusted, anchors, bad, unproved)
    logs: dict[str, Log] = {}
    recovered: dict[str, Json] = {}
    pruned: dict[tuple[str, int], Json] = {}
    for writer in sorted(groups, key=lambda name: name.rsplit("-", 2)[1:]):
        log = logs[writer] = Log(writer)
        try:
            _read(log, groups[writer], trusted, heads.get(writer, {}))
        except Bad as exc:
            bad.setdefault(writer, (exc.kind, exc.record, exc.until))
        for number, record in log.said:
            if number >= log.sealed or log.unknown_key:
                continue
            if record["event.action"] == "audit.recovered":
                recovered[record["gateway.recovered.writer"]] = record
            elif record["event.action"] == "audit.pruned":
                pruned[record["gateway.pruned.writer"], record["gateway.pruned.segment"]] = record
            elif record["event.action"] == "audit.key":
                next_key = Key(
                    record["gateway.key.next_vkey"], record["gateway.key.not_before"], record["gateway.key.not_after"]
                )
                if next_key.vkey.split("+")[0] == log.origin.rsplit("-", 2)[0]:
                    trusted.append(next_key)
    for writer, log in logs.items():
        if writer not in bad and log.size < max(heads.get(writer, {0: b""})):
            bad[writer] = ("TRUNCATED", log.size, log.size)
        unsealed = [number for number in log.voids if number >= log.sealed]
        if unsealed and any(_is_genuine(line, trusted) for data in log.void_bytes for line in data.split(b"\n")):
            bad.setdefault(writer, ("FORKED", unsealed[0], log.size - 1))
        if writer not in bad:
            _conclude(log, recovered.get(writer), pruned, bad, unproved)
    for writer, roots in heads.items():
        last = max((r["gateway.pruned.last"] for (name, _), r in pruned.items() if name == writer), default=-1)
        if writer not in logs and last + 1 < max(roots):
            bad.setdefault(writer, ("MISSING", last + 1, last + 1))
    return Outcome("tampered" if bad else "unproved" if unproved else "intact", bad, unproved)


def _heads(
    groups: dict[str, dict[int, Path]],
    keys: list[Key],
    anchors: list[str],
    bad: dict[str, tuple[str, int, int]],
    unproved: set[str],
) -> dict[str, dict[int, bytes]]:
    given = [(note, True) for note in anchors]
    for segments in groups.values():
        for path in segments.values():
            for line in _readable(path).split(b"\n"):
                record = _load(line) if b'"event.action":"audit.peers"' in line else None
                given += [(note, False) for note in (record or {}).get("gateway.peers", [])]
    heads: dict[str, dict[int, bytes]] = {}
    for note, is_anchor in given:
        try:
            lines, key, _ = _open(note, keys)
        except (ValueError, InvalidSignature):
            lines, key = [], None
        if key is None:
            if is_anchor:
                unproved.add("UNKNOWN_KEY")
            continue
        writer = lines[0].rpartition("/")[2]
        if not lines[0].startswith(key.vkey.split("+")[0] + "-"):
            bad[writer] = ("BAD_SIGNATURE", -1, -1)
        elif heads.setdefault(writer, {}).setdefault(int(lines[1]), _b64(lines[2])) != _b64(lines[2]):
            bad[writer] = ("FORKED", int(lines[1]) - 1, int(lines[1]) - 1)
    return heads


def _header(path: Path) -> Json | None:
    line, newline, _ = _bytes(path).partition(b"\n")
    record = _load(line)
    if not newline or record is None or record.get("event.action") != "audit.opened":
        return None
    try:
        edge = [_b64(item) for item in record["gateway.segment.edge"]]
        fits = len(_b64(record["gateway.prev"])) == 32 and len(edge) == record["event.sequence"].bit_count()
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
    return record if fits and all(len(item) == 32 for item in edge) else None


def _read(log: Log, segments: dict[int, Path], keys: list[Key], heads: dict[int, bytes]) -> None:
    headers = {}
    for index in sorted(segments):
        header = _header(segments[index])
        if header is not None:
            headers[index] = header
        elif index != max(segments) or b"\n" in _bytes(segments[index]):
            raise Bad("EDITED", -1)
    if not headers:
        return
    steps: list[tuple[int, int | None, bool]] = [(max(headers), None, False)]
    while True:
        header = headers[steps[-1][0]]
        name = header.get("gateway.segment.previous")
        if name is None:
            break
        older = int(name.rsplit(".", 2)[1])
        if older not in headers:
            if any(index < steps[-1][0] for index in headers):
                raise Bad("MISSING", header["event.sequence"])
            log.pruned_head = header
            break
        void = header.get("gateway.segment.cause") in ("fault", "unlinked")
        log.void_bytes += [_bytes(segments[index]) for index in headers if older < index < steps[-1][0]]
        steps.append((older, header.get("gateway.segment.previous_bytes", 0), void))
    steps.reverse()
    first = headers[steps[0][0]]
    log.origin = f"{first['gateway.deployment']}/{log.writer}"
    log.first, log.before = first["event.sequence"], [_b64(item) for item in first["gateway.segment.edge"]]
    prev = _b64(first["gateway.prev"])
    if log.first == 0 and prev != sha256(f"audit/1\n{log.origin}\n".encode()).digest():
        raise Bad("SPLICED", 0)
    for index, end, void in steps:
        prev = _segment(log, _bytes(segments[index]), headers[index], end, void, prev, keys, heads)


def _segment(
    log: Log,
    data: bytes,
    header: Json,
    end: int | None,
    void: bool,
    prev: bytes,
    keys: list[Key],
    heads: dict[int, bytes],
) -> bytes:
    here = log.size
    if header["event.sequence"] != here or _b64(header["gateway.prev"]) != prev:
        raise Bad("GAP" if header["event.sequence"] > here else "SPLICED", here)
    if [_b64(item) for item in header["gateway.segment.edge"]] != log.edge(here):
        raise Bad("EDITED", here)
    if log.closed:
        raise Bad("EDITED", here)
    if header.get("gateway.segment.cause") in ("fault", "unlinked"):
        log.voids.append(here)
    counts = data if end is None else data[:end]
    *lines, torn = counts.split(b"\n")
    for number, line in enumerate(lines):
        prev = _record(log, lines, number, prev, keys, heads)
        log.leaves.append(prev)
        if log.size in heads:
            if heads[log.size] != log.root(log.size):
                raise Bad("FORKED", log.sealed, log.size - 1)
            log.sealed = log.size
        if MARK in line:
            log.sealed, log.closed = log.size, b'"event.action":"audit.closed"' in line
    if torn:
        whole = _load(torn) is None and any(
            _load(torn[:cut]) is not None for cut in range(max(1, len(torn) - 8), len(torn))
        )
        if end is not None or log.closed or whole:
            raise Bad("EDITED", log.size)
    if end is not None and len(data) < end:
        raise Bad("TRUNCATED", log.size)
    if end is not None and len(data) > end:
        if not void:
            raise Bad("EDITED", log.size)
        log.void_bytes.append(data[end:])
    return prev


def _record(log: Log, lines: list[bytes], number: int, prev: bytes, keys: list[Key], heads: dict[int, bytes]) -> bytes:
    line, here = lines[number], log.size
    start = b'","event.sequence":%d,"gateway.prev":"%b","event.id":"' % (here, base64.b64encode(prev))
    if log.closed or line[42 : 42 + len(start)] != start:
        raise _place(log, lines, number, prev, keys)
    if MARK in line:
        _checkpoint(log, line, here, keys)
    if b'"event.action":"audit.' in line:
        record = _load(line)
        if record is None:
            raise Bad("EDITED", here)
        if record.get("gateway.writer") != log.writer:
            raise Bad("SPLICED", here)
        action = record["event.action"]
        if action in ("audit.checkpoint", "audit.closed") and MARK not in line:
            raise Bad("EDITED", here)
        log.said.append((here, record))
    return sha256(b"\x00" + line).digest()


def _note(line: bytes) -> tuple[bytes, str]:
    head, _, tail = line.rpartition(MARK)
    note = json.loads(tail[:-1].decode())
    if not tail.endswith(b"}") or json.dumps(note, ensure_ascii=False).encode() != tail[:-1]:
        raise ValueError("spelling")
    return head, note


def _checkpoint(log: Log, line: bytes, here: int, keys: list[Key]) -> None:
    try:
        head, note = _note(line)
        lines, key, named = _open(note, keys)
        size, root = int(lines[1]), _b64(lines[2])
    except InvalidSignature:
        raise Bad("BAD_SIGNATURE", here) from None
    except (ValueError, IndexError):
        raise Bad("EDITED", here) from None
    if key is None:
        if named or any(item.vkey.split("+")[0] == log.origin.rsplit("-", 2)[0] for item in keys):
            raise Bad("BAD_SIGNATURE", here)
        log.unknown_key = True
    if lines[3:] != ["audit/1 record " + base64.b64encode(sha256(head).digest()).decode()]:
        raise Bad("EDITED", here)
    if key is not None and not key.begins <= line[15:42].decode("utf-8", "replace") <= key.ends:
        raise Bad("KEY_OUT_OF_RANGE", here)
    if lines[0] != log.origin:
        raise Bad("SPLICED", here)
    if size != here or root != log.root(here):
        raise Bad("EDITED", log.sealed, here - 1)


def _place(log: Log, lines: list[bytes], number: int, prev: bytes, keys: list[Key]) -> Bad:
    line, here = lines[number], log.size
    record = _load(line)
    if log.closed:
        return Bad("EDITED", here)
    if number > 0 and _load(lines[number - 1]) is None:
        return Bad("EDITED", here - 1)
    if record is None:
        return Bad("EDITED", here)
    if record.get("gateway.writer") != log.writer:
        return Bad("SPLICED", here)
    if record.get("gateway.prev") == base64.b64encode(prev).decode():
        return Bad("EDITED", here)
    sequence = record.get("event.sequence")
    if not isinstance(sequence, int) or sequence == here:
        following = (_load(lines[number + 1]) if number + 1 < len(lines) else None) or {}
        genuine = following.get("gateway.prev") == base64.b64encode(sha256(b"\x00" + line).digest()).decode()
        genuine = genuine or _is_genuine(line, keys)
        return Bad("EDITED", here - 1 if genuine and here else here)
    if sequence < here or any(b',"event.sequence":%d,' % here in item for item in lines[number + 1 : number + 257]):
        return Bad("REORDERED", min(here, sequence))
    return Bad("GAP", here, sequence - 1)


def _is_genuine(line: bytes, keys: list[Key]) -> bool:
    if MARK not in line:
        return False
    try:
        head, note = _note(line)
        lines, key, _ = _open(note, keys)
    except (ValueError, InvalidSignature):
        return False
    return key is not None and lines[3:] == ["audit/1 record " + base64.b64encode(sha256(head).digest()).decode()]


def _conclude(
    log: Log,
    claim: Json | None,
    pruned: dict[tuple[str, int], Json],
    bad: dict[str, tuple[str, int, int]],
    unproved: set[str],
) -> None:
    unsealed = [number for number in log.voids if number >= log.sealed]
    if unsealed:
        unproved.add("UNSEALED_TAIL")
    if log.unknown_key:
        unproved.add("UNKNOWN_KEY")
    is_unsealed = not log.closed and log.size > log.sealed
    if claim is not None:
        if log.size < claim["gateway.recovered.size"]:
            bad[log.writer] = ("TRUNCATED", log.size, log.size)
        elif log.size > claim["gateway.recovered.size"] or log.root(log.size) != _b64(claim["gateway.recovered.root"]):
            bad[log.writer] = ("FORKED", log.sealed, log.size - 1)
        else:
            is_unsealed = False
    if is_unsealed:
        unproved.add("UNSEALED_TAIL")
    if log.pruned_head is not None:
        index = int(log.pruned_head["gateway.segment.previous"].rsplit(".", 2)[1])
        record = pruned.get((log.writer, index))
        if (
            record is None
            or record["gateway.pruned.last"] + 1 != log.first
            or record["gateway.pruned.leaf"] != log.pruned_head["gateway.prev"]
        ):
            bad[log.writer] = ("MISSING", 0, log.first - 1)
