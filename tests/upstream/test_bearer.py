"""Secrets that do not show, and keys that differ where they must."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from gateway.upstream.bearer import Bearer, ClientCredentials, fingerprint

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
