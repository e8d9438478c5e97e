"""The calls to the site's OpenID provider: discovery, token endpoint, key set; each noted as a step of the record.

Library faults become IdpRefused here. Keys are cached per key-set address and asked for again only when a key id is
unknown and the last fetch is long enough ago.
"""

from __future__ import annotations

import json
from types import TracebackType
from typing import Self
from urllib.parse import quote_plus

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.mock import id_tokens
from gateway.mock.model import Json
from gateway.mock.recorder import fingerprint, masked
from gateway.mock.world import World

_MAX_BODY_BYTES = 1_000_000


class IdpRefused(Exception):
    """The provider did not give what was needed; the text says what."""


class IdpCalls:
    """The calls of one exchange; appends `{call, status, answer}` to `steps`."""

    def __init__(self, world: World, steps: list[Json]) -> None:
        self._world, self._steps = world, steps
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=world.oidc.timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.close()

    async def discovery(self) -> Json:
        """Return the discovery document after checking that it is the issuer's own; raises IdpRefused."""
        uri = self._world.oidc.discovery_uri
        if not uri:
            raise IdpRefused("the integration has no discovery URI")
        document = await self._call("discovery", "GET", uri)
        for name in ("issuer", "token_endpoint", "jwks_uri", "authorization_endpoint"):
            if not isinstance(document.get(name), str):
                raise IdpRefused(f"the discovery document has no {name}")
        # OpenID Connect Discovery 1.0, 4.3: the issuer must be the prefix that the document was fetched under.
        if uri != document["issuer"].rstrip("/") + "/.well-known/openid-configuration":
            raise IdpRefused("the issuer of the discovery document is not where it was fetched from")
        if "RS256" not in document.get("id_token_signing_alg_values_supported", []):
            raise IdpRefused("the discovery document does not offer RS256")
        return document

    async def token(self, discovery: Json, form: dict[str, str]) -> Json:
        """Return the token endpoint's answer; raises IdpRefused."""
        oidc = self._world.oidc
        if oidc.client_auth == "post":
            form = {**form, "client_id": oidc.client_id, "client_secret": oidc.client_secret}
            return await self._call("token", "POST", discovery["token_endpoint"], form=form)
        # RFC 6749 2.3.1: both parts are form-encoded before they go into the Basic header.
        basic = aiohttp.encode_basic_auth(quote_plus(oidc.client_id), quote_plus(oidc.client_secret))
        return await self._call("token", "POST", discovery["token_endpoint"], form=form, basic=basic)

    async def key_for(self, discovery: Json, id_token: str) -> RSAPublicKey:
        """Return the key that the id_token names; raises IdpRefused or IdTokenRefused."""
        kid, uri, now = id_tokens.key_id(id_token), discovery["jwks_uri"], self._world.now()
        fetched_at, keys = self._world.key_sets.get(uri, (None, {}))
        may_fetch = fetched_at is None or now - fetched_at >= self._world.oidc.jwks_min_refetch_s
        if kid not in keys and may_fetch:
            keys = _rsa_keys(await self._call("keys", "GET", uri))
            self._world.key_sets[uri] = (now, keys)
        if kid not in keys:
            raise IdpRefused("the key set has no such key")
        return keys[kid]

    async def _call(
        self,
        name: str,
        method: str,
        url: str,
        form: dict[str, str] | None = None,
        basic: str | None = None,
    ) -> Json:
        step: Json = {"call": name, "method": method, "url": url, "status": None}
        if form is not None:
            step["form"] = masked(form)
            step["client_auth"] = f"basic {fingerprint(basic)}" if basic else "post"
        self._steps.append(step)
        headers = {"Authorization": basic} if basic else {}
        try:
            async with self._http.request(method, url, data=form, headers=headers, allow_redirects=False) as answer:
                step["status"] = answer.status
                body = await _bounded_body(answer)
        except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
            step["error"] = type(exc).__name__
            raise IdpRefused(f"{name}: no answer ({type(exc).__name__})") from exc
        document = _json_object(body)
        if answer.status != 200:
            step["answer"] = {name: (document or {}).get(name) for name in ("error", "error_description", "code")}
            raise IdpRefused(f"{name}: status {answer.status}")
        if document is None:
            raise IdpRefused(f"{name}: the answer is not a JSON object")
        step["members"] = sorted(document)
        return document


async def _bounded_body(answer: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in answer.content.iter_chunked(65_536):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise ValueError("the answer is too long")
    return body


def _json_object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _rsa_keys(document: Json) -> dict[str, RSAPublicKey]:
    keys: dict[str, RSAPublicKey] = {}
    for row in document.get("keys", []):
        if not isinstance(row, dict) or row.get("kty") != "RSA" or not isinstance(row.get("kid"), str):
            continue
        try:
            key = jwt.PyJWK(row, "RS256").key
        except jwt.PyJWTError as exc:
            raise IdpRefused("the key set holds an unreadable key") from exc
        if isinstance(key, RSAPublicKey) and key.key_size >= 2048:
            keys[row["kid"]] = key
    return keys
