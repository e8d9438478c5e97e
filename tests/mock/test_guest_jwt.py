"""The JWTs of guests."""

import pytest

from gateway.mock import guest_jwt

KEY = b"k" * 32


def test_a_token_is_good_until_its_end_by_the_given_clock() -> None:
    token, expires_at = guest_jwt.sign(KEY, guest_jwt.HISTORY, {"session": "s"}, 1000.0, 60)
    assert expires_at == 1060
    assert guest_jwt.read(KEY, guest_jwt.HISTORY, token, 1059.9)["session"] == "s"
    with pytest.raises(guest_jwt.JwtRefused) as refused:
        guest_jwt.read(KEY, guest_jwt.HISTORY, token, 1060.0)
    assert refused.value.reason == "expired"


def test_one_kind_does_not_pass_for_the_other() -> None:
    token, _ = guest_jwt.sign(KEY, guest_jwt.HISTORY, {}, 0.0, 60)
    with pytest.raises(guest_jwt.JwtRefused) as refused:
        guest_jwt.read(KEY, guest_jwt.AUTHENTICATED, token, 1.0)
    assert refused.value.reason == "kind"


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c"])
def test_what_we_did_not_sign_is_unknown(token: str) -> None:
    with pytest.raises(guest_jwt.JwtRefused, match="unknown"):
        guest_jwt.read(KEY, None, token, 0.0)


def test_another_worlds_token_is_unknown() -> None:
    token, _ = guest_jwt.sign(b"o" * 32, guest_jwt.HISTORY, {}, 0.0, 60)
    with pytest.raises(guest_jwt.JwtRefused, match="unknown"):
        guest_jwt.read(KEY, guest_jwt.HISTORY, token, 0.0)
