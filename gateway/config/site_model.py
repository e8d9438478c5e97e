"""The shape of [sites.X]: one website, who is admitted to it, how long sessions live, and the context that we set.

The rest of the file is `model`, which joins both; what keys must know of each other is judged by the checks.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.panel_model import Panel
from gateway.config.section import Name, SecretRef, Section


class Issuer(Section):
    """[[sites.X.visitors.issuers]]: one profile of visitor tokens."""

    kind: Literal["zendesk-messaging", "zendesk-chat", "sunshine-v1", "oidc"] = Field(description="The profile.")
    name: Name | None = Field(None, description="Name in records; the kind when absent.")
    kid: str | None = Field(None, description="Key id (zendesk-messaging, sunshine-v1): app_ and 24 hex digits.")
    secret: SecretRef | None = Field(None, description="The shared secret, used as raw UTF-8 bytes.")
    previous_secret: SecretRef | None = Field(
        None, description="zendesk-chat: the secret before rotation, valid in the overlap."
    )
    issuer: str | None = Field(None, description="oidc: the issuer URL.")
    audience: str | None = Field(None, description="oidc: the audience that tokens must name.")
    algorithms: tuple[Literal["RS256", "ES256", "EdDSA"], ...] = Field(
        ("RS256",), description="oidc: algorithms accepted."
    )
    max_lifetime_s: int = Field(3600, ge=60, le=31_536_000, description="Longest exp - now accepted.")
    require_exp: bool = Field(True, description="Refuse tokens without exp.")
    leeway_s: int = Field(60, ge=0, le=300, description="Clock difference that is forgiven.")
    one_use: bool = Field(False, description="Each token opens one session only.")
    report_only: bool = Field(False, description="Count and record failures of the lifetime rules without refusing.")


class Subject(Section):
    """[sites.X.visitors.subject]: how a visitor's identifier at the site becomes the id that Genesys knows."""

    kind: Literal["hmac", "uuid5", "passthrough"] = Field(
        "hmac", description="hmac: keyed, nobody can compute it; uuid5: of a secret namespace; passthrough: as it is."
    )
    form: Literal["uuid", "base32"] = Field("uuid", description="hmac: how the id is written.")
    namespace: SecretRef | None = Field(None, description="uuid5: the namespace, a random UUID that is kept secret.")
    brand: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Name of the brand, where Zendesk keeps the users of several brands apart; part of every id.",
    )
    allow_at: bool = Field(False, description="passthrough: admit identifiers with @, which mostly are e-mails.")
    lookup_days: int = Field(
        0, ge=0, le=400, description="Days that an audited admin call can trace an id back to the visitor; 0: never."
    )


class Visitors(Section):
    """[sites.X.visitors]: who is admitted, and how."""

    anonymous: bool = Field(False, description="Admit visitors without any proof.")
    anonymous_socket: bool = Field(
        False, description="Admit Guest-API sockets without a ticket (the client's own token is the guest)."
    )
    on_failure: Literal["refuse", "anonymous"] = Field("refuse", description="What a failed sign-in becomes.")
    step_up: bool = Field(
        True, description="Signing in keeps the conversation; false where the deployment has no session upgrade."
    )
    genesys_login: bool = Field(
        False, description="Proxied: sign verified visitors in at Genesys too, through our OpenID provider."
    )
    subject: Subject = Field(default_factory=Subject, description="Which id Genesys knows a visitor by.")
    issuers: tuple[Issuer, ...] = Field((), description="Profiles of visitor tokens.")


class SessionLife(Section):
    """[sites.X.session]: how long a guest session lives."""

    idle_s: int = Field(1800, ge=60, le=604_800, description="Seconds without use after which a session ends.")
    absolute_s: int = Field(43_200, ge=300, le=2_592_000, description="Seconds after which a session ends in any case.")
    handle_s: int = Field(
        900, ge=60, le=86_400, description="Lifetime of one session_token; renewed by the page before."
    )
    dpop: Literal["off", "required"] = Field(
        "off", description="required: a session_token works only with a proof by the browser's own key (RFC 9449)."
    )


class Context(Section):
    """[sites.X.context]: guest context that the gateway alone sets."""

    attributes: dict[str, str] = Field(
        default_factory=dict,
        description="Attributes on every message; may hold {guest_id}, {verified}, {site}, {external_id}, {origin}.",
    )
    reserved: tuple[str, ...] = Field((), description="Keys that a page may not set, beside those of attributes.")


class Zendesk(Section):
    """[sites.X.zendesk]: the calls that pages make to Zendesk's widgets, and what becomes of what they carry."""

    calls: bool = Field(True, description="Keep zE, zEmbed, $zopim and zESettings of the pages working.")
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="Ids of ticket fields and the attributes that they become; others are dropped and counted.",
    )
    departments: dict[str, str] = Field(
        default_factory=dict,
        description="Names of departments and what zd_department becomes, for the flow to route by.",
    )


class Migration(Section):
    """[sites.X.migration]: who still gets Zendesk's widget, while both run beside each other."""

    old_script: str | None = Field(
        None,
        pattern=r"^https?://[^\s\"'<>\\]+$",
        description="Address of Zendesk's script (ze-snippet) for the visitors who keep it; absent: nobody does.",
    )
    share: float = Field(100.0, ge=0, le=100, description="Per cent of the visitors who get the new chat.")
    salt: str = Field("", max_length=64, description="Changes who belongs to the share; leave it alone while it runs.")


class Site(Section):
    """[sites.X]: one website."""

    org: Name = Field(description="Name of the organisation in [orgs].")
    deployment_id: str = Field(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", description="Messenger deployment id."
    )
    mode: Literal["proxied", "messenger"] = Field(
        "proxied", description="Our chat client through us, or the stock Messenger."
    )
    origins: tuple[str, ...] = Field(
        (), description="Origins of the site's pages; `https://*.shop.example` for sub-domains. Empty: nobody."
    )
    allow_null_origin: bool = Field(False, description="Admit the opaque origin `null`; only for sandboxed pages.")
    hosts: tuple[str, ...] = Field((), description="Host names of the gateway that stand for this site.")
    upstream_origin: str | None = Field(None, description="Origin sent to Genesys; absent: the page's own.")
    actions: tuple[str, ...] | None = Field(
        None, description="Guest API actions admitted; absent: all of the documented list."
    )
    locale: str = Field("", description="Language of our chat client; empty: the page's own.")
    debug: bool = Field(False, description="Passed to the Messenger; makes our script explain itself in the console.")
    traceparent: bool = Field(False, description="Let pages send traceparent: it is listed in answers to preflights.")
    visitors: Visitors = Field(default_factory=Visitors, description="Who is admitted.")
    session: SessionLife = Field(default_factory=SessionLife, description="How long sessions live.")
    context: Context = Field(default_factory=Context, description="Guest context set by the gateway.")
    audit_on_failure: Literal["refuse", "degrade"] = Field(
        "degrade", description="As [audit] on_failure, for this site; the stricter of the two counts."
    )
    panel: Panel = Field(default_factory=Panel, description="Look and words of our own chat panel.")
    zendesk: Zendesk = Field(default_factory=Zendesk, description="Calls that pages still make to Zendesk's widgets.")
    migration: Migration = Field(default_factory=Migration, description="Who still gets Zendesk's widget.")
