"""The ring of id_token signing keys, shared by every process that sees its directory: signing, key set, rotation.

Leaves files to `provider.key_files` and the phases of keys to `policy.signing_keys`. Rules kept: a key id is an RFC
7638 thumbprint and never comes twice, a key is published before it signs, and a retired key loses its private half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.types import Options

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.signing_keys import KeyEntry, Phase, current_key, in_order, phases, started_now, withdrawn
from gateway.provider.key_files import EMPTY, KeyFiles, KeyRingFault, Ring, base64url

RSA_BITS: Final = 2048
"""Enough until 2030 (NIST SP 800-57 part 1 table 2), and every relying party takes it."""
_SIGNATURE_ONLY: Final[Options] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip


class KeyRing:
    """The signing keys of one directory. Every use looks whether the list has changed, which costs one `stat`."""

    def __init__(self, directory: Path, *, keep_s: float, make: Callable[[], RSAPrivateKey] | None = None) -> None:
        """`keep_s`: how long a retired key stays published: the longest id_token's life and the caches' margin.

        `make`: makes a new private key; for tests.
        """
        self._files = KeyFiles(directory)
        self._keep_s = keep_s
        self._make = make or _new_key
        self._ring = EMPTY
        self._version: tuple[int, int, int] | None = None
        self._private: tuple[str, RSAPrivateKey] | None = None
        self._fault: str | None = None

    def __repr__(self) -> str:
        return f"KeyRing({self._files.directory})"

    # --- for the provider -------------------------------------------------------------------------------------------

    def ensure(self, now: float) -> None:
        """Make directory and first key where there are none; of several processes one does it.

        Raises KeyRingFault.
        """
        if self._files.read().entries:
            return  # also where the directory is mounted read-only
        with self._files.locked():
            if not self._files.read().entries:
                # nobody can have cached a key set yet, so the first key signs at once
                self._add(EMPTY, now, now)

    def sign(self, claims: Mapping[str, Any], now: float) -> str:
        """The claims as a JWT of the current key. Raises Refusal(SIGNING_KEY_UNAVAILABLE)."""
        entry = current_key(self._fresh().entries, now)
        if entry is None:
            raise Refusal(errors.SIGNING_KEY_UNAVAILABLE, retry_after_s=5)
        try:
            key = self._private_key(entry.kid)
        except KeyRingFault as exc:
            raise Refusal(errors.SIGNING_KEY_UNAVAILABLE, retry_after_s=5) from exc
        return jwt.encode(dict(claims), key, algorithm="RS256", headers={"kid": entry.kid})

    def jwks(self, now: float) -> dict[str, object]:
        """The key set: every key that is next, current or retired (RFC 7517), the current one first."""
        return {"keys": self._published(now)}

    def subject_of(self, id_token: str, issuer: str, now: float) -> str | None:
        """The subject of an id_token that this ring signed, even if it is expired; None for any other word."""
        try:
            kid = jwt.get_unverified_header(id_token).get("kid")
            members = next((key for key in self._published(now) if key["kid"] == kid), None)
            if members is None:
                return None
            claims = jwt.decode(id_token, jwt.PyJWK(members), algorithms=["RS256"], options=_SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError):
            return None
        subject = claims.get("sub")
        return subject if claims.get("iss") == issuer and isinstance(subject, str) else None

    def ready(self, now: float) -> str | None:
        """None when the ring can sign; else why not, in words without paths or secrets."""
        entry = current_key(self._fresh().entries, now)
        if entry is None:
            return self._fault or "there is no signing key"
        try:
            self._private_key(entry.kid)
        except KeyRingFault as exc:
            return str(exc)
        return self._fault

    # --- for the operator -------------------------------------------------------------------------------------------

    def overview(self, now: float) -> list[tuple[KeyEntry, Phase]]:
        """Every key in the list with its phase, oldest first. Raises KeyRingFault."""
        ring = self._files.read()
        phase = phases(ring.entries, now, self._keep_s)
        return [(entry, phase[entry.kid]) for entry in sorted(ring.entries, key=lambda entry: entry.created_at)]

    def rotate(self, now: float, ahead_s: float) -> KeyEntry:
        """Publish a new key that will sign in `ahead_s`. Raises KeyRingFault when one is waiting already."""
        with self._files.locked():
            ring = self._files.read()
            waiting = [entry for entry in in_order(ring.entries) if entry.signs_from > now]
            if waiting:
                raise KeyRingFault(f"{waiting[0].kid} is published and waits for its time; use --now to let it sign")
            return self._add(ring, now, now + ahead_s if ring.entries else now)

    def rotate_now(self, now: float) -> KeyEntry:
        """Let the waiting key sign from now on, or a new one where none waits.

        Relying parties that keep the key set cached refuse what a brand-new key signs until they fetch it again.
        """
        with self._files.locked():
            ring = self._files.read()
            waiting = [entry for entry in in_order(ring.entries) if entry.signs_from > now]
            if not waiting:
                return self._add(ring, now, now)
            entries = started_now(ring.entries, waiting[0].kid, now)
            self._write(Ring(tuple(entries), ring.public, ring.seen), now)
            return next(entry for entry in entries if entry.kid == waiting[0].kid)

    def withdraw(self, kid: str, now: float) -> None:
        """Unpublish a key that is no longer to be trusted, at once; what it signed is refused from then on.

        Raises KeyRingFault for an unknown key, or for the last one.
        """
        with self._files.locked():
            ring = self._files.read()
            entries = withdrawn(ring.entries, kid, now)
            if kid not in ring.public:
                raise KeyRingFault(f"there is no key {kid}; `gateway keys list` names them")
            if current_key(entries, now) is None:
                raise KeyRingFault(f"{kid} is the only key; rotate --now first")
            self._write(Ring(tuple(entries), ring.public, ring.seen), now)

    # --- within -------------------------------------------------------------------------------------------------------

    def _published(self, now: float) -> list[dict[str, str]]:
        ring = self._fresh()
        phase = phases(ring.entries, now, self._keep_s)
        order = (Phase.CURRENT, Phase.NEXT, Phase.RETIRED)
        shown = [entry for wanted in order for entry in in_order(ring.entries) if phase[entry.kid] is wanted]
        return [{**ring.public[entry.kid], "kid": entry.kid, "use": "sig", "alg": "RS256"} for entry in shown]

    def _fresh(self) -> Ring:
        """The ring as the directory has it now. A reading that fails keeps the old one, and is said by `ready`."""
        try:
            version = self._files.version()
            if version != self._version:
                ring = self._files.read()
                if self._ring.entries and not ring.entries:
                    raise KeyRingFault("the list of signing keys is gone")
                self._ring, self._version = ring, version
            self._fault = None
        except KeyRingFault as exc:
            self._fault = str(exc)
        return self._ring

    def _add(self, ring: Ring, now: float, signs_from: float) -> KeyEntry:
        key = self._make()
        numbers = key.public_key().public_numbers()
        members = {"kty": "RSA", "n": _base64url_uint(numbers.n), "e": _base64url_uint(numbers.e)}
        entry = KeyEntry(thumbprint(members), now, signs_from)
        if entry.kid in ring.seen:
            raise KeyRingFault(f"{entry.kid} was a key before; a key id is never used again")
        self._files.keep_private(entry.kid, key)
        public = {**ring.public, entry.kid: members}
        self._write(Ring((*ring.entries, entry), public, ring.seen | {entry.kid}), now)
        return entry

    def _write(self, ring: Ring, now: float) -> None:
        """Replace the list, without keys that are gone; then delete private halves that sign no more."""
        phase = phases(ring.entries, now, self._keep_s)
        kept = tuple(entry for entry in ring.entries if phase[entry.kid] is not Phase.GONE)
        self._files.write(Ring(kept, ring.public, ring.seen))
        signing = {kid for kid, where in phase.items() if where in (Phase.CURRENT, Phase.NEXT)}
        self._files.drop_private(ring.seen - signing)

    def _private_key(self, kid: str) -> RSAPrivateKey:
        if self._private is None or self._private[0] != kid:
            self._private = (kid, self._files.load_private(kid))
        return self._private[1]


def thumbprint(members: Mapping[str, str]) -> str:
    """The key id of an RSA public key in JWK members (RFC 7638 section 3)."""
    needed = {name: members[name] for name in ("e", "kty", "n")}
    return base64url(hashlib.sha256(orjson.dumps(needed, option=orjson.OPT_SORT_KEYS)).digest())


def _new_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _base64url_uint(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def keep_s(id_token_s: float, publish_ahead_s: float) -> float:
    """How long a retired key stays published: the longest id_token's life, and as long again as keys are cached."""
    return id_token_s + publish_ahead_s
