"""Signed checkpoints: C2SP signed notes with Ed25519, and the verifier keys that open them.

Pure: keys come in, bytes come out. Everything is strict: one spelling per value, so that no byte can change unseen.
https://c2sp.org/signed-note  https://c2sp.org/tlog-checkpoint
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = b"\x01"
_SIGNATURE_START: Final = "\u2014 "
_MAX_SIGNATURES: Final = 16
FOREVER: Final = float("inf")


class NoteError(ValueError):
    """The note cannot be opened; `kind` is MALFORMED, UNKNOWN_KEY or BAD_SIGNATURE."""

    def __init__(self, kind: str, detail: str) -> None:
        """Say which of the three, and why."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


def b64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    """Decode standard base64, refusing any second spelling of the same bytes; raises NoteError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise NoteError("MALFORMED", "not base64") from exc
    if b64(data) != text:
        raise NoteError("MALFORMED", "base64 in an unusual spelling")
    return data


def key_id(name: str, public_key: bytes) -> bytes:
    """Return the four bytes that name an Ed25519 key beside its name."""
    return sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]


def is_key_name(name: str) -> bool:
    """May this be a key's name: not empty, without spaces, plus signs and control characters?"""
    return bool(name) and name.isprintable() and not any(char.isspace() or char == "+" for char in name)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A trusted public key, the name it signs under, and the time in which its signatures count."""

    name: str
    public_key: bytes
    not_before: float = 0.0
    not_after: float = FOREVER

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand in each of its signatures."""
        return key_id(self.name, self.public_key)

    @property
    def vkey(self) -> str:
        """The text form that C2SP tools read: name, key id, type and key."""
        return f"{self.name}+{self.key_id.hex()}+{b64(ED25519 + self.public_key)}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Is this the key's signature over the text?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def parse_vkey(vkey: str, not_before: float = 0.0, not_after: float = FOREVER) -> VerifierKey:
    """Read a verifier key; raises NoteError when it is malformed, of another type, or its key id does not fit."""
    parts = vkey.strip().split("+", 2)
    if len(parts) != 3 or not is_key_name(parts[0]):
        raise NoteError("MALFORMED", "a verifier key is name+hex+base64")
    data = unb64(parts[2])
    if data[:1] != ED25519 or len(data) != 33:
        raise NoteError("MALFORMED", "not an Ed25519 verifier key")
    key = VerifierKey(parts[0], data[1:], not_before, not_after)
    if key.key_id.hex() != parts[1]:
        raise NoteError("MALFORMED", "the key id does not belong to the key")
    return key


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the name it signs under."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.private_key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signed note over the text; raises NoteError when the text cannot be one."""
        _check_text(text)
        signature = self.verifier.key_id + self.private_key.sign(text.encode())
        return f"{text}\n{_SIGNATURE_START}{self.name} {b64(signature)}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of one log: origin, number of records, root, and extension lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), b64(self.root), *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a note's text as a checkpoint; raises NoteError."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NoteError("MALFORMED", "a checkpoint has three or more non-empty lines")
    if not (lines[1].isascii() and lines[1].isdecimal()) or str(int(lines[1])) != lines[1]:
        raise NoteError("MALFORMED", "the size is no plain decimal")
    root = unb64(lines[2])
    if len(root) != 32:
        raise NoteError("MALFORMED", "the root is no SHA-256")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(ord(char) < 0x20 and char != "\n" for char in text):
        raise NoteError("MALFORMED", "a note's text ends with a newline and has no other control character")


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text and the (key name, key id and signature) pairs of a note; raises NoteError."""
    _check_text(note)
    text, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or lines.pop() or not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise NoteError("MALFORMED", "no text, blank line and signature lines")
    found = []
    for line in lines:
        name, _, signature = line.removeprefix(_SIGNATURE_START).partition(" ")
        if not line.startswith(_SIGNATURE_START) or not is_key_name(name):
            raise NoteError("MALFORMED", "not a signature line")
        data = unb64(signature)
        if len(data) < 5:
            raise NoteError("MALFORMED", "signature too short")
        found.append((name, data))
    return f"{text}\n", found


def open_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, VerifierKey]:
    """Return the text and the first trusted key that signed it; a failing signature of a known key spoils the note."""
    text, signatures = split_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    signers: list[VerifierKey] = []
    for name, data in signatures:
        key = known.get((name, data[:4]))
        if key is None:
            continue
        if not key.accepts(text, data[4:]):
            raise NoteError("BAD_SIGNATURE", f"signature of {name}")
        signers.append(key)
    if not signers:
        raise NoteError("UNKNOWN_KEY", "no signature of a trusted key")
    return text, signers[0]


def split_notes(document: str) -> Sequence[str]:
    """Cut a document into the notes it holds one after the other, blank lines between them allowed."""
    notes: list[str] = []
    lines: list[str] = []
    for line in document.splitlines():
        if lines and lines[-1].startswith(_SIGNATURE_START) and not line.startswith(_SIGNATURE_START):
            notes.append("\n".join(lines) + "\n")
            lines = []
        if line or lines:
            lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    if lines:
        notes.append("\n".join(lines) + "\n")
    return notes
