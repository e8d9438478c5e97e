"""Sessions that are bound to a browser's key: what works with the proof, and nothing that works without."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.login_stack import visitor_token
from tests.stack import BACKEND_ID, BACKEND_KEY, Stack, basic, whole_stack

FLAGS = {"sites.shop.session.dpop": "required", "sites.shop.visitors.anonymous_socket": False}


class Browser:
    """Holds a key, and makes a fresh proof for each call."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.key = ec.generate_private_key(ec.SECP256R1())

    def proof(self, method: str, path: str, handle: str | None, **claims: Any) -> str:
        said = {"htm": method, "htu": self.stack.base + path, "iat": time.time(), "jti": uuid.uuid4().hex, **claims}
        if handle is not None:
            said["ath"] = base64.urlsafe_b64encode(hashlib.sha256(handle.encode()).digest()).rstrip(b"=").decode()
        jwk = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return jwt.encode(said, self.key, algorithm="ES256", headers={"typ": "dpop+jwt", "jwk": jwk})

    async def call(
        self, method: str, path: str, handle: str | None = None, *, proof: str | None = None, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = {"DPoP": proof or self.proof(method, path, handle)}
        if handle is not None:
            headers["Authorization"] = f"DPoP {handle}"
        async with self.stack.call(method, path, headers=headers, **options) as answer:
            body = await answer.read()
            return answer.status, (await answer.json() if body else {})


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with whole_stack(tmp_path, FLAGS) as running:
        yield running


async def test_a_bound_session_lives_by_proofs(stack: Stack) -> None:
    browser = Browser(stack)
    status, session = await browser.call("POST", "/session", json={"visitor_token": visitor_token()})
    assert (status, session["token_type"]) == (201, "DPoP")
    handle = session["session_token"]
    assert (await browser.call("POST", "/ticket", handle, json={}))[0] == 200
    status, renewed = await browser.call("POST", "/session", handle, json={})
    assert (status, renewed["guest"]) == (200, session["guest"])
    assert (await browser.call("DELETE", "/session", handle))[0] == 204


async def test_a_stolen_handle_is_worth_nothing(stack: Stack) -> None:
    browser, thief = Browser(stack), Browser(stack)
    _, session = await browser.call("POST", "/session", json={})
    handle = session["session_token"]
    for method, path, body in (("POST", "/ticket", {}), ("POST", "/session", {}), ("DELETE", "/session", None)):
        async with stack.call(method, path, bearer=handle, json=body) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "dpop.missing"), (method, path)
            assert answer.headers["WWW-Authenticate"].startswith('DPoP algs="ES256"')
        status, refused = await thief.call(method, path, handle, json=body)
        assert (status, refused["code"]) == (401, "dpop.invalid"), (method, path)
    wait = "/api/v2/webmessaging/messages"
    async with stack.call("GET", wait, bearer=handle) as answer:
        assert (await answer.json())["code"] == "dpop.missing"
    assert (await browser.call("POST", "/ticket", handle, json={}))[0] == 200, "the owner is unharmed"
    assert {r["event.action"] for r in await stack.records() if str(r.get("event.reason", "")).startswith("dpop.")} == {
        "session.denied"
    }


async def test_a_proof_works_once(stack: Stack) -> None:
    browser = Browser(stack)
    _, session = await browser.call("POST", "/session", json={})
    handle = session["session_token"]
    proof = browser.proof("POST", "/ticket", handle)
    assert (await browser.call("POST", "/ticket", handle, proof=proof, json={}))[0] == 200
    status, refused = await browser.call("POST", "/ticket", handle, proof=proof, json={})
    assert (status, refused["code"]) == (401, "dpop.replayed")


async def test_no_session_begins_without_a_key(stack: Stack) -> None:
    async with stack.call("POST", "/session", json={}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "dpop.missing")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "shop",
        "subject_token": visitor_token(), "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }  # fmt: skip
    async with stack.client.post(
        f"{stack.url}/oauth/token", data=form, headers=basic(BACKEND_ID, BACKEND_KEY)
    ) as answer:
        body = await answer.json()
        assert (answer.status, body["error"], body["code"]) == (400, "invalid_dpop_proof", "dpop.missing")


async def test_signing_in_keeps_the_binding(stack: Stack) -> None:
    browser, thief = Browser(stack), Browser(stack)
    _, anonymous = await browser.call("POST", "/session", json={})
    body = {"visitor_token": visitor_token()}
    status, refused = await thief.call("POST", "/session", anonymous["session_token"], json=body)
    assert (status, refused["code"]) == (401, "dpop.invalid")
    status, signed_in = await browser.call("POST", "/session", anonymous["session_token"], json=body)
    assert (status, signed_in["guest"]["verified"]) == (200, True)


async def test_two_proofs_in_one_call_are_none(stack: Stack) -> None:
    browser = Browser(stack)
    from multidict import CIMultiDict

    headers = CIMultiDict([("DPoP", browser.proof("POST", "/session", None)) for _ in range(2)])
    headers["Origin"] = "http://127.0.0.1:8088"
    async with stack.client.post(f"{stack.base}/session", json={}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "dpop.invalid")


async def test_where_it_is_off_a_proof_changes_nothing(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        status, session = await Browser(stack).call("POST", "/session", json={})
        assert (status, session["token_type"]) == (201, "Bearer")
        async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
            assert answer.status == 200
