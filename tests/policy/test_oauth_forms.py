"""Forms and credentials of the OAuth endpoints, as tables of what is read and what is refused."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.oauth_forms import (
    FORM_TYPE,
    JWT_BEARER_ASSERTION,
    MAX_FORM_BYTES,
    Form,
    client_credentials,
    parse_basic,
    parse_form,
    parse_parameters,
    secret_digest,
    which_accepted,
)

WORDS = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1)


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return "Basic " + base64.b64encode(raw).decode()


def reason_of(call: object, *arguments: object) -> Reason:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1+2%2B3", {"a": "1 2+3"}),
        ("a=%C3%A9", {"a": "é"}),
        ("a=%c3%a9", {"a": "é"}),
        ("redirect_uri=https://shop.example/x", {"redirect_uri": "https://shop.example/x"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=&b", {}),
    ],
)
def test_well_formed_parameters_are_read(text: str, parameters: dict[str, str]) -> None:
    assert dict(parse_parameters(text).parameters) == parameters


@pytest.mark.parametrize(
    "text",
    ["a=1&a=2", "a=1&a=", "a&a", "a=1&&b=2", "a=1&", "&a=1", "=1", "a=%", "a=%1", "a=%zz", "a=%FF", "a=%00",
     "a=%0d%0aX", "a=%7F", "a b=1", "a=\xe9", "a=1\n", "&".join(f"p{i}=1" for i in range(33))],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(text: str) -> None:
    assert reason_of(parse_parameters, text) is errors.OAUTH_REQUEST


@given(st.dictionaries(WORDS, WORDS, max_size=8))
def test_what_a_standard_encoder_writes_is_read_back(parameters: dict[str, str]) -> None:
    assert dict(parse_parameters(urlencode(parameters)).parameters) == parameters


@pytest.mark.parametrize(
    "content_type", [FORM_TYPE, f"{FORM_TYPE}; charset=UTF-8", f"{FORM_TYPE.upper()};charset=utf-8"]
)
def test_form_in_utf8_is_taken(content_type: str) -> None:
    assert parse_form(content_type, b"a=1").get("a") == "1"


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", f"{FORM_TYPE}; charset=latin-1", "multipart/form-data"]
)
def test_other_media_types_are_refused(content_type: str | None) -> None:
    assert reason_of(parse_form, content_type, b"a=1") is errors.MEDIA_TYPE


def test_too_large_form_is_refused() -> None:
    assert reason_of(parse_form, FORM_TYPE, b"a=" + b"x" * MAX_FORM_BYTES) is errors.BODY_TOO_LARGE


def test_missing_parameter_is_named() -> None:
    with pytest.raises(Refusal, match="grant_type is missing"):
        parse_parameters("a=1").require("grant_type")
    assert parse_parameters("grant_type=x").require("grant_type") == "x"


def test_form_shows_names_and_no_values() -> None:
    assert repr(parse_parameters("code=gwc_hidden&client_secret=s3cr3t")) == "Form(client_secret, code)"


@pytest.mark.parametrize("secret", ["plain", "with space", "p+l%us", "ümlaut:colon", "a%2Bb"])
def test_basic_credentials_are_form_url_decoded(secret: str) -> None:
    """RFC 6749 section 2.3.1."""
    found = parse_basic(basic(f"{quote_plus('client é')}:{quote_plus(secret)}"))
    assert found.client_id == "client é"
    assert secret in found.secrets


@pytest.mark.parametrize("secret", ["plain", "p+l%us", "100%", "a%2Bb"])
def test_basic_credentials_that_were_not_encoded_are_understood_too(secret: str) -> None:
    """The official Genesys SDKs leave the encoding out."""
    assert secret in parse_basic(basic(f"id:{secret}")).secrets


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Bearer abc", basic("nocolon"), basic(":secret"), basic(b"\xff:x"), "Basic YQ", "basic a b"],
)
def test_malformed_basic_credentials_are_refused(header: str) -> None:
    assert reason_of(parse_basic, header) is errors.CLIENT_INVALID


def test_scheme_name_has_no_case() -> None:
    assert parse_basic(basic("id:x").replace("Basic", "bAsIc")).client_id == "id"


def form(**parameters: str) -> Form:
    return parse_parameters(urlencode(parameters))


def test_credentials_in_the_body_are_read() -> None:
    found = client_credentials(form(client_id="id", client_secret="s e"), None)
    assert (found.client_id, found.method, found.secrets) == ("id", "client_secret_post", ("s e",))


@pytest.mark.parametrize(
    ("parameters", "header", "reason"),
    [
        ({"client_id": "id", "client_secret": "s"}, basic("id:s"), errors.OAUTH_REQUEST),
        ({"client_assertion": "a.b.c"}, basic("id:s"), errors.OAUTH_REQUEST),
        ({"client_id": "id", "client_secret": "s", "client_assertion": "a.b.c"}, None, errors.OAUTH_REQUEST),
        ({"client_id": "other"}, basic("id:s"), errors.OAUTH_REQUEST),
        ({"client_assertion": "a.b.c", "client_assertion_type": "urn:x"}, None, errors.OAUTH_REQUEST),
        ({"client_assertion": "a.b.c"}, None, errors.OAUTH_REQUEST),
        ({}, None, errors.CLIENT_INVALID),
        ({"client_id": "id"}, None, errors.CLIENT_INVALID),
        ({"client_secret": "s"}, None, errors.CLIENT_INVALID),
    ],
)
def test_credentials_stand_in_exactly_one_place(parameters: dict[str, str], header: str | None, reason: Reason) -> None:
    assert reason_of(client_credentials, form(**parameters), header) is reason


@pytest.mark.parametrize("named", ["i d", "i+d"])
def test_client_id_in_the_body_may_repeat_that_of_the_header(named: str) -> None:
    assert client_credentials(form(client_id=named), basic("i+d:s")).client_id == "i d"


def test_assertion_is_read_with_or_without_client_id() -> None:
    parameters = {"client_assertion": "a.b.c", "client_assertion_type": JWT_BEARER_ASSERTION}
    assert client_credentials(form(**parameters), None).client_id == ""
    found = client_credentials(form(**parameters, client_id="id"), None)
    assert (found.client_id, found.method, found.assertion) == ("id", "private_key_jwt", "a.b.c")


def test_credentials_hide_their_secrets() -> None:
    shown = repr(client_credentials(form(client_id="id", client_secret="s3cr3t"), None))
    assert "s3cr3t" not in shown
    assert "id" in shown


def test_a_secret_is_accepted_by_its_digest_only() -> None:
    current, previous = secret_digest("new"), secret_digest("old")
    assert which_accepted(("new",), (current, previous)) == current
    assert which_accepted(("x", "old"), (current, previous)) == previous
    assert which_accepted(("x",), (current, previous)) is None
    assert which_accepted((), (current,)) is None
    assert which_accepted(("new",), ()) is None
    assert which_accepted((current.hex(),), (current,)) is None
