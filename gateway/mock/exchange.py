"""The platform as OpenID relying party: really fetches the provider's discovery, token and keys, checks all.

Every attempt is written down with its steps, so that the control port can answer "did Genesys call, and what came
back". To the guest nearly every failure is the same 401, as at Genesys; the true reason stands in the record only.
"""

from __future__ import annotations

import secrets
from typing import Any

from gateway.mock import id_tokens
from gateway.mock.guest_jwt import AUTHENTICATED
from gateway.mock.idp_client import IdpCalls, IdpRefused
from gateway.mock.model import Deployment, GuestGrant, Json
from gateway.mock.platform_error import PlatformError
from gateway.mock.recorder import fingerprint, masked
from gateway.mock.world import World

_KEPT_RECORDS = 200


async def exchange_code(world: World, deployment: Deployment, oauth: Json) -> Json:
    """Return `{jwt, refreshToken?}` for a code or id_token; raises PlatformError 400 for the form, 401 for the rest."""
    _check_form(oauth)
    record: Json = {"at": world.now(), "kind": "exchange", "request": masked(oauth), "steps": [], "outcome": "refused"}
    _remember(world, record)
    try:
        async with IdpCalls(world, record["steps"]) as idp:
            grant = await (_by_id_token if "idToken" in oauth else _by_code)(world, deployment, oauth, idp)
    except (IdpRefused, id_tokens.IdTokenRefused) as refused:
        record["reason"] = str(refused)
        raise PlatformError("bad.credentials") from refused
    world.grants[grant.id] = grant
    record.update(outcome="granted", subject=fingerprint(grant.subject))
    body = {"jwt": _new_jwt(world, grant)}
    if grant.refresh_token is not None:
        body["refreshToken"] = grant.refresh_token
    return body


async def renew(world: World, grant: GuestGrant) -> str:
    """Return a new JWT for a sign-in, asking the provider again when it gave a refresh token; raises PlatformError 401.

    Without a refresh token of the provider a sign-in can be renewed only while the provider's access token lives.
    """
    record: Json = {"at": world.now(), "kind": "refresh", "steps": [], "outcome": "refused"}
    _remember(world, record)
    if grant.revoked or world.now() >= grant.expires_at:
        record["reason"] = "the refresh token is revoked or expired"
        raise PlatformError("bad.credentials")
    try:
        async with IdpCalls(world, record["steps"]) as idp:
            await _check_with_provider(world, grant, idp)
    except (IdpRefused, id_tokens.IdTokenRefused) as refused:
        record["reason"] = str(refused)
        raise PlatformError("bad.credentials") from refused
    record["outcome"] = "granted"
    return _new_jwt(world, grant)


def _check_form(oauth: Json) -> None:
    text_fields = ("code", "idToken", "redirectUri", "nonce", "codeVerifier", "iss")
    for name in text_fields:
        if name in oauth and not isinstance(oauth[name], str):
            raise PlatformError("constraint.validation", {"field": f"oauth.{name}", "reason": "must be a string"})
    if ("code" in oauth) == ("idToken" in oauth):
        raise PlatformError("constraint.validation", {"field": "oauth", "reason": "needs either code or idToken"})
    if "code" in oauth and "redirectUri" not in oauth:
        raise PlatformError("constraint.validation", {"field": "oauth.redirectUri", "reason": "must not be null"})
    if "idToken" in oauth and "nonce" not in oauth:
        raise PlatformError("constraint.validation", {"field": "oauth.nonce", "reason": "must not be null"})
    if "maxAge" in oauth and (not isinstance(oauth["maxAge"], int) or oauth["maxAge"] < 0):
        raise PlatformError("constraint.validation", {"field": "oauth.maxAge", "reason": "must be seconds"})
    if "codeVerifier" in oauth and not 43 <= len(oauth["codeVerifier"]) <= 128:
        raise PlatformError("constraint.validation", {"field": "oauth.codeVerifier", "reason": "43 to 128 characters"})


