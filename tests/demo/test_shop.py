"""The demo shop: a site with its own sign-in, its own token endpoint, and a strict policy around its page."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import jwt
import pytest
from aiohttp import ClientSession, CookieJar

from gateway.demo.shop import SESSION_COOKIE, ShopSettings, content_security_policy, mint_visitor_token, running_shop

SECRET = "a-secret-of-the-demo-shop-alone-0123456789"
NOW = 1_800_000_000.0
SETTINGS = ShopSettings(
    secret=SECRET,
    port=0,
    now=lambda: NOW,
    widget_url="https://chat.example/sites/shop/widget.js",
    files_url="https://files.example/",
    foreign_url="https://stranger.example/",
)


@pytest.fixture
async def visitor() -> AsyncIterator[tuple[ClientSession, str]]:
    """A browser-like session and the address of a running shop."""
    async with running_shop(SETTINGS) as shop, ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield session, shop.url


def test_the_token_is_what_zendesk_messaging_wants() -> None:
    token = mint_visitor_token(SETTINGS)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "app_5f2b7c1e9a4d3f6b8c0e1a2d"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert claims["scope"] == "user"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iat"] == int(NOW)
    assert set(claims) == {"scope", "external_id", "name", "email", "email_verified", "iat", "exp"}


def test_the_secret_does_not_show_in_the_settings() -> None:
    assert SECRET not in repr(SETTINGS)


def test_the_policy_names_the_gateway_for_http_and_socket_and_allows_nothing_inline() -> None:
    policy = content_security_policy(SETTINGS, "abc")
    assert "connect-src 'self' https://chat.example wss://chat.example https://files.example" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_genesys_own_hosts_are_named_only_where_its_messenger_runs() -> None:
    messenger = replace(SETTINGS, genesys_urls=("https://api.example", "wss://socket.example/v1"))
    assert " https://files.example https://api.example wss://socket.example;" in content_security_policy(messenger, "n")
    assert "api.example" not in content_security_policy(SETTINGS, "n")


async def test_nobody_signed_in_gets_no_token(visitor: tuple[ClientSession, str]) -> None:
    session, url = visitor
    async with session.post(f"{url}/token") as answer:
        assert answer.status == 401


async def test_signing_in_opens_the_token_endpoint_and_signing_out_closes_it(
    visitor: tuple[ClientSession, str],
) -> None:
    session, url = visitor
    async with session.post(f"{url}/sign-in") as answer:
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"{SESSION_COOKIE}=")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
    async with session.post(f"{url}/token") as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert jwt.get_unverified_header((await answer.json())["token"])["kid"] == SETTINGS.kid
    await session.post(f"{url}/sign-out")
    async with session.post(f"{url}/token") as answer:
        assert answer.status == 401


async def test_a_made_up_cookie_signs_nobody_in(visitor: tuple[ClientSession, str]) -> None:
    session, url = visitor
    async with session.post(f"{url}/token", cookies={SESSION_COOKIE: "made-up"}) as answer:
        assert answer.status == 401


async def test_the_page_embeds_the_script_with_the_nonce_of_its_policy(visitor: tuple[ClientSession, str]) -> None:
    session, url = visitor
    async with session.get(url) as answer:
        text = await answer.text()
        nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
    assert nonce is not None
    assert f'<script async nonce="{nonce[1]}" src="{SETTINGS.widget_url}" data-site="shop"></script>' in text
    assert "{{" not in text
    assert not re.search(r"<(script|style)(?![^>]*nonce=)", text)


async def test_each_page_has_a_nonce_of_its_own(visitor: tuple[ClientSession, str]) -> None:
    session, url = visitor
    policies = set()
    for _ in range(2):
        async with session.get(url) as answer:
            policies.add(answer.headers["Content-Security-Policy"])
    assert len(policies) == 2


async def test_the_page_links_to_a_stranger_and_to_all_that_shows_what_happened(
    visitor: tuple[ClientSession, str],
) -> None:
    session, url = visitor
    named = (SETTINGS.foreign_url, SETTINGS.console_url, SETTINGS.metrics_url, SETTINGS.audit_url, SETTINGS.mock_url)
    async with session.get(url) as answer:
        page = await answer.text()
    assert [f'<a href="{address}">' in page for address in named] == [True] * 5
    assert "{{" not in page


async def test_a_taken_port_is_an_error_not_a_surprise() -> None:
    async with running_shop(SETTINGS) as shop:
        port = int(shop.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            async with running_shop(ShopSettings(secret=SECRET, port=port)):
                pass
