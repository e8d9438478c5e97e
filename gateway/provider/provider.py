"""The OpenID provider as one thing: what the web room calls, one method per path.

Takes parsed plain values and returns answers or raises `Refusal`; has no HTTP in it. Wires codes, tokens, pages and
grants together, and decides nothing that they do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.authorize import SentBack, check_login, code_redirect, error_redirect, login_required, read_request
from gateway.policy.handles import bearer_of
from gateway.policy.oauth_forms import client_credentials, parse_form, parse_parameters
from gateway.policy.openid import discovery, person_claims
from gateway.provider.answers import NO_STORE, Asked, OAuthAnswer
from gateway.provider.backends import Backends
from gateway.provider.codes import Codes
from gateway.provider.endpoint import Advice, TokenEndpoint
from gateway.provider.grants import PartyGrants
from gateway.provider.keys import KeyRing
from gateway.provider.pages import PageAsk, PageCodes
from gateway.provider.parties import RelyingParties
from gateway.provider.people import Admits, Sessions, SignedIn
from gateway.provider.records import Records, Trail
from gateway.provider.tokens import Lives, Tokens
from gateway.store.base import Store

DISCOVERY_CACHE_S: Final = 3600
JWKS_CACHE_S: Final = 300
"""Short, so that a withdrawn key is forgotten soon; new keys are published long before anyway."""


class Provider:
    """The OpenID provider and token endpoint. `backends` and `parties` are reloaded with their own `replace`."""

    def __init__(
        self,
        issuer: str,
        lives: Lives,
        *,
        backends: Backends,
        parties: RelyingParties,
        ring: KeyRing,
        store: Store,
        sessions: Sessions,
        admits: Admits,
        trail: Trail,
        entropy: Callable[[int], bytes],
        count: Callable[[str], None],
        response_iss: bool = False,
        advice: Advice = lambda form: (),
    ) -> None:
        """`issuer`: the public URL without a trailing slash. `count`: told the words of `records.COUNTED`."""
        self.backends = backends
        self.parties = parties
        self.ring = ring
        self.issuer = issuer
        self._iss = issuer if response_iss else None
        self._lives = lives
        self._sessions = sessions
        self._entropy = entropy
        self._records = Records(trail, count)
        self._codes = Codes(store, entropy, lives.code_s)
        self._tokens = Tokens(issuer, lives, store=store, ring=ring, sessions=sessions, entropy=entropy)
        self._pages = PageCodes(parties, self._codes, self._tokens, self._records, lives, self._iss)
        self._grants = PartyGrants(parties, self._codes, self._tokens, self._records)
        self._endpoint = TokenEndpoint(backends, admits, self._records, self._grants.table(), advice)
        self._discovery = discovery(issuer, response_iss=response_iss)

    def discovery(self) -> OAuthAnswer:
        """`GET /.well-known/openid-configuration`."""
        return OAuthAnswer(200, self._discovery, {"Cache-Control": f"public, max-age={DISCOVERY_CACHE_S}"})

    def jwks(self, asked: Asked) -> OAuthAnswer:
        """`GET /oauth/jwks.json`."""
        return OAuthAnswer(200, self.ring.jwks(asked.now), {"Cache-Control": f"public, max-age={JWKS_CACHE_S}"})

    async def token(
        self, content_type: str | None, body: bytes, authorization: str | None, asked: Asked
    ) -> OAuthAnswer:
        """`POST /oauth/token`. Raises Refusal, to be answered in OAuth's shape."""
        return await self._endpoint.answer(content_type, body, authorization, asked)

    async def revoke(
        self, content_type: str | None, body: bytes, authorization: str | None, asked: Asked
    ) -> OAuthAnswer:
        """`POST /oauth/revoke` (RFC 7009): of a relying party's tokens, or of a backend's handle. Raises Refusal."""
        form = parse_form(content_type, body)
        credentials = client_credentials(form, authorization)
        if credentials.assertion is None and not self.backends.knows(credentials.client_id):
            await self._grants.revoke(form, credentials, asked)
            return OAuthAnswer(200, {})
        proved = await self.backends.authenticate(credentials, asked.now)
        asked.client = proved.rules.name
        token = form.require("token")
        if await self.backends.close(token, proved.rules, asked.now):
            await self._records.revoked(asked, token=token, kind="handle", client=proved.rules.name, reason="asked")
        return OAuthAnswer(200, {})

    async def userinfo(self, authorization: str | None, asked: Asked) -> OAuthAnswer:
        """`GET /oauth/userinfo`: the claims of the access token's visitor.

        Raises Refusal(ACCESS_TOKEN_INVALID), to be answered as 401 with `WWW-Authenticate: Bearer` (RFC 6750).
        """
        token = bearer_of(authorization)
        if token is None:
            raise Refusal(errors.ACCESS_TOKEN_INVALID)
        binding, person = await self._tokens.by_access_token(token, asked.now)
        return OAuthAnswer(200, {"sub": binding.sub, **person_claims(binding.scopes, person.name, person.email)})

    async def authorize(
        self, parameters: str, person: SignedIn | None, deployment_id: str, asked: Asked
    ) -> OAuthAnswer:
        """`GET /oauth/authorize`: a redirect with a code or an error. `parameters`: the raw query (or form body).

        `person`: who is signed in at the gateway in this browser, or None. Raises Refusal where a redirect would be
        unsafe: OAUTH_REQUEST, CLIENT_INVALID, REDIRECT_UNKNOWN; and STORE_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        try:
            request = read_request(parse_parameters(parameters), self._redirect_uris)
            party = self.parties.find(request.client_id)
            if person is None or party is None or not party.serves(person.site):
                raise login_required(request, "no visitor of the client's sites is signed in at the gateway")
            if request.hint is not None and self.ring.subject_of(request.hint, self.issuer, asked.now) != person.sub:
                # OpenID Connect Core section 3.1.2.1: never answer for somebody else than the one expected
                raise login_required(request, "the visitor of id_token_hint is not the one who is signed in")
            check_login(request, person.auth_time, asked.now)
        except SentBack as exc:
            return _redirect(error_redirect(exc, self._iss))
        asked.client = party.name
        code = await self._codes.mint(
            person,
            client_id=request.client_id,
            redirect_uri=request.redirect_uri,
            deployment_id=deployment_id,
            scopes=request.scopes,
            nonce=request.nonce,
            challenge=request.challenge,
        )
        until = asked.now + self._lives.code_s
        await self._records.minted(asked, token=code, kind="code", client=party.name, expires_at=until, person=person)
        self._records.count("code_minted")
        return _redirect(code_redirect(request, code, self._iss))

    async def page_code(self, session_id: str, deployment_id: str, ask: PageAsk, asked: Asked) -> dict[str, object]:
        """`POST /sites/{site}/auth-code` for the session that the page opened. See `PageCodes.give`."""
        person = await self._sessions.signed_in(session_id, asked.now)
        return await self._pages.give(person, deployment_id, ask, self._entropy(16).hex(), asked)

    def _redirect_uris(self, client_id: str) -> tuple[str, ...] | None:
        party = self.parties.find(client_id)
        return None if party is None else party.redirect_uris


def _redirect(location: str) -> OAuthAnswer:
    return OAuthAnswer(302, None, {**NO_STORE, "Location": location})
