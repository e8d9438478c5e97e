"""A small OpenID provider for the tests of the exchange: real sockets, one key, every answer adjustable."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.mock.clock import Clock

Json = dict[str, Any]
_KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(2)]


class Provider:
    """What the provider answers, and what it was asked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.issuer = ""
        self.claims: Json = {"sub": "ana", "nonce": "n-1", "name": "Ana"}
        self.discovery: Json = {}
        self.token_answer: Json = {"access_token": "at", "token_type": "Bearer", "expires_in": 3600}
        self.token_status = 200
        self.keys = ["k0"]
        self.signs_with = "k0"
        self.requests: list[Json] = []
        self.tamper: Callable[[str], Any] = lambda text: text

    def id_token(self) -> str:
        """Sign the claims as they stand."""
        now = int(self.clock.now())
        base = {"iss": self.issuer, "aud": "genesys", "iat": now, "exp": now + 600, "auth_time": now}
        key = _KEYS[int(self.signs_with[1:])]
        return jwt.encode({**base, **self.claims}, key, algorithm="RS256", headers={"kid": self.signs_with})

    async def get_discovery(self, request: web.Request) -> web.Response:
        """The discovery document."""
        self.requests.append({"call": "discovery"})
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return web.json_response({**document, **self.discovery})

    async def get_keys(self, request: web.Request) -> web.Response:
        """The key set."""
        self.requests.append({"call": "keys"})
        rows = []
        for name in self.keys:
            row = jwt.algorithms.RSAAlgorithm.to_jwk(_KEYS[int(name[1:])].public_key(), as_dict=True)
            rows.append({**row, "kid": name, "use": "sig", "alg": "RS256"})
        return web.json_response({"keys": rows})

    async def post_token(self, request: web.Request) -> web.Response:
        """The token endpoint."""
        form = dict(await request.post())
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        basic = base64.b64decode(encoded).decode() if scheme == "Basic" else None
        self.requests.append({"call": "token", "form": form, "basic": basic})
        if self.token_status != 200:
            return web.json_response({"error": "invalid_grant"}, status=self.token_status)
        return web.json_response({**self.token_answer, "id_token": self.tamper(self.id_token())})

    def calls(self) -> list[str]:
        """The calls in order."""
        return [one["call"] for one in self.requests]

    def app(self) -> web.Application:
        """The provider's application."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.get_discovery)
        app.router.add_get("/keys", self.get_keys)
        app.router.add_post("/token", self.post_token)
        return app
