"""Codes that the gateway asks of itself: only for sites that sign visitors in, bound to the nonce that goes along."""

from __future__ import annotations

import pytest

from gateway.errors import NO_RELYING_PARTY, NOT_SIGNED_IN, Refusal
from gateway.policy.guests import GuestSession
from gateway.provider.answers import Asked
from gateway.provider.own_codes import OwnCodes
from gateway.provider.pages import PageAsk
from tests.provider.parts import NOW

SESSION = GuestSession("s", "shop", "acme", "g", True, "zendesk", "ann", NOW, NOW, NOW + 100, 60, "token")


class Provider:
    """As much of the provider as is asked."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.asked: list[tuple[str, str, PageAsk]] = []

    async def page_code(self, session_id: str, deployment_id: str, ask: PageAsk, asked: Asked) -> dict[str, object]:
        self.asked.append((session_id, deployment_id, ask))
        if self.refusal is not None:
            raise self.refusal
        return {"authCode": "gwc_1", "redirectUri": "https://shop.example/", "nonce": ask.nonce}


def codes(provider: Provider, *, signs_in: bool = True) -> OwnCodes:
    return OwnCodes(lambda: provider, lambda site: signs_in, lambda count: b"n" * count, lambda: NOW)  # type: ignore[arg-type, return-value]  # the part that is asked


async def test_a_code_comes_with_its_nonce() -> None:
    provider = Provider()
    found = await codes(provider).code_for(SESSION, "d1")
    assert found is not None
    assert (found.code, found.redirect_uri, found.nonce) == ("gwc_1", "https://shop.example/", (b"n" * 16).hex())
    assert provider.asked == [("s", "d1", PageAsk(nonce=found.nonce))]
    assert "gwc_1" not in repr(found)


async def test_a_site_without_sign_in_gets_none() -> None:
    provider = Provider()
    assert await codes(provider, signs_in=False).code_for(SESSION, "d1") is None
    assert provider.asked == []


async def test_a_session_that_is_over_gets_none_and_other_refusals_stand() -> None:
    assert await codes(Provider(Refusal(NOT_SIGNED_IN))).code_for(SESSION, "d1") is None
    with pytest.raises(Refusal):
        await codes(Provider(Refusal(NO_RELYING_PARTY))).code_for(SESSION, "d1")
