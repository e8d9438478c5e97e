"""The exchange of codes and id_tokens, and the renewal of sign-ins, against a real provider over sockets."""

import aiohttp
import jwt
import pytest

from gateway.mock import guest_jwt
from gateway.mock.model import DEFAULT_DEPLOYMENT
from gateway.mock.server import RunningMock
from tests.mock.conftest import Json
from tests.mock.provider import Provider

CODE: Json = {"code": "c-1", "redirectUri": "https://shop.example/", "nonce": "n-1"}
VERIFIER = "v" * 43


async def post(http: aiohttp.ClientSession, mock: RunningMock, call: str, body: Json) -> tuple[int, Json]:
    url = f"{mock.endpoints.api}/api/v2/webdeployments/token/{call}"
    async with http.post(url, json=body) as answer:
        return answer.status, await answer.json()


async def exchange(http: aiohttp.ClientSession, mock: RunningMock, **oauth: object) -> tuple[int, Json]:
    body = {"deploymentId": DEFAULT_DEPLOYMENT, "oauth": oauth}
    return await post(http, mock, "oauthcodegrantjwtexchange", body)


async def test_a_code_becomes_a_jwt_by_asking_the_provider(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    status, body = await exchange(http, mock, **CODE, codeVerifier=VERIFIER)
    assert status == 200
    claims = mock.world.read_guest_jwt(guest_jwt.AUTHENTICATED, body["jwt"])
    assert (claims["sub"], claims["exp"]) == ("ana", mock.world.now() + 900)
    assert body["refreshToken"]
    assert provider.calls() == ["discovery", "token", "keys"]
    asked = provider.requests[1]
    assert asked["form"] == {
        "grant_type": "authorization_code",
        "code": "c-1",
        "redirect_uri": "https://shop.example/",
        "code_verifier": VERIFIER,
    }
    # RFC 6749 2.3.1: form-encoded before it becomes Basic.
    assert asked["basic"] == "genesys:s%2Be%2Fc+ret"


async def test_the_client_may_authenticate_in_the_body(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    mock.world.oidc.client_auth = "post"
    assert (await exchange(http, mock, **CODE))[0] == 200
    asked = provider.requests[1]
    assert asked["basic"] is None
    assert (asked["form"]["client_id"], asked["form"]["client_secret"]) == ("genesys", "s+e/c ret")


async def test_the_jwt_lives_no_longer_than_the_providers_access_token(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    provider.token_answer["expires_in"] = 120
    _, body = await exchange(http, mock, **CODE)
    assert jwt.decode(body["jwt"], options={"verify_signature": False})["exp"] == mock.world.now() + 120


async def test_keys_are_cached_and_fetched_again_only_after_an_interval(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    await exchange(http, mock, **CODE)
    await exchange(http, mock, **CODE)
    assert provider.calls().count("keys") == 1
    provider.keys, provider.signs_with = ["k0", "k1"], "k1"
    assert (await exchange(http, mock, **CODE))[0] == 401
    mock.world.clock.advance(mock.world.oidc.jwks_min_refetch_s)
    assert (await exchange(http, mock, **CODE))[0] == 200
    assert provider.calls().count("keys") == 2


async def test_an_id_token_is_taken_with_its_nonce_and_gives_no_refresh_token(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    status, body = await exchange(http, mock, idToken=provider.id_token(), nonce="n-1")
    assert (status, set(body)) == (200, {"jwt"})
    assert provider.calls() == ["discovery", "keys"]
    claims = mock.world.read_guest_jwt(guest_jwt.AUTHENTICATED, body["jwt"])
    assert claims["exp"] == mock.world.now() + 600


@pytest.mark.parametrize(
    "oauth",
    [
        {},
        {"code": "c"},
        {"code": "c", "idToken": "t", "redirectUri": "r"},
        {"idToken": "t"},
        {"code": 5, "redirectUri": "r"},
        {**CODE, "maxAge": "300"},
        {**CODE, "maxAge": -1},
        {**CODE, "codeVerifier": "short"},
    ],
)
async def test_a_malformed_request_is_400_and_asks_nobody(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider, oauth: Json
) -> None:
    status, body = await exchange(http, mock, **oauth)
    assert (status, body["code"]) == (400, "constraint.validation")
    assert provider.requests == []


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("redeemed code", "token: status 400"),
        ("no id_token", "no id_token"),
        ("other signature", "signature"),
        ("other audience", "aud is not"),
        ("nonce missing", "nonce"),
        ("no auth_time", "auth_time"),
        ("issuer elsewhere", "not where it was fetched"),
        ("no rs256", "does not offer RS256"),
        ("no token endpoint", "no token_endpoint"),
        ("iss demanded", "iss missing"),
        ("iss wrong", "iss is not the issuer"),
        ("no expires_in", "expires_in"),
        ("no discovery uri", "no discovery URI"),
        ("provider gone", "no answer"),
    ],
)
async def test_every_fault_of_the_provider_is_the_same_401_and_its_reason_is_kept(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider, case: str, reason: str
) -> None:
    oauth = {**CODE}
    if case == "redeemed code":
        provider.token_status = 400
    elif case == "no id_token":
        provider.tamper = lambda text: None
    elif case == "other signature":
        provider.tamper = lambda text: text.rpartition(".")[0] + "." + "A" * 342
    elif case == "other audience":
        provider.claims["aud"] = ["genesys"]
    elif case == "nonce missing":
        del oauth["nonce"]
    elif case == "no auth_time":
        oauth["maxAge"] = 300
        provider.claims["auth_time"] = None
    elif case == "issuer elsewhere":
        provider.discovery["issuer"] = "https://elsewhere"
    elif case == "no rs256":
        provider.discovery["id_token_signing_alg_values_supported"] = ["ES256"]
    elif case == "no token endpoint":
        provider.discovery["token_endpoint"] = None
    elif case == "iss demanded":
        provider.discovery["authorization_response_iss_parameter_supported"] = True
    elif case == "iss wrong":
        oauth["iss"] = "https://elsewhere"
    elif case == "no expires_in":
        del provider.token_answer["expires_in"]
    elif case == "no discovery uri":
        mock.world.oidc.discovery_uri = ""
    elif case == "provider gone":
        mock.world.oidc.discovery_uri = "http://127.0.0.1:1/.well-known/openid-configuration"
    status, body = await exchange(http, mock, **oauth)
    assert (status, body["code"]) == (401, "bad.credentials")
    assert body["contextId"]
    record = mock.world.exchanges[-1]
    assert record["outcome"] == "refused"
    assert reason in record["reason"]


async def test_records_show_calls_but_no_secret(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    provider.token_answer["refresh_token"] = "idp-refresh-secret"
    await exchange(http, mock, **CODE, codeVerifier=VERIFIER)
    record = mock.world.exchanges[-1]
    assert [(step["call"], step["status"]) for step in record["steps"]] == [
        ("discovery", 200),
        ("token", 200),
        ("keys", 200),
    ]
    for secret in ("c-1", VERIFIER, "s+e/c", "s%2Be", "idp-refresh-secret"):
        assert secret not in str(record)


async def test_unknown_deployments_and_wrong_origins_are_refused(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    body = {"deploymentId": "nobody", "oauth": CODE}
    assert (await post(http, mock, "oauthcodegrantjwtexchange", body))[0] == 404
    body["deploymentId"] = DEFAULT_DEPLOYMENT
    url = f"{mock.endpoints.api}/api/v2/webdeployments/token/oauthcodegrantjwtexchange"
    async with http.post(url, json=body, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    mock.world.deployments[DEFAULT_DEPLOYMENT].auth_enabled = False
    assert (await exchange(http, mock, **CODE))[0] == 403


async def test_a_renewal_asks_the_provider_with_its_refresh_token(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    provider.token_answer["refresh_token"] = "idp-1"
    _, given = await exchange(http, mock, **CODE)
    provider.token_answer["refresh_token"] = "idp-2"
    # OpenID Connect Core 12.2: a renewed id_token needs no nonce.
    provider.claims.pop("nonce")
    status, body = await post(http, mock, "refresh", {"refreshToken": given["refreshToken"]})
    assert (status, set(body)) == (200, {"jwt"})
    assert provider.requests[-1]["form"] == {"grant_type": "refresh_token", "refresh_token": "idp-1"}
    await post(http, mock, "refresh", {"refreshToken": given["refreshToken"]})
    assert provider.requests[-1]["form"]["refresh_token"] == "idp-2"


@pytest.mark.parametrize("case", ["visitor gone", "other subject"])
async def test_a_provider_that_says_no_ends_the_sign_in(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider, case: str
) -> None:
    provider.token_answer["refresh_token"] = "idp-1"
    _, given = await exchange(http, mock, **CODE)
    if case == "visitor gone":
        provider.token_status = 400
    else:
        provider.claims["sub"] = "eve"
    assert (await post(http, mock, "refresh", {"refreshToken": given["refreshToken"]}))[0] == 401


async def test_without_a_providers_refresh_token_renewal_ends_with_its_access_token(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    _, given = await exchange(http, mock, **CODE)
    body = {"refreshToken": given["refreshToken"], "deploymentId": DEFAULT_DEPLOYMENT}
    mock.world.clock.advance(3599)
    assert (await post(http, mock, "refresh", body))[0] == 200
    mock.world.clock.advance(1)
    assert (await post(http, mock, "refresh", body))[0] == 401


async def test_a_refresh_token_has_its_own_end_and_place(
    mock: RunningMock, http: aiohttp.ClientSession, provider: Provider
) -> None:
    provider.token_answer["refresh_token"] = "idp-1"
    _, given = await exchange(http, mock, **CODE)
    body = {"refreshToken": given["refreshToken"]}
    assert (await post(http, mock, "refresh", {**body, "deploymentId": "other"}))[0] == 401
    assert (await post(http, mock, "refresh", {"refreshToken": "unknown"}))[0] == 401
    assert (await post(http, mock, "refresh", {}))[0] == 400
    mock.world.clock.advance(86_400)
    assert (await post(http, mock, "refresh", body))[0] == 401
