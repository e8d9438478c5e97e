"""What a token is: told without trusting it, and without telling it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.policy.handles import HandleKind
from gateway.policy.inspection import HANDLES, inspect

NOW = 1_790_000_000.0


def jwt(header: dict[str, Any], claims: dict[str, Any]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("token", "kind", "words"),
    [
        *((kind.value + "A" * 43, "handle", says) for kind, says in HANDLES.items()),
        (jwt({"alg": "HS256", "kid": "app_1"}, {"external_id": "ada"}), "jwt", "Zendesk messaging JWT"),
        (jwt({"alg": "HS256"}, {"email": "a@b.c"}), "jwt", "of an older kind"),
        (jwt({"alg": "RS256"}, {"external_id": "x"}), "jwt", "of an older kind"),
        (jwt({"alg": "RS256"}, {"nonce": "n"}), "jwt", "OpenID id_token"),
        (jwt({"alg": "none"}, {"sub": "x"}), "jwt", "unsigned"),
        (jwt({"alg": "EdDSA"}, {"iss": "crm", "sub": "crm"}), "jwt", "signed assertion"),
        (jwt({"alg": "RS256"}, {"sub": "x"}), "jwt", "another kind"),
        ("goGg3eXDl_veBL4GZIc4OgY-ceZUPb21IKhazssj*", "opaque", "Genesys access token"),
        ("a.b.c", "opaque", "no JWT"),
        ("e30.W10.x", "opaque", "no JWT"),
        ("", "unreadable", "nothing"),
        ("x" * 20_000, "unreadable", "nothing"),
        ("töken", "unreadable", "nothing"),
    ],
)
def test_each_kind_is_told_apart(token: str, kind: str, words: str) -> None:
    found = inspect(f" Bearer {token}\n" if token else token, NOW)
    assert (found.kind, words in found.says) == (kind, True)
    assert token == "" or token not in repr(found)


def test_every_kind_of_handle_has_its_words() -> None:
    assert set(HANDLES) == set(HandleKind)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": NOW + 60}, "good for 60 s more"),
        ({"exp": NOW - 5}, "ended 5 s ago"),
        ({}, "no exp"),
        ({"exp": "soon"}, "no exp"),
        ({"exp": NOW + 60, "nbf": NOW + 30}, "begins in the future"),
        ({"exp": NOW + 60, "iat": NOW + 30}, "clocks"),
    ],
)
def test_times_are_told(claims: dict[str, Any], words: str) -> None:
    assert words in " ".join(inspect(jwt({"alg": "RS256"}, claims), NOW).notes)


def test_what_is_about_a_person_is_named_and_not_shown() -> None:
    found = inspect(jwt({"alg": "RS256", "kid": 7}, {"iss": "us", "email": "ada@shop.example", "name": "Ada"}), NOW)
    assert (found.claims, found.hidden, found.header) == ({"iss": "us"}, ("email", "name"), {"alg": "RS256"})
    assert "ada@" not in repr(found)
