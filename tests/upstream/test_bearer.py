"""Secrets that do not show, and keys that differ where they must."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from gateway.upstream.bearer import Bearer, ClientCredentials, Credential, fingerprint

CLIENT = ClientCredentials("acme", "eu-west-1", "https://login.example", "closer", "id-1", "s3cret-A")
CANARY = "canary-token-value"


def test_bearer_shows_which_not_what() -> None:
    bearer = Bearer(CANARY, CLIENT.key)
    for text in (repr(bearer), str(bearer), f"{bearer}", f"{bearer!r}", "%s" % bearer):  # noqa: UP031 - every way to print
        assert CANARY not in text
        assert fingerprint(CANARY) in text
    assert bearer.reveal() == CANARY


def test_bearer_is_not_serialised() -> None:
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            spread(Bearer(CANARY, CLIENT.key))
        with pytest.raises(TypeError):
            spread(Credential(CANARY))


def test_a_credential_is_the_line_and_the_secret_of_its_token_made_once_and_hidden() -> None:
    bearer = Bearer(CANARY, CLIENT.key)
    credential = bearer.credential()
    assert bearer.credential() is credential
    assert (credential.line, credential.secret) == (
        b"authorization: Bearer " + CANARY.encode() + b"\r\n",
        CANARY.encode(),
    )
    assert CANARY not in f"{credential!r} {credential}"


@pytest.mark.parametrize("token", ["a\r\nX: y", "a\nb", "a\x00b", "\u00e9", "a\tb"])
def test_a_token_that_could_start_a_second_line_is_no_credential(token: str) -> None:
    with pytest.raises(ValueError, match="authorization: not printable ASCII"):
        Bearer(token, CLIENT.key).credential()


def test_credentials_and_keys_hide_their_secrets() -> None:
    both = replace(CLIENT, previous_secret="s3cret-0")
    assert "s3cret" not in repr(both) + repr(both.key)


@pytest.mark.parametrize(
    "change",
    [{"org": "x"}, {"region": "x"}, {"login_url": "x"}, {"client": "x"}, {"client_id": "x"}, {"secret": "x"},
     {"previous_secret": "x"}],
)  # fmt: skip
def test_key_differs_with_every_part(change: dict[str, Any]) -> None:
    assert replace(CLIENT, **change).key != CLIENT.key
