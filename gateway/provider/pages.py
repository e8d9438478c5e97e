"""The page's code endpoint: for a signed-in visitor what `AuthProvider.getAuthCode` resolves, fresh at each call.

Leaves origin, visitor token and session to the web room. Rules kept: only a verified visitor gets a code or id_token;
with PKCE the page makes the verifier and keeps it, and only the challenge comes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.openid import SCOPES, checked_challenge, checked_nonce
from gateway.provider.answers import Asked
from gateway.provider.codes import Codes, bind
from gateway.provider.parties import RelyingParties, RelyingParty
from gateway.provider.people import SignedIn
from gateway.provider.records import Records
from gateway.provider.tokens import Lives, Tokens

MEMBERS: Final = ("code_challenge", "code_challenge_method", "nonce", "redirect_uri", "response_type")
_RESPONSE_TYPES: Final = ("code", "id_token")


@dataclass(frozen=True, slots=True)
class PageAsk:
    """What a page may say about the code it wants. `redirect_uri` None: the client's first."""

    response_type: str = "code"
    redirect_uri: str | None = None
    nonce: str | None = None
    challenge: str | None = None


def read_page_ask(members: Mapping[str, object]) -> PageAsk:
    """Read the members of the page's JSON that are about the code; others are left alone.

    Raises Refusal: JSON_MALFORMED for a member that is no string, OAUTH_REQUEST.
    """
    texts: dict[str, str] = {}
    for name in MEMBERS:
        value = members.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise Refusal(errors.JSON_MALFORMED, f"{name} is not a string.")
        texts[name] = value
    response_type = texts.get("response_type", "code")
    if response_type not in _RESPONSE_TYPES:
        raise Refusal(errors.OAUTH_REQUEST, "response_type is code or id_token.")
    challenge = checked_challenge(texts.get("code_challenge"), texts.get("code_challenge_method"))
    if response_type == "id_token" and challenge is not None:
        raise Refusal(errors.OAUTH_REQUEST, "code_challenge belongs to response_type code.")
    return PageAsk(response_type, texts.get("redirect_uri"), checked_nonce(texts.get("nonce")), challenge)


class PageCodes:
    """`POST /sites/{site}/auth-code`."""

    def __init__(
        self, parties: RelyingParties, codes: Codes, tokens: Tokens, records: Records, lives: Lives, iss: str | None
    ) -> None:
        """`iss`: the issuer, where the discovery document says that it comes along (RFC 9207); else None."""
        self._parties = parties
        self._codes = codes
        self._tokens = tokens
        self._records = records
        self._lives = lives
        self._iss = iss

    async def give(
        self, person: SignedIn | None, deployment_id: str, ask: PageAsk, fresh_nonce: str, asked: Asked
    ) -> dict[str, object]:
        """What `getAuthCode` resolves: `{authCode, redirectUri, nonce?, iss?}`, or `{idToken, nonce, iss?}`.

        The answer never holds a codeVerifier: the page that sent a challenge adds its own. `fresh_nonce`: used for an
        id_token where the page gave none, because there it must have one.

        Raises Refusal: NOT_SIGNED_IN, NO_RELYING_PARTY, REDIRECT_UNKNOWN, SIGNING_KEY_UNAVAILABLE, STORE_UNAVAILABLE,
        AUDIT_UNAVAILABLE.
        """
        if person is None:
            raise Refusal(errors.NOT_SIGNED_IN)
        party = self._parties.for_site(person.site)
        asked.client = party.name
        if ask.response_type == "id_token":
            return await self._id_token(person, party, deployment_id, ask.nonce or fresh_nonce, asked)
        redirect_uri = _redirect_uri(party, ask.redirect_uri)
        code = await self._codes.mint(
            person,
            client_id=party.client_id,
            redirect_uri=redirect_uri,
            deployment_id=deployment_id,
            scopes=SCOPES,
            nonce=ask.nonce,
            challenge=ask.challenge,
        )
        until = asked.now + self._lives.code_s
        await self._records.minted(asked, token=code, kind="code", client=party.name, expires_at=until, person=person)
        self._records.count("code_minted")
        return self._with_iss({"authCode": code, "redirectUri": redirect_uri}, ask.nonce)

    async def _id_token(
        self, person: SignedIn, party: RelyingParty, deployment_id: str, nonce: str, asked: Asked
    ) -> dict[str, object]:
        binding = bind(person, "", party.client_id, deployment_id, SCOPES)
        token, until = self._tokens.id_token(binding, person, asked.now, nonce=nonce)
        await self._records.minted(
            asked, token=token, kind="id_token", client=party.name, expires_at=until, person=person
        )
        self._records.count("id_token_minted")
        return self._with_iss({"idToken": token}, nonce)

    def _with_iss(self, members: dict[str, object], nonce: str | None) -> dict[str, object]:
        # Genesys wants nonce and iss exactly when the request had the one and discovery announces the other.
        return members | ({"nonce": nonce} if nonce is not None else {}) | ({"iss": self._iss} if self._iss else {})


def _redirect_uri(party: RelyingParty, wanted: str | None) -> str:
    """The URI that the code is bound to: one of the client's own, byte for byte. Raises Refusal(REDIRECT_UNKNOWN)."""
    if wanted is None and party.redirect_uris:
        return party.redirect_uris[0]
    if wanted is None or wanted not in party.redirect_uris:
        raise Refusal(errors.REDIRECT_UNKNOWN)
    return wanted
