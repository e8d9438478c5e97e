"""Visitors' proofs through the running gateway: key rings, overlaps, OpenID issuers, report-only, and no oracle."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import OctKey
from jwt.algorithms import RSAAlgorithm

from gateway.mock.default_world import default_world
from tests.login_stack import PARTY_ID, PARTY_SECRET, REDIRECT, visitor_token
from tests.stack import BACKEND_ID, BACKEND_KEY, VISITOR_KID, VISITOR_SECRET, Stack, basic, whole_stack

NEW_KID = "app_aaaaaaaaaaaaaaaaaaaaaaaa"
NEW_SECRET = "the-new-signing-secret-of-the-shop-0123456789abcdef"
OLD = {"kind": "zendesk-messaging", "kid": VISITOR_KID, "secret": VISITOR_SECRET}
NEW = {"kind": "zendesk-messaging", "kid": NEW_KID, "secret": NEW_SECRET}
ISSUERS = "sites.shop.visitors.issuers"
SINGULAR = {"request_id", "session_token", "guest"}
"""Members that differ from answer to answer in any case."""
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def signed(secret: str, header: dict[str, Any], **claims: Any) -> str:
    return jwt.encode(claims, secret, algorithm="HS256", headers=header)


def fresh(**claims: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"scope": "user", "external_id": "ada-1815", "iat": now, "exp": now + 600, **claims}


async def refused(stack: Stack, token: str, bearer: str | None = None) -> tuple[int, str]:
    async with stack.call("POST", "/session", bearer=bearer, json={"visitor_token": token}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"], "a page can read why"
        return answer.status, (await answer.json())["code"]


async def test_a_key_ring_keeps_every_visitor_the_same_person_and_counts_the_old_key(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {ISSUERS: [NEW, OLD]}) as stack:
        by_old = await stack.session(visitor_token())
        by_new = await stack.session(signed(NEW_SECRET, {"kid": NEW_KID}, **fresh()))
        assert by_old["guest"]["id"] == by_new["guest"]["id"]
        uses = stack.gateway.metrics.visitor_key_uses
        assert (uses.child("shop", "previous").value, uses.child("shop", "current").value) == (1, 1)
        swapped = signed(NEW_SECRET, {"kid": VISITOR_KID}, **fresh())
        assert await refused(stack, swapped) == (401, "visitor.bad_signature")


async def test_two_secrets_of_classic_chat_hold_in_the_overlap(tmp_path: Path) -> None:
    chat = {"kind": "zendesk-chat", "secret": NEW_SECRET, "previous_secret": VISITOR_SECRET}
    async with whole_stack(tmp_path, {ISSUERS: [chat]}) as stack:
        claims = {k: v for k, v in fresh().items() if k != "scope"}
        guests = {(await stack.session(signed(s, {}, **claims)))["guest"]["id"] for s in (NEW_SECRET, VISITOR_SECRET)}
        assert len(guests) == 1
        assert stack.gateway.metrics.visitor_key_uses.child("shop", "previous").value == 1
        assert await refused(stack, visitor_token()) == (401, "visitor.unknown_kid")


async def test_report_only_admits_counts_and_refuses_nothing(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {f"{ISSUERS}.0.report_only": True}) as stack:
        year = visitor_token(exp=int(time.time()) + 31_000_000)
        assert (await stack.session(year))["guest"]["verified"]
        found = stack.gateway.metrics.visitor_findings.child("shop", "visitor.lifetime_too_long")
        assert found.value == 1
        issued = [r for r in await stack.records() if r["event.action"] == "session.issued"]
        assert issued[-1]["gateway.auth.findings"] == ["visitor.lifetime_too_long"]


async def test_a_failed_proof_never_continues_a_verified_session(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, {"sites.shop.visitors.on_failure": "anonymous"}) as stack:
        ada = await stack.session(visitor_token())
        assert await refused(stack, visitor_token(exp=1_000), ada["session_token"]) == (401, "visitor.expired")
        anonymous = await stack.session(visitor_token(exp=1_000))
        assert anonymous["guest"]["verified"] is False


async def test_tokens_of_other_libraries_and_the_servers_shapes_are_told_apart(tmp_path: Path) -> None:
    sunshine = {"kind": "sunshine-v1", "kid": NEW_KID, "secret": NEW_SECRET, "require_exp": False}
    async with whole_stack(tmp_path, {ISSUERS: [OLD, sunshine]}) as stack:
        key = OctKey.import_key(VISITOR_SECRET)
        by_joserfc = joserfc_jwt.encode({"alg": "HS256", "typ": "JWT", "kid": VISITOR_KID}, fresh(), key)
        assert (await stack.session(by_joserfc))["guest"]["verified"]
        # smooch-core's own claims: no exp at all
        now = int(time.time())
        api = signed(VISITOR_SECRET, {"kid": VISITOR_KID}, scope="app", iat=now)
        assert await refused(stack, api) == (401, "visitor.wrong_scope")
        app_user = signed(NEW_SECRET, {"kid": NEW_KID}, scope="appUser", userId="ada-1815", iat=now)
        assert (await stack.session(app_user))["guest"]["verified"]
        assert await refused(stack, signed(NEW_SECRET, {"kid": NEW_KID}, scope="app", iat=now)) == (
            401,
            "visitor.wrong_scope",
        )


class Idp:
    """A provider of the site's own, with a key set, that can go away."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""
        self.calls = 0

    async def discovery(self, request: web.Request) -> web.Response:
        self.calls += 1
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [{**RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "k1"}]})

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": "chat", "sub": "ada", "iat": now, "exp": now + 600, **claims}
        return jwt.encode(said, self.key, algorithm="RS256", headers={"kid": "k1"})


