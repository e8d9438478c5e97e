"""What the store keeps of codes and tokens reads back, and what is damaged counts as not there."""

from __future__ import annotations

import pytest

from gateway.policy.openid import SCOPES, Binding, CodeBinding, TokenRecord
from gateway.provider.kept import dump, read_code, read_token

BINDING = Binding("grant", "client", "session", "shop", "deployment", "sub", 1_763_600_000, SCOPES)


def test_records_read_back_as_they_were() -> None:
    code = CodeBinding(BINDING, "https://shop.example/cb", "n-1", None)
    assert read_code(dump(code)) == code
    for token in (TokenRecord(BINDING, 12.5), TokenRecord(BINDING, 12.5, 3.25)):
        assert read_token(dump(token)) == token


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b"5", b"{}", b'{"binding": 5}', b'{"binding": {"scopes": []}}',
     b'{"binding": {"scopes": [], "more": 1}, "redirect_uri": "", "nonce": null, "challenge": null}'],
)  # fmt: skip
def test_what_is_damaged_or_of_another_version_is_not_there(value: bytes) -> None:
    assert read_code(value) is None
    assert read_token(value) is None


def test_nothing_is_nothing() -> None:
    assert read_token(None) is None
