"""Codes and tokens as the store keeps them: JSON without anything secret or personal in it.

The words themselves (codes, tokens) are never kept, only their digests, as keys. Rule kept: what was written by an
older or newer version and does not read back counts as not there.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.policy.openid import Binding, CodeBinding, TokenRecord


def dump(record: CodeBinding | TokenRecord) -> bytes:
    """The record as bytes."""
    return orjson.dumps(record)


def read_code(value: bytes) -> CodeBinding | None:
    """The code's record, or None for bytes that are none."""
    try:
        kept = orjson.loads(value)
        return CodeBinding(_binding(kept["binding"]), kept["redirect_uri"], kept["nonce"], kept["challenge"])
    except (ValueError, KeyError, TypeError):
        return None


def read_token(value: bytes | None) -> TokenRecord | None:
    """The token's record, or None for bytes that are none."""
    if value is None:
        return None
    try:
        kept = orjson.loads(value)
        return TokenRecord(_binding(kept["binding"]), kept["expires_at"], kept["used_at"])
    except (ValueError, KeyError, TypeError):
        return None


def _binding(kept: dict[str, Any]) -> Binding:
    return Binding(**{**kept, "scopes": tuple(kept["scopes"])})
