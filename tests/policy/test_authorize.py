"""Authorization requests: what is granted, what is sent back, and what is never redirected."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.authorize import (
    AuthorizationRequest,
    SentBack,
    check_login,
    code_redirect,
    error_redirect,
    login_required,
    read_request,
)
from gateway.policy.oauth_forms import parse_parameters

NOW = 1_763_600_000.0
REDIRECT = "https://shop.example/cb?keep=1"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENTS = {"genesys": (REDIRECT, "https://shop.example/other")}
GOOD = {"client_id": "genesys", "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid", "state": "s-1"}


def read(**changes: str) -> AuthorizationRequest:
    return read_request(parse_parameters(urlencode(GOOD | changes)), CLIENTS.get)


def query_of(uri: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(uri).query))


def test_a_plain_request_is_read() -> None:
    assert read() == AuthorizationRequest("genesys", REDIRECT, ("openid",), "s-1", None, None, None, frozenset())


def test_everything_that_it_may_say_is_read() -> None:
    request = read(
        scope="email openid unknown offline_access", nonce="n-1", code_challenge=CHALLENGE,
        code_challenge_method="S256", max_age="600", prompt="none", response_mode="query", login_hint="anna",
        display="popup",
    )  # fmt: skip
    assert request.scopes == ("openid", "email", "offline_access")
    assert (request.nonce, request.challenge, request.max_age_s) == ("n-1", CHALLENGE, 600)
    assert request.prompts == frozenset({"none"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": ""}, errors.OAUTH_REQUEST),
        ({"client_id": "nobody"}, errors.CLIENT_INVALID),
        ({"redirect_uri": ""}, errors.REDIRECT_UNKNOWN),
        ({"redirect_uri": REDIRECT + "&more=1"}, errors.REDIRECT_UNKNOWN),
        ({"redirect_uri": "https://shop.example/cb"}, errors.REDIRECT_UNKNOWN),
        ({"redirect_uri": "https://shop.example.evil.example/cb?keep=1"}, errors.REDIRECT_UNKNOWN),
        ({"redirect_uri": "javascript:alert(1)"}, errors.REDIRECT_UNKNOWN),
    ],
)
def test_nothing_goes_to_an_address_that_is_not_the_clients_own(changes: dict[str, str], reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        read(**changes)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": ""}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"code_challenge": "x", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"nonce": "ü"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://x.example"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_other_faults_are_sent_back_with_the_state(changes: dict[str, str], error: str) -> None:
    with pytest.raises(SentBack) as caught:
        read(**changes)
    answer = query_of(error_redirect(caught.value, None))
    assert (answer["error"], answer["state"], answer["keep"]) == (error, "s-1", "1")


def test_an_overlong_state_is_sent_back_without_itself() -> None:
    with pytest.raises(SentBack) as caught:
        read(state="s" * 2049)
    assert "state" not in query_of(error_redirect(caught.value, None))


@pytest.mark.parametrize(
    ("changes", "auth_time"),
    [({}, NOW - 1e6), ({"max_age": "600"}, NOW - 600), ({"prompt": "none"}, NOW), ({"prompt": "consent"}, NOW)],
)
def test_a_visitor_who_is_signed_in_satisfies_the_request(changes: dict[str, str], auth_time: float) -> None:
    check_login(read(**changes), auth_time, NOW)


@pytest.mark.parametrize(
    ("changes", "auth_time"),
    [({"max_age": "600"}, NOW - 601), ({"prompt": "login"}, NOW), ({"prompt": "select_account"}, NOW)],
)
def test_what_would_need_a_page_of_ours_is_sent_back(changes: dict[str, str], auth_time: float) -> None:
    with pytest.raises(SentBack) as caught:
        check_login(read(**changes), auth_time, NOW)
    assert caught.value.error == "login_required"


def test_a_code_comes_with_state_and_keeps_the_uris_query() -> None:
    assert code_redirect(read(), "gwc_x", None) == f"{REDIRECT}&code=gwc_x&state=s-1"
    plain = read(redirect_uri="https://shop.example/other", state="")
    assert code_redirect(plain, "gwc_x", None) == "https://shop.example/other?code=gwc_x"


def test_iss_comes_along_where_it_is_announced() -> None:
    assert query_of(code_redirect(read(), "gwc_x", "https://x.example"))["iss"] == "https://x.example"
    back = login_required(read(), "nobody")
    assert query_of(error_redirect(back, "https://x.example"))["iss"] == "https://x.example"
    assert query_of(error_redirect(back, None))["error_description"] == "nobody"
