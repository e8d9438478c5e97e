"""Relying parties: who they are, and for whose pages they get codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.oauth_forms import Credentials, secret_digest
from gateway.provider.parties import RelyingParties
from tests.provider.parts import GENESYS, OTHER_PARTY, SECRET

PARTIES = RelyingParties([GENESYS, OTHER_PARTY])


def credentials(client_id: str, *secrets: str) -> Credentials:
    return Credentials(client_id, "client_secret_post", secrets)


def test_id_and_secret_prove_a_client() -> None:
    assert PARTIES.authenticate(credentials("genesys-client", "wrong reading", SECRET)) is GENESYS


def test_the_secret_before_rotation_works_in_the_overlap() -> None:
    rotating = replace(GENESYS, secret_digests=(secret_digest("new"), *GENESYS.secret_digests))
    parties = RelyingParties([rotating])
    for secret in ("new", SECRET):
        assert parties.authenticate(credentials("genesys-client", secret)) is rotating


@pytest.mark.parametrize(("client_id", "secret"), [("genesys-client", "another"), ("nobody", SECRET), ("", "")])
def test_unknown_id_and_wrong_secret_answer_alike(client_id: str, secret: str) -> None:
    with pytest.raises(Refusal) as caught:
        PARTIES.authenticate(credentials(client_id, secret))
    assert (caught.value.reason, caught.value.detail) == (errors.CLIENT_INVALID, "")


def test_a_client_that_names_the_site_comes_before_one_for_all() -> None:
    for_blog = replace(OTHER_PARTY, sites=frozenset({"blog"}))
    parties = RelyingParties([GENESYS, for_blog])
    assert parties.for_site("blog") is for_blog
    assert parties.for_site("shop") is GENESYS
    with pytest.raises(Refusal) as caught:
        RelyingParties([for_blog]).for_site("shop")
    assert caught.value.reason is errors.NO_RELYING_PARTY


def test_two_clients_share_no_id_and_a_bad_replacement_keeps_the_old() -> None:
    parties = RelyingParties([GENESYS])
    with pytest.raises(ValueError, match="twice"):
        parties.replace([GENESYS, replace(OTHER_PARTY, client_id="genesys-client")])
    assert parties.find("genesys-client") is GENESYS
    parties.replace([OTHER_PARTY])
    assert parties.find("genesys-client") is None


def test_nothing_shows_a_secret() -> None:
    assert GENESYS.secret_digests[0].hex() not in repr(GENESYS)
    assert "secret" not in repr(GENESYS)