@asynccontextmanager
async def idp_running() -> AsyncIterator[tuple[Idp, BaseTestServer]]:
    idp = Idp()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", idp.discovery)
    app.router.add_get("/keys", idp.keys)
    async with TestServer(app) as server:
        idp.url = f"http://127.0.0.1:{server.port}"
        yield idp, server


async def test_a_visitor_of_any_openid_provider_is_admitted_by_its_published_keys(tmp_path: Path) -> None:
    async with idp_running() as (idp, server):
        rules = {"kind": "oidc", "name": "idp", "issuer": idp.url, "audience": "chat"}
        async with whole_stack(tmp_path, {ISSUERS: [OLD, rules]}) as stack:
            for _ in range(3):
                assert (await stack.session(idp.token()))["guest"]["verified"]
            assert idp.calls == 1
            assert await refused(stack, idp.token(aud="other")) == (401, "visitor.wrong_audience")
            assert (await stack.session(visitor_token()))["guest"]["verified"], "the other profile is untouched"
            await server.close()
            assert (await stack.session(idp.token()))["guest"]["verified"], "known keys outlive the outage"


async def test_an_issuer_that_cannot_be_reached_is_a_fault_of_ours_and_readable(tmp_path: Path) -> None:
    rules = {"kind": "oidc", "name": "idp", "issuer": "http://127.0.0.1:1", "audience": "chat"}
    idp = Idp()
    idp.url = "http://127.0.0.1:1"
    async with whole_stack(tmp_path, {ISSUERS: [rules]}) as stack:
        assert await refused(stack, idp.token()) == (503, "visitor.keys_unavailable")


async def test_a_server_exchanges_a_visitors_token_for_a_guest_handle_and_never_for_a_genesys_token(
    tmp_path: Path,
) -> None:
    """The endpoint that people ask for: POST /oauth/token, RFC 8693."""
    form = {
        "grant_type": EXCHANGE, "audience": "shop", "subject_token": visitor_token(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }  # fmt: skip
    organization = default_world().org_id
    async with whole_stack(tmp_path, {"orgs.acme.organization_id": organization}) as stack:

        async def exchanged(**changes: str) -> tuple[int, dict[str, Any]]:
            headers = basic(BACKEND_ID, BACKEND_KEY)
            async with stack.client.post(f"{stack.url}/oauth/token", data=form | changes, headers=headers) as answer:
                return answer.status, await answer.json()

        status, body = await exchanged()
        assert status == 200
        assert body["access_token"].startswith("gws_")
        assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
        assert (body["organization_id"], body["region"]) == (organization, "eu-west-1")
        assert 0 < body["expires_in"] <= 900
        async with stack.call("POST", "/ticket", bearer=body["access_token"], json={}) as answer:
            assert answer.status == 200, "the page that is given the handle can connect with it"
        for changes, error, code in (
            ({"subject_token": visitor_token(exp=1_000)}, "invalid_grant", "visitor.expired"),
            ({"subject_token": "x"}, "invalid_request", "visitor.malformed"),
            ({"audience": "club"}, "invalid_target", "oauth.invalid_target"),
            ({"subject_token_type": "urn:x"}, "invalid_request", "oauth.invalid_request"),
            ({"requested_token_type": "urn:x"}, "invalid_request", "oauth.invalid_request"),
        ):
            status, refusal = await exchanged(**changes)
            assert (status, refusal["error"], refusal["code"]) == (400, error, code)


async def test_no_answer_tells_who_or_what_exists(tmp_path: Path) -> None:
    """Known and unknown people, handles, codes and tokens answer alike."""
    async with whole_stack(tmp_path) as stack:
        await stack.session(visitor_token())

        async def shape(call: Any) -> tuple[int, object]:
            async with call as answer:
                body = await answer.json()
                return answer.status, {
                    k: v for k, v in body.items() if k not in {"request_id", "session_token", "guest"}
                }

        known = await shape(stack.call("POST", "/session", json={"visitor_token": visitor_token()}))
        unknown = await shape(stack.call("POST", "/session", json={"visitor_token": visitor_token(subject="new")}))
        assert known == unknown
        ended = (await stack.session())["session_token"]
        async with stack.call("DELETE", "/session", bearer=ended):
            pass
        invented = "gws_" + "A" * 43
        for path in ("/ticket", "/auth-code"):
            assert await shape(stack.call("POST", path, bearer=ended, json={})) == await shape(
                stack.call("POST", path, bearer=invented, json={})
            )
        party = basic(PARTY_ID, PARTY_SECRET)
        answers = []
        for word in ("gwr_" + "A" * 43, "no token at all"):
            form = {"grant_type": "refresh_token", "refresh_token": word}
            answers.append(await shape(stack.client.post(f"{stack.url}/oauth/token", data=form, headers=party)))
        for user in (PARTY_ID, "nobody"):
            form = {"grant_type": "authorization_code", "code": "gwc_" + "A" * 43, "redirect_uri": REDIRECT}
            wrong = basic(user, "a wrong secret")
            answers.append(await shape(stack.client.post(f"{stack.url}/oauth/token", data=form, headers=wrong)))
        assert answers[0] == answers[1]
        assert answers[2] == answers[3]


@pytest.mark.parametrize("handle", ["gws_" + "A" * 43, "gws_x", "not-a-handle"])
async def test_a_dead_handle_is_none_when_a_session_is_opened(tmp_path: Path, handle: str) -> None:
    async with whole_stack(tmp_path) as stack, stack.call("POST", "/session", bearer=handle, json={}) as answer:
        assert answer.status in {201, 401}
        assert "guest" in await answer.json() or answer.status == 401
