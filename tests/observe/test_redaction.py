"""What must not be shown is taken out by form, by name and by value, however it is written."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.redaction import REDACTED, Redactor, is_secret_name, scrub

SECRET = "canary-7f3c9ad1-s3cr3t"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[jwt]"), ("got gws_abcdefghijklmnop1234 back",
            "got [handle] back"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"), ("bearer abcdef123456", "bearer [redacted]"),
        ("https://user:pass@h.example/a", "https://[redacted]@h.example/a"),
        ("GET https://h.example/a?token=1&b=2 failed", "GET https://h.example/a?[redacted] failed"),
        ("GET /a/b?code=123 HTTP/1.1", "GET /a/b?[redacted] HTTP/1.1"), ("client_secret=abc&x=1",
            "client_secret=[redacted]&x=1"),
        ('{"access_token":"abc"}', '{"access_token":"[redacted]"}'), ("mail ann.o@shop.example now",
            "mail [email] now"),
        ("ann%40shop.example", "[email]"), ("from 192.0.2.77 to", "from 192.0.2.0 to"), ("[2001:db8:1:2::5]:443",
            "[2001:db8:1::]:443"),
        ("::ffff:1", "::"), ("at 2026-11-20T05:21:49Z", "at 2026-11-20T05:21:49Z"), ("version 3.14.5",
            "version 3.14.5"),
        ("plain words", "plain words"),
    ],
)  # fmt: skip
def test_forms(text: str, shown: str) -> None:
    assert scrub(text) == shown


def spellings(secret: str) -> list[str]:
    raw = secret.encode()
    inside = [base64.b64encode(b"x" * n + raw + b"y" * m).decode() for n in range(3) for m in range(3)]
    return [secret, quote(secret, safe=""), raw.hex(), *inside, base64.urlsafe_b64encode(raw).decode()]


def has_piece(secret: str, text: str) -> bool:
    """Does the text hold any 16 characters of any plain spelling of the secret?"""
    raw = secret.encode()
    plain = [secret, raw.hex(), base64.b64encode(raw).decode().rstrip("=")]
    return any(item[at : at + 16] in text for item in plain for at in range(len(item) - 15))


@pytest.mark.parametrize("spelling", spellings(SECRET))
def test_a_known_secret_is_found_in_every_spelling(spelling: str) -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    shown = redactor.text(f"before {spelling} after")
    assert REDACTED in shown
    assert not has_piece(SECRET, shown)


def test_a_short_value_is_not_learned_and_nothing_known_is_shown() -> None:
    redactor = Redactor()
    redactor.learn("abc")
    assert redactor.text("abc") == "abc"
    redactor.learn(SECRET)
    assert SECRET not in repr(redactor)


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Set-Cookie", "client_secret", "x-api-key", "refresh_token", "body", "raw_query", "id_token"],
)
def test_names_that_are_never_shown(name: str) -> None:
    assert is_secret_name(name)
    assert Redactor().fields({name: "x"}) == {name: REDACTED}


@pytest.mark.parametrize(
    "name",
    ["token_count", "gateway.token.expires", "gateway.ref.token", "site", "request_bytes", "gateway.secret.name"],
)
def test_names_that_may(name: str) -> None:
    assert not is_secret_name(name)


def test_values_are_walked() -> None:
    redactor = Redactor()
    fields = {
        "a": {"token": "x", "b": ["me@shop.example", 1, None]},
        "e": ValueError("https://h/?t=1"),
        "d": b"raw",
        "n": 1.5,
    }
    assert redactor.fields(fields) == {
        "a": {"token": REDACTED, "b": ["[email]", 1, None]}, "e": "ValueError", "d": "[3 bytes]", "n": 1.5,
    }  # fmt: skip


def test_depth_is_bounded() -> None:
    deep: dict[str, object] = {}
    deep["x"] = deep
    assert REDACTED in str(Redactor().fields(deep))


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(scrub(text), str)
    assert scrub(scrub(text)) == scrub(scrub(scrub(text)))
