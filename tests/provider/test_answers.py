"""Answers as values."""

from __future__ import annotations

from gateway.provider.answers import Asked, OAuthAnswer


def test_an_answer_is_not_stored_unless_it_says_otherwise() -> None:
    assert OAuthAnswer(200, {}).headers == {"Cache-Control": "no-store", "Pragma": "no-cache"}
    assert OAuthAnswer(200, {}, {"Cache-Control": "public"}).headers == {"Cache-Control": "public"}


def test_an_answer_shows_its_status_only() -> None:
    assert repr(OAuthAnswer(302, None, {"Location": "https://x?code=gwc_secret"})) == "OAuthAnswer(status=302)"


def test_a_request_knows_its_client_only_when_it_is_found_out() -> None:
    assert Asked(1.0).client is None
