"""Backends prove themselves by key or signed assertion, directly or at the token endpoint, and rotate without a gap."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.app.running import reload
from gateway.policy.oauth_forms import secret_digest
from tests.stack import (
    BACKEND_ID,
    BACKEND_KEY,
    QUEUE,
    VISITOR_KID,
    VISITOR_SECRET,
    Stack,
    basic,
    compiled,
    mock_flags,
    whole_stack,
)

WAIT = f"/api/v2/routing/queues/{QUEUE}/estimatedwaittime"
AUDIENCE = "http://127.0.0.1:8080/oauth/token"
SITE_URL = "http://127.0.0.1:8080/sites/shop"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NEW_KEY = "a-new-key-of-the-backend-0123456789"


async def read(stack: Stack, bearer: str) -> int:
    async with stack.call("GET", WAIT, bearer=bearer, origin=None) as answer:
        return answer.status


async def asked(stack: Stack, bearer: str) -> tuple[int, str]:
    """Status and code of a call with this bearer."""
    async with stack.call("GET", WAIT, bearer=bearer, origin=None) as answer:
        return answer.status, "" if answer.status == 200 else (await answer.json())["code"]


async def handle_of(stack: Stack, **form: str) -> tuple[int, dict[str, Any]]:
    data = {"grant_type": "client_credentials", **form}
    headers = {} if "client_assertion" in form else basic(BACKEND_ID, BACKEND_KEY)
    async with stack.client.post(f"{stack.url}/oauth/token", data=data, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_signed_assertion_gets_a_handle_once_and_no_key_is_sent(tmp_path: Path) -> None:
    signer = Ed25519PrivateKey.generate()
    place = tmp_path / "servicenow.pem"
    place.write_bytes(signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    async with whole_stack(tmp_path, {"backends.servicenow.public_key": str(place)}) as stack:
        now = int(time.time())
        claims = {"iss": BACKEND_ID, "sub": BACKEND_ID, "aud": AUDIENCE, "exp": now + 60, "jti": str(uuid4())}
        assertion = jwt.encode(claims, signer, algorithm="EdDSA")
        form = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
        status, body = await handle_of(stack, **form)
        assert (status, body["token_type"]) == (200, "bearer"), body
        assert await read(stack, body["access_token"]) == 200
        status, again = await handle_of(stack, **form)
        assert (status, again["error"]) == (401, "invalid_client")
        forged = jwt.encode({**claims, "jti": "x"}, Ed25519PrivateKey.generate(), algorithm="EdDSA")
        status, _ = await handle_of(stack, client_assertion_type=ASSERTION, client_assertion=forged)
        assert status == 401


async def test_a_signed_assertion_is_a_bearer_until_the_configuration_takes_its_key_away(tmp_path: Path) -> None:
    signer = Ed25519PrivateKey.generate()
    place = tmp_path / "servicenow.pem"
    place.write_bytes(signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    async with whole_stack(tmp_path, {"backends.servicenow.public_key": str(place)}) as stack:
        claims = {"iss": BACKEND_ID, "sub": BACKEND_ID, "aud": SITE_URL, "exp": int(time.time()) + 60, "jti": "one"}

        def signed(key: Any = signer, algorithm: str = "EdDSA", **changes: object) -> str:
            return jwt.encode(claims | changes, key, algorithm=algorithm)

        bearer = signed()
        assert [await asked(stack, bearer) for _ in range(3)] == [(200, "")] * 3
        carried = [r for r in await stack.records() if r["event.action"] == "proxy.allowed"]
        assert [r["gateway.backend"] for r in carried] == ["servicenow"] * 3
        wrong = [
            signed(Ed25519PrivateKey.generate()), signed("", "none"), signed("x" * 40, "HS256"), signed(exp=1),
            signed(aud="https://elsewhere.example"), signed(aud="http://127.0.0.1:8080/sites/outlet"),
        ]  # fmt: skip
        assert [await asked(stack, one) for one in wrong] == [(401, "backend.invalid")] * len(wrong)
        visitor = jwt.encode({"external_id": "anna", "scope": "user"}, VISITOR_SECRET, headers={"kid": VISITOR_KID})
        for other in (signed(iss="nobody", sub="nobody"), visitor):
            assert await asked(stack, other) == (401, "handle.platform_token")
        form = {"client_assertion_type": ASSERTION, "client_assertion": signed(aud=[AUDIENCE, SITE_URL])}
        assert await asked(stack, form["client_assertion"]) == (200, "")
        assert (await handle_of(stack, **form))[0] == 200
        assert await asked(stack, form["client_assertion"]) == (401, "backend.invalid"), "it was spent"
        assert bearer not in str(await stack.records())
        assert await reload(stack.gateway, lambda: compiled(mock_flags(stack.mock)), time.time)
        assert await asked(stack, bearer) == (401, "backend.invalid")


async def test_a_key_may_stand_as_its_hash_and_rotate_with_an_overlap(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        status, old = await handle_of(stack)
        assert status == 200
        hashed = f"sha256:{secret_digest(NEW_KEY).hex()}"
        flags = {**mock_flags(stack.mock), "backends.servicenow.key": hashed}
        overlap = {**flags, "backends.servicenow.previous_key": BACKEND_KEY}
        assert await reload(stack.gateway, lambda: compiled(overlap), time.time)
        assert [await read(stack, bearer) for bearer in (NEW_KEY, BACKEND_KEY, old["access_token"])] == [200, 200, 200]
        assert await reload(stack.gateway, lambda: compiled(flags), time.time)
        assert await read(stack, NEW_KEY) == 200
        assert await read(stack, BACKEND_KEY) == 401, "the old key is over"
        assert await read(stack, old["access_token"]) == 401, "and so is what was got with it"


async def test_each_backend_has_its_own_name_in_the_records(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        assert await read(stack, BACKEND_KEY) == 200
        carried = [r for r in await stack.records() if r["event.action"] == "proxy.allowed"]
        assert [r["gateway.backend"] for r in carried] == ["servicenow"]
