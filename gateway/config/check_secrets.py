"""Checks every secret of a configuration: it can be read, is not one that anybody knows, and is long enough.

Leaves what a secret is for to the other checks. The rule: a finding never holds a value, or a part of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config import shape
from gateway.config.findings import Finding, Sources, error, warning
from gateway.config.model import Config
from gateway.config.secrets import HASH_PREFIX, Secret, SecretUnreadable, is_known_secret, is_reference
from gateway.config.section import holds_secret
from gateway.policy.jws import shared_secret

MIN_BYTES: Final[dict[str, int]] = {
    "admin.token": 16,
    "keys.guest": 32,
    "tracing.debug_key": 32,
    "backends.X.key": 24,
    "backends.X.previous_key": 24,
    "oidc.clients.X.secret": 16,
    "oidc.clients.X.previous_secret": 16,
    "sites.X.visitors.issuers[].secret": 32,
    "sites.X.visitors.issuers[].previous_secret": 32,
}
"""Least length by key. HS256 asks for 32 bytes (RFC 7518, 3.2); a Zendesk secret is longer."""
_ISSUER_SECRETS: Final = frozenset(f"sites.X.visitors.issuers[].{part}" for part in ("secret", "previous_secret"))
"""A short one is a warning only: an issuer's secret is not ours to choose."""
_NEEDED_OUTSIDE_DEV: Final = {
    "keys.guest": "Put 32 random bytes or more into a file, such as by `openssl rand -base64 48`, and name it here.",
    "audit.key": "Make one with `gateway audit keygen FILE`, and name it here.",
}
"""Keys that are made by themselves in development only, and how to make them."""


def check_secrets(config: Config, sources: Sources) -> Iterator[Finding]:
    """Yield findings about every value that is a secret reference."""
    yield from _check_presence(config)
    for path, pattern, reference in secret_values(config):
        key = shape.written(path)
        if pattern == "store.url" and not is_reference(reference):
            continue  # a plain URL without a password is no secret; check_network sees to the rest
        try:
            secret = sources.secrets.read(reference)
        except SecretUnreadable as fault:
            yield error(key, str(fault), "Give env:NAME, file:PATH or exec:CMD that yields the secret.")
            continue
        for text in secret.warnings:
            yield warning(key, text, "Take reading away from others: chmod 600.")
        if pattern in _ISSUER_SECRETS:
            try:
                shared_secret(secret.reveal())
            except ValueError as fault:
                yield error(
                    key, f"{secret.reference} {fault}", "Give the shared secret itself, as the issuer shows it."
                )
                continue
        if not config.dev:
            yield from _check_strength(key, pattern, secret)


def secret_values(config: Config) -> Iterator[tuple[shape.Path, str, str]]:
    """Yield the path, the key of the model and the reference of every secret that is set."""
    patterns = {key.dotted for key in shape.every_key() if key.is_secret}
    for path, value in shape.leaves(config.model_dump(mode="python")):
        field = shape.field_at(path)
        if isinstance(value, str) and field is not None and holds_secret(field):
            yield path, next(p for p in patterns if _fits(path, p)), value


def _fits(path: shape.Path, pattern: str) -> bool:
    parts = pattern.replace("[]", ".[]").split(".")
    return len(parts) == len(path) and all(
        mark in (part, "X") or (mark == "[]" and isinstance(part, int)) for mark, part in zip(parts, path, strict=True)
    )


def _check_presence(config: Config) -> Iterator[Finding]:
    if config.dev:
        return
    for key, remedy in _NEEDED_OUTSIDE_DEV.items():
        section, name = key.split(".")
        if getattr(getattr(config, section), name) is None:
            yield error(key, "is missing; it is made by itself only with dev = true", remedy)


def _check_strength(key: str, pattern: str, secret: Secret) -> Iterator[Finding]:
    value = secret.reveal()
    if is_known_secret(value):
        yield error(key, f"{secret.reference} is a secret that anybody knows", "Make a new random one.")
        return
    least = MIN_BYTES.get(pattern, 8)
    size = len(secret.reveal_bytes())
    if size >= least or value.startswith(HASH_PREFIX):
        return
    said = f"{secret.reference} holds {size} bytes, of {least} at least"
    if pattern in _ISSUER_SECRETS:
        yield warning(key, said, "Have the issuer make a longer one.")
    else:
        yield error(key, said, "Make a new random one.")
