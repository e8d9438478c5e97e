"""Reads what Genesys answered: the fields that somebody asks about, whether it is usable, and what of it may pass.

Leaves calling to rest.py and the lists of headers to `policy.injection`. The rule: what cannot be searched or filtered
does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson

from gateway.errors import UPSTREAM_BAD_ANSWER, Refusal
from gateway.policy.answer_filter import Tree, compile_ways, picked
from gateway.policy.leaks import masked

HTML: Final = frozenset({b"text/html", b"application/xhtml+xml"})
JSON: Final = b"application/json"


def refusal_in(body: bytes) -> tuple[str | None, str | None]:
    """Code and contextId of a 401's body; None where it is not Genesys' error object."""
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


def refuse_unusable(status: int, fields: Mapping[bytes, bytes]) -> None:
    """Refuse what the API never gives: redirects, HTML, encoded bodies (asked for unencoded, and unsearchable)."""
    if 300 <= status < 400 and status != 304:
        told = f"A redirect ({status})."
    elif fields.get(b"content-type", JSON) != JSON and _is_html(fields[b"content-type"]):
        told = f"HTML with status {status}."
    elif b"content-encoding" in fields and fields[b"content-encoding"].lower() != b"identity":
        told = "An encoded body."
    else:
        return
    raise Refusal(UPSTREAM_BAD_ANSWER, told, retry_after_s=_whole_seconds(fields.get(b"retry-after")))


def _is_html(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() in HTML


def passing_body(body: bytes, fields: Mapping[bytes, bytes], secret: bytes, tree: Tree | None) -> bytes:
    """What of a body passes: only what `tree` lists, where there is one, and nothing that looks like a credential.

    Raises Refusal(UPSTREAM_BAD_ANSWER) for HTML under no name, for one that carries our credential (`secret`, or
    nothing) back, and for one that cannot be filtered.
    """
    if b"content-type" not in fields and body.lstrip()[:1] == b"<":
        raise Refusal(UPSTREAM_BAD_ANSWER, "Markup without a type.")
    if secret and secret in body:
        raise Refusal(UPSTREAM_BAD_ANSWER, "The answer held a credential of the gateway.")
    return masked(body if tree is None or not body else picked_body(body, tree))


def tree_for(ways: tuple[tuple[str, ...], ...], status: int) -> Tree | None:
    """By what the body of such an answer is filtered: by the route's `answer`, unless it is an error; None: not."""
    return tree_of(ways) if ways and 200 <= status < 300 else None


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


def _whole_seconds(text: bytes | None) -> int | None:
    """A Retry-After in seconds."""
    return int(text) if text is not None and text.isdigit() and len(text) < 7 else None
