"""A mature OpenID client that is not ours (Authlib with joserfc) does the whole flow against the running provider."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.web.oauth import SESSION_COOKIE
from tests.login_stack import PARTY_ID, PARTY_SECRET, REDIRECT, SharedClock, login_stack, visitor_token
from tests.stack import Stack

FLAGS = {"oidc.session_cookie": True}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class Party:
    """A relying party made of Authlib's parts: its HTTP session, its PKCE, its claims check, its key set."""

    def __init__(self, url: str, method: str) -> None:
        from authlib.integrations.requests_client import OAuth2Session

        self.url = url
        self.session: Any = OAuth2Session(
            PARTY_ID, PARTY_SECRET, token_endpoint_auth_method=method, redirect_uri=REDIRECT,
            scope="openid profile email offline_access", code_challenge_method="S256",
        )  # fmt: skip
        self.metadata: dict[str, Any] = self.session.get(
            f"{url}/.well-known/openid-configuration", withhold_token=True
        ).json()

    def authorize(self, cookie: str, **parameters: str) -> str:
        """Send a browser with the cookie to the authorization endpoint; where it is sent back to."""
        uri, _ = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=VERIFIER, **parameters
        )
        answer = self.session.get(
            uri, withhold_token=True, allow_redirects=False, headers={"Cookie": f"{SESSION_COOKIE}={cookie}"}
        )
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])

    def redeem(self, location: str) -> dict[str, Any]:
        """The tokens for a response at the redirect URI."""
        token = self.session.fetch_token(
            self.metadata["token_endpoint"], authorization_response=location, code_verifier=VERIFIER
        )
        return dict(token)

    def claims(self, id_token: str, nonce: str | None, access_token: str | None = None) -> dict[str, Any]:
        """The id_token's claims, checked by Authlib against the provider's own keys."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.jwk import KeySet

        keys = KeySet.import_key_set(self.session.get(self.metadata["jwks_uri"], withhold_token=True).json())
        found = jwt.decode(id_token, keys, algorithms=["RS256"])
        options = {"iss": {"value": self.metadata["issuer"]}, "aud": {"value": PARTY_ID}}
        claims: Any = CodeIDToken(
            found.claims, found.header, options, {"nonce": nonce, "client_id": PARTY_ID, "access_token": access_token}
        )
        claims.validate(leeway=60)
        return dict(claims)


@pytest.fixture(autouse=True)
def plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authlib demands https, and the test's provider is on loopback."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


async def cookie_of(stack: Stack, clock: SharedClock | None = None) -> str:
    return str((await stack.session(visitor_token(clock)))["session_token"])


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_whole_flow(tmp_path: Path, method: str) -> None:
    async with login_stack(tmp_path, FLAGS) as stack:
        session = await stack.session(visitor_token())

        def flow() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
            party = Party(stack.url, method)
            location = party.authorize(session["session_token"], nonce="n-0S6_WzA2Mj", max_age="600", prompt="none")
            tokens = party.redeem(location)
            first = party.claims(tokens["id_token"], "n-0S6_WzA2Mj", tokens["access_token"])
            person = party.session.get(party.metadata["userinfo_endpoint"]).json()
            again = party.session.refresh_token(party.metadata["token_endpoint"], tokens["refresh_token"])
            second = party.claims(again["id_token"], None, again["access_token"])
            return first, person, second, dict(again)

        first, person, second, again = await asyncio.to_thread(flow)
        assert first["sub"] == person["sub"] == second["sub"] == session["guest"]["id"]
        assert (person["email"], person["email_verified"], person["name"]) == ("ada@shop.example", True, "Ada")
        assert second["auth_time"] == first["auth_time"]
        assert again["refresh_token"].startswith("gwr_")


async def test_a_revoked_session_ends_the_refreshing(tmp_path: Path) -> None:
    from authlib.integrations.base_client import OAuthError

    async with login_stack(tmp_path, FLAGS) as stack:
        handle = await cookie_of(stack)
        party = await asyncio.to_thread(Party, stack.url, "client_secret_basic")
        tokens = await asyncio.to_thread(lambda: party.redeem(party.authorize(handle)))
        async with stack.call("DELETE", "/session", bearer=handle):
            pass

        def refresh() -> None:
            party.session.refresh_token(party.metadata["token_endpoint"], tokens["refresh_token"])

        with pytest.raises(OAuthError, match="invalid_grant"):
            await asyncio.to_thread(refresh)


async def test_tokens_of_a_rotated_key_are_still_believed_and_new_ones_are_signed_with_the_new(tmp_path: Path) -> None:
    async with login_stack(tmp_path, FLAGS) as stack:
        handle = await cookie_of(stack)
        party = await asyncio.to_thread(Party, stack.url, "client_secret_basic")
        before = await asyncio.to_thread(lambda: party.redeem(party.authorize(handle)))
        stack.gateway.ring.rotate_now(stack.gateway.surroundings.clock())
        after = await asyncio.to_thread(lambda: party.redeem(party.authorize(handle)))

        def kids() -> list[str]:
            import jwt

            return [jwt.get_unverified_header(tokens["id_token"])["kid"] for tokens in (before, after)]

        assert len(set(kids())) == 2
        for tokens in (before, after):
            claims = await asyncio.to_thread(party.claims, tokens["id_token"], None, tokens["access_token"])
            assert claims["iss"] == stack.url


async def test_a_code_that_another_verifier_redeems_is_refused(tmp_path: Path) -> None:
    from authlib.integrations.base_client import OAuthError

    async with login_stack(tmp_path, FLAGS) as stack:
        handle = await cookie_of(stack)
        party = await asyncio.to_thread(Party, stack.url, "client_secret_basic")
        location = await asyncio.to_thread(lambda: party.authorize(handle))

        def redeem() -> None:
            party.session.fetch_token(
                party.metadata["token_endpoint"], authorization_response=location, code_verifier="x" * 43
            )

        with pytest.raises(OAuthError, match="invalid_grant"):
            await asyncio.to_thread(redeem)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"max_age": "0"}, "login_required"),
        ({"prompt": "login"}, "login_required"),
        ({"scope": "email"}, "invalid_scope"),
    ],
)
async def test_what_the_provider_cannot_do_is_said_at_the_redirect_uri(
    tmp_path: Path, parameters: dict[str, str], error: str
) -> None:
    clock = SharedClock()
    async with login_stack(tmp_path, FLAGS, clock=clock) as stack:
        handle = await cookie_of(stack, clock)
        clock.advance(5)
        party = await asyncio.to_thread(Party, stack.url, "client_secret_basic")
        location = await asyncio.to_thread(lambda: party.authorize(handle, **parameters))
        sent = parse_qs(urlsplit(location).query)
        assert sent["error"] == [error]
        assert location.startswith(REDIRECT)
