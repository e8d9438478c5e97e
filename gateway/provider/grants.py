"""The grants of relying parties: a code or a refresh token into tokens; and revocation (RFC 7009).

Leaves keeping to `codes.py` and `tokens.py`. Rules kept: the client proves itself first; everything given out is
recorded before; and a code or refresh token that comes back ends its grant, which is recorded too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.handles import HandleKind
from gateway.policy.oauth_forms import Credentials, Form
from gateway.policy.openid import check_redemption
from gateway.provider.answers import Asked, OAuthAnswer
from gateway.provider.codes import CodeReplayed, Codes
from gateway.provider.endpoint import Grant
from gateway.provider.parties import RelyingParties, RelyingParty
from gateway.provider.people import SignedIn
from gateway.provider.records import Records, TokenKind
from gateway.provider.tokens import Issued, Tokens

_KINDS: Final[Mapping[HandleKind, TokenKind]] = {HandleKind.ACCESS: "access", HandleKind.REFRESH: "refresh"}


class PartyGrants:
    """What relying parties may ask of the token endpoint."""

    def __init__(self, parties: RelyingParties, codes: Codes, tokens: Tokens, records: Records) -> None:
        self._parties = parties
        self._codes = codes
        self._tokens = tokens
        self._records = records

    def table(self) -> dict[str, Grant]:
        """The grants by grant_type, for the token endpoint."""
        return {"authorization_code": self._authorization_code, "refresh_token": self._refresh_token}

    async def revoke(self, form: Form, credentials: Credentials, asked: Asked) -> None:
        """End a token of the client. What is unknown or another's is passed over in silence (RFC 7009 section 2.2).

        Raises Refusal: CLIENT_INVALID, OAUTH_REQUEST, STORE_UNAVAILABLE, AUDIT_UNAVAILABLE.
        """
        party = self._authenticate(credentials, asked)
        token = form.require("token")
        ended = await self._tokens.revoke(token, party.client_id, asked.now)
        if ended is not None:
            kind = _KINDS[ended.kind]
            await self._records.revoked(asked, token=token, kind=kind, client=party.name, reason="asked")

    async def _authorization_code(self, form: Form, credentials: Credentials, asked: Asked) -> OAuthAnswer:
        party = self._authenticate(credentials, asked)
        code, redirect_uri = form.require("code"), form.get("redirect_uri")
        try:
            bound = await self._codes.take(code)
        except CodeReplayed as exc:
            await self._tokens.revoke_grant(exc.bound.binding.grant_id)
            await self._records.revoked(asked, token=code, kind="code", client=party.name, reason="replayed")
            raise
        check_redemption(bound, party.client_id, redirect_uri, form.get("code_verifier"))
        person = await self._tokens.live_person(bound.binding, asked.now)
        scopes = bound.binding.scopes
        issued = await self._tokens.issue(bound.binding, person, asked.now, scopes=scopes, nonce=bound.nonce)
        await self._record(party, scopes, person, issued, asked)
        self._records.count("code_redeemed")
        return _answer(issued, scopes, asked)

    async def _refresh_token(self, form: Form, credentials: Credentials, asked: Asked) -> OAuthAnswer:
        party = self._authenticate(credentials, asked)
        token = form.require("refresh_token")
        try:
            record, scopes = await self._tokens.start_refresh(token, party.client_id, form.get("scope"), asked.now)
        except Refusal as exc:
            if exc.reason is errors.REFRESH_REPLAYED:
                await self._records.revoked(asked, token=token, kind="refresh", client=party.name, reason="replayed")
            raise
        person = await self._tokens.live_person(record.binding, asked.now)
        until = min(record.expires_at, person.ends_at)
        issued = await self._tokens.issue(record.binding, person, asked.now, scopes=scopes, refresh_until=until)
        await self._record(party, scopes, person, issued, asked)
        self._records.count("refreshed")
        return _answer(issued, scopes, asked)

    async def _record(
        self, party: RelyingParty, scopes: tuple[str, ...], person: SignedIn, issued: Issued, asked: Asked
    ) -> None:
        """Record every token by itself, so that each can be found again by its reference."""
        made: list[tuple[TokenKind, str, float]] = [
            ("access", issued.access_token, issued.access_expires_at),
            ("id_token", issued.id_token, issued.id_expires_at),
        ]
        if issued.refresh_token is not None:
            made.append(("refresh", issued.refresh_token, issued.refresh_expires_at))
        # at once, because each waits for the disk
        await asyncio.gather(
            *(
                self._records.minted(
                    asked,
                    token=token,
                    kind=kind,
                    client=party.name,
                    expires_at=until,
                    person=person,
                    scopes=scopes,
                )
                for kind, token, until in made
            )
        )

    def _authenticate(self, credentials: Credentials, asked: Asked) -> RelyingParty:
        party = self._parties.authenticate(credentials)
        asked.client = party.name
        return party


def _answer(issued: Issued, scopes: tuple[str, ...], asked: Asked) -> OAuthAnswer:
    body: dict[str, object] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(issued.access_expires_at - asked.now),
        "id_token": issued.id_token,
        "scope": " ".join(scopes),
    }
    return OAuthAnswer(200, body | ({"refresh_token": issued.refresh_token} if issued.refresh_token else {}))
