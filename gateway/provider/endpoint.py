"""The token endpoint: one table from grant_type to what answers it.

Leaves codes, tokens, backends and admissions to their own files, HTTP to the web room. Rule kept: the client proves
itself before anything else is looked at, and no Genesys token ever leaves here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.oauth_forms import Credentials, Form, client_credentials, parse_form
from gateway.provider.answers import Asked, OAuthAnswer
from gateway.provider.backends import Backends, Proved
from gateway.provider.people import Admits
from gateway.provider.records import Records

# RFC 8693 sections 2.1 and 3
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
TYPE_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
IGNORED: Final[Mapping[str, str]] = {
    "scope": "scope is ignored: what a backend may do is set by its routes and sites in the gateway's configuration",
    "audience": "audience is ignored: a handle works at this gateway only",
    "redirect_uri": "redirect_uri is ignored: client_credentials has no redirect",
}
"""What old integrations send with client_credentials, and what they are told instead of a refusal."""

Advice = Callable[[Form], Sequence[str]]
"""What more to tell a backend about fields and scopes that it sent and that do nothing."""
Grant = Callable[[Form, Credentials, Asked], Awaitable[OAuthAnswer]]


class TokenEndpoint:
    """`POST /oauth/token`. Further grants are entered by whoever builds it."""

    def __init__(
        self,
        backends: Backends,
        admission: Admits,
        records: Records,
        grants: Mapping[str, Grant],
        advice: Advice = lambda form: (),
    ) -> None:
        """`grants`: those of relying parties, by grant_type (see `provider.grants`). `advice`: see `Advice`."""
        self._advice = advice
        self._backends = backends
        self._admission = admission
        self._records = records
        self._grants: dict[str, Grant] = {
            "client_credentials": self._client_credentials,
            TOKEN_EXCHANGE: self._token_exchange,
            **grants,
        }

    async def answer(
        self, content_type: str | None, body: bytes, authorization: str | None, asked: Asked
    ) -> OAuthAnswer:
        """Answer one request. Raises Refusal, whose `reason.oauth` is the RFC's error word."""
        form = parse_form(content_type, body)
        asked.grant = form.require("grant_type")
        grant = self._grants.get(asked.grant)
        if grant is None:
            raise Refusal(errors.GRANT_UNSUPPORTED, f"Supported: {', '.join(sorted(self._grants))}.")
        return await grant(form, client_credentials(form, authorization), asked)

    async def _client_credentials(self, form: Form, credentials: Credentials, asked: Asked) -> OAuthAnswer:
        proved = await self._backend(credentials, asked)
        handle = await self._backends.open(proved, asked.now)
        backend = proved.rules
        await self._records.minted(
            asked, token=handle, kind="handle", client=backend.name,
            expires_at=asked.now + backend.handle_s, backend=backend.name,
        )  # fmt: skip
        self._records.count("backend_handle")
        # `bearer` in lower case and nothing more than Genesys' members: the official SDKs run unchanged.
        answer: dict[str, object] = {"access_token": handle, "token_type": "bearer", "expires_in": backend.handle_s}
        warnings = [text for name, text in IGNORED.items() if form.get(name) is not None]
        warnings += self._advice(form)
        return OAuthAnswer(200, answer | ({"warnings": warnings} if warnings else {}))

    async def _token_exchange(self, form: Form, credentials: Credentials, asked: Asked) -> OAuthAnswer:
        proved = await self._backend(credentials, asked)
        site = _exchange_site(form, proved)
        if form.require("subject_token_type") != TYPE_JWT:
            raise Refusal(errors.OAUTH_REQUEST, f"subject_token_type is not {TYPE_JWT}.")
        if form.get("requested_token_type") not in {None, TYPE_ACCESS}:
            raise Refusal(errors.OAUTH_REQUEST, f"The only requested_token_type is {TYPE_ACCESS}.")
        if form.get("actor_token") is not None:
            raise Refusal(errors.OAUTH_REQUEST, "actor_token is not supported.")
        admitted = await self._admission.admit(site, form.require("subject_token"), asked)
        self._records.count("token_exchange")
        answer: dict[str, object] = {
            "access_token": admitted.handle,
            "issued_token_type": TYPE_ACCESS,
            "token_type": "Bearer",
            "expires_in": admitted.expires_in_s,
            "organization_id": admitted.organization_id,
            "region": admitted.region,
            "deployment_id": admitted.deployment_id,
            "guest": {"id": admitted.guest_id, "verified": admitted.verified},
        }
        return OAuthAnswer(200, {name: value for name, value in answer.items() if value is not None})

    async def _backend(self, credentials: Credentials, asked: Asked) -> Proved:
        proved = await self._backends.authenticate(credentials, asked.now)
        asked.client = proved.rules.name
        return proved


def _exchange_site(form: Form, proved: Proved) -> str:
    """The site of a token exchange: `audience`, or the backend's only one. Raises Refusal(TARGET_INVALID)."""
    sites, named = proved.rules.sites, form.get("audience")
    if form.get("resource") is not None:
        raise Refusal(errors.TARGET_INVALID, "resource is not supported: name the site in audience.")
    if named is None and len(sites) == 1:
        return next(iter(sites))
    if named is None or named not in sites:
        raise Refusal(errors.TARGET_INVALID)
    return named
