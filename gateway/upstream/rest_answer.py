"""Reads what Genesys answered: the fields that somebody asks about, whether it is usable, and what of it may pass.

Leaves calling to rest.py and the lists of headers to `policy.injection`. The rule: what cannot be searched or filtered
does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import orjson

from gateway.errors import UPSTREAM_BAD_ANSWER, Refusal
from gateway.policy.answer_filter import Tree, compile_ways, picked
from gateway.policy.injection import PASSED_ANSWER_HEADERS, contains_secret
from gateway.upstream.answer import Answer
from gateway.upstream.framing import Header

REFUSAL_BYTES: Final = 65_536
HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
ASKED: Final = PASSED_ANSWER_HEADERS | {"connection", "content-encoding"}
MAX_KNOWN_NAMES: Final = 1_024
_asked_names: dict[bytes, str] = {}  # spelling as received -> lower-case name, "" for fields that nobody asks about


async def read_refusal(answer: Answer) -> tuple[str | None, str | None]:
    """Code and contextId of a 401's body; None where it is not Genesys' error object."""
    body = await answer.read(REFUSAL_BYTES)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(document, dict):
        return None, None
    code, context_id = document.get("code"), document.get("contextId")
    return (
        code[:64] if isinstance(code, str) else None,
        context_id[:64] if isinstance(context_id, str) else None,
    )


def fields_of(headers: Sequence[Header]) -> dict[str, str]:
    """The fields that somebody asks about, by lower-case name, the first of each; Connection in one piece."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key = _asked_names.get(name)
        if key is None:
            key = _learn(name)
        if key and key not in fields:
            fields[key] = value.decode("latin-1")
        elif key == "connection":
            fields[key] += "," + value.decode("latin-1")
    return fields


def _learn(name: bytes) -> str:
    """The lower-case name of a field that somebody asks about, or nothing; remembered."""
    key = name.decode("latin-1").lower()
    key = key if key in ASKED else ""
    if len(_asked_names) < MAX_KNOWN_NAMES:
        _asked_names[name] = key
    return key


def refuse_unusable(status: int, fields: Mapping[str, str]) -> None:
    """Refuse what the API never gives: redirects, HTML, encoded bodies (asked for unencoded, and unsearchable)."""
    if 300 <= status < 400 and status != 304:
        told = f"A redirect ({status})."
    elif fields.get("content-type", "").partition(";")[0].strip().lower() in HTML:
        told = f"HTML with status {status}."
    elif fields.get("content-encoding", "identity").strip().lower() != "identity":
        told = "An encoded body."
    else:
        return
    raise Refusal(UPSTREAM_BAD_ANSWER, told, retry_after_s=_whole_seconds(fields.get("retry-after")))


def refuse_body(body: bytes, fields: Mapping[str, str], secrets: tuple[bytes, ...]) -> None:
    """Refuse a body that is HTML under no name, or that carries our credential back."""
    if "content-type" not in fields and body.lstrip()[:1] == b"<":
        raise Refusal(UPSTREAM_BAD_ANSWER, "Markup without a type.")
    if contains_secret(body, secrets):
        raise Refusal(UPSTREAM_BAD_ANSWER, "The answer held a credential of the gateway.")


@lru_cache(maxsize=1_024)
def tree_of(ways: tuple[tuple[str, ...], ...]) -> Tree:
    """A route's `answer` as a tree, compiled once."""
    return compile_ways(ways)


def picked_body(body: bytes, tree: Tree) -> bytes:
    """What of a JSON body passes. Raises Refusal(UPSTREAM_BAD_ANSWER): what cannot be filtered does not pass."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refusal(UPSTREAM_BAD_ANSWER, "The answer is not the JSON that this route filters.") from exc
    return orjson.dumps(picked(document, tree))


def _whole_seconds(text: str | None) -> int | None:
    """A Retry-After in seconds."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 7 else None