async def _by_code(world: World, deployment: Deployment, oauth: Json, idp: IdpCalls) -> GuestGrant:
    discovery = await idp.discovery()
    if discovery.get("authorization_response_iss_parameter_supported") is True and "iss" not in oauth:
        raise IdpRefused("iss missing from the response")
    if "iss" in oauth and oauth["iss"] != discovery["issuer"]:
        raise IdpRefused("iss is not the issuer of the discovery document")
    form = {"grant_type": "authorization_code", "code": oauth["code"], "redirect_uri": oauth["redirectUri"]}
    if "codeVerifier" in oauth:
        form["code_verifier"] = oauth["codeVerifier"]
    tokens = await idp.token(discovery, form)
    claims = await _checked_id_token(world, idp, discovery, tokens.get("id_token"), oauth)
    grant = _grant(world, deployment, claims, _seconds(tokens.get("expires_in")))
    grant.refresh_token = secrets.token_urlsafe(48)
    idp_refresh = tokens.get("refresh_token")
    grant.idp_refresh_token = idp_refresh if isinstance(idp_refresh, str) else None
    return grant


async def _by_id_token(world: World, deployment: Deployment, oauth: Json, idp: IdpCalls) -> GuestGrant:
    discovery = await idp.discovery()
    claims = await _checked_id_token(world, idp, discovery, oauth["idToken"], oauth)
    return _grant(world, deployment, claims, int(claims["exp"] - world.now()))


async def _checked_id_token(world: World, idp: IdpCalls, discovery: Json, id_token: Any, oauth: Json) -> Json:
    if not isinstance(id_token, str):
        raise IdpRefused("the token answer has no id_token")
    claims = id_tokens.verify(id_token, await idp.key_for(discovery, id_token))
    rules = id_tokens.Rules(
        issuer=discovery["issuer"],
        audience=world.oidc.client_id,
        nonce=oauth.get("nonce"),
        max_age_s=oauth.get("maxAge"),
    )
    id_tokens.check_claims(claims, rules, world.now())
    return claims


async def _check_with_provider(world: World, grant: GuestGrant, idp: IdpCalls) -> None:
    if grant.idp_refresh_token is None:
        if world.now() >= grant.idp_expires_at:
            raise IdpRefused("the provider's access token is over and it gave no refresh token")
        return
    discovery = await idp.discovery()
    tokens = await idp.token(discovery, {"grant_type": "refresh_token", "refresh_token": grant.idp_refresh_token})
    if isinstance(tokens.get("id_token"), str):
        claims = id_tokens.verify(tokens["id_token"], await idp.key_for(discovery, tokens["id_token"]))
        # OpenID Connect Core 12.2: same sub; a nonce need not be there.
        rules = id_tokens.Rules(discovery["issuer"], world.oidc.client_id, nonce=claims.get("nonce"))
        id_tokens.check_claims(claims, rules, world.now())
        if claims["sub"] != grant.subject:
            raise IdpRefused("the provider answered for another subject")
    grant.idp_refresh_token = str(tokens.get("refresh_token", grant.idp_refresh_token))
    grant.idp_expires_at = world.now() + _seconds(tokens.get("expires_in"))


def _grant(world: World, deployment: Deployment, claims: Json, idp_life_s: int) -> GuestGrant:
    now = world.now()
    life_s = min(world.sizes["guest_refresh_s"], world.oidc.max_refresh_s)
    return GuestGrant(
        id=world.new_id(),
        deployment_id=deployment.id,
        subject=claims["sub"],
        claims={name: value for name, value in claims.items() if name not in ("nonce", "at_hash")},
        expires_at=now + life_s,
        idp_expires_at=now + idp_life_s,
    )


def _new_jwt(world: World, grant: GuestGrant) -> str:
    # 15 minutes, or the provider's access token if that is shorter.
    life_s = max(1, int(min(world.sizes["guest_jwt_s"], grant.idp_expires_at - world.now())))
    claims = {"sub": grant.subject, "grant": grant.id, "deploymentId": grant.deployment_id, "jti": world.new_id()}
    return world.sign_guest_jwt(AUTHENTICATED, claims, life_s)[0]


def _seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise IdpRefused("the token answer has no usable expires_in")
    return value


def _remember(world: World, record: Json) -> None:
    world.exchanges.append(record)
    del world.exchanges[:-_KEPT_RECORDS]
