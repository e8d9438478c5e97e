"""The shape of config.toml: every key with its type, bounds, default and one line of meaning.

Closed: an unknown key is a fault. Values are frozen. What one key cannot know about another is checked in
`gateway.config.checks`; how files, environment and defaults are layered is `gateway.config.load`.
A key is added here, in config.toml and in docs/configuration.md together; a test compares the three.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.config.section import Caller, Day, Name, SecretRef, Section
from gateway.config.site_model import Site


class Tls(Section):
    """[server.tls]: own TLS instead of a balancer's."""

    certificate: str = Field(description="PEM file with the certificate chain; read again when it changes.")
    key: str = Field(description="PEM file with the private key; read again when it changes.")


class Server(Section):
    """[server]: the public listener."""

    listen: str = Field("127.0.0.1:8080", description="Address and port of the public listener.")
    public_url: str = Field(
        "",
        description="How browsers and Genesys reach this listener, e.g. https://chat.shop.example; OpenID issuer.",
    )
    workers: int | Literal["auto"] = Field(1, description="Worker processes on the one listening address.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Networks whose X-Forwarded-For and X-Request-Id are believed. Empty: nobody's."
    )
    header_timeout_s: float = Field(
        10.0, gt=0, le=60, description="Seconds within which a request's header must be complete."
    )
    body_timeout_s: float = Field(
        30.0, gt=0, le=300, description="Seconds within which a request's body must be complete."
    )
    body_min_bytes_per_s: int = Field(500, ge=0, description="Slowest body that is read, after the first 5 seconds.")
    keepalive_s: float = Field(75.0, ge=0, le=3600, description="Seconds an idle connection is kept.")
    drain_s: float = Field(20.0, ge=0, le=300, description="Seconds that SIGTERM gives to what is under way.")
    tls: Tls | None = Field(None, description="Own TLS; absent: plain HTTP behind a balancer.")


class Admin(Section):
    """[admin]: health, metrics, console; never on the public port."""

    listen: str = Field("127.0.0.1:9090", description="Address and port of the admin listener.")
    token: SecretRef | None = Field(
        None, description="Bearer that /metrics, /console and /audit ask for; required beyond loopback."
    )


class Store(Section):
    """[store]: sessions, tickets, revocations, limits."""

    url: SecretRef = Field(
        "memory://", description="memory://, redis://, rediss:// or redis+sentinel://; may be a secret reference."
    )
    timeout_s: float = Field(0.25, gt=0, le=5, description="Seconds that one store call may take.")
    prefix: str = Field("gateway:", description="Prefix of every key in a shared store.")


class AuditSink(Section):
    """[[audit.sinks]]: a further place that gets the same records, best effort; the files stay the authority."""

    name: Name = Field(description="Name in metrics.")
    kind: Literal["syslog-tls", "http"] = Field(description="syslog-tls: RFC 5424 over TLS; http: JSON lines by POST.")
    target: str = Field(description="syslog-tls: host:port; http: the URL.")
    ca_file: str | None = Field(None, description="PEM file of the authority that signed its certificate.")
    authorization: SecretRef | None = Field(None, description="http: value of the Authorization header.")


class AuditLevel(Section):
    """[[audit.levels]]: how much is recorded of calls that were carried; the first entry that fits counts."""

    level: Literal["metadata", "aggregate"] = Field(
        description="metadata: a record for each call; aggregate: one for each session, route and minute."
    )
    sites: tuple[Name, ...] = Field((), description="Sites that it is about; empty: all.")
    routes: tuple[Name, ...] = Field((), description="Routes that it is about; empty: all.")


class Audit(Section):
    """[audit]: the tamper-evident log."""

    dir: str = Field(".gateway/audit", description="Directory of the audit segments.")
    key: SecretRef | None = Field(
        None, description="Ed25519 key (PEM) that signs checkpoints; absent with dev = true: made in dir."
    )
    on_failure: Literal["refuse", "degrade"] = Field(
        "refuse", description="When the log cannot be written: refuse, or let uses of grants pass."
    )
    retention_days: int = Field(
        400, ge=1, description="Days after which `gateway audit prune` removes closed segments."
    )
    fallback_dir: str | None = Field(None, description="A directory on another mount, tried when dir fails.")
    anchor_dir: str | None = Field(None, description="A write-once directory that receives every checkpoint.")
    conversation_id: Literal["clear", "hmac"] = Field(
        "clear", description="How records name conversations: as they are, or by a reference."
    )
    subject_keys: bool = Field(
        False, description="Name each visitor by a key of its own, which `gateway audit forget` destroys."
    )
    deployment: str = Field(
        "gateway",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="First part of the signing name; one for all nodes.",
    )
    segment_mib: int = Field(64, ge=1, le=4096, description="MiB after which a new segment is begun.")
    segment_hours: float = Field(24.0, gt=0, le=168, description="Hours after which a new segment is begun.")
    gzip: bool = Field(True, description="Gzip finished segments.")
    checkpoint_s: float = Field(1.0, ge=0.1, le=60, description="Seconds after which new records are signed.")
    checkpoint_records: int = Field(1_000, ge=1, le=100_000, description="Records after which they are signed.")
    checkpoint_idle_s: float = Field(60.0, ge=1, le=3_600, description="Seconds between signatures without news.")
    linger_ms: float = Field(
        20.0, ge=0, le=100, description="Milliseconds that records nobody waits for gather before they are written."
    )
    levels: tuple[AuditLevel, ...] = Field((), description="How much is recorded of calls that were carried.")
    sinks: tuple[AuditSink, ...] = Field((), description="Further places that get the same records.")


class Tracing(Section):
    """[tracing]: W3C trace context; spans need the extra `otel`."""

    spans: bool = Field(
        False, description="Make spans with OpenTelemetry and send them by OTLP (OTEL_EXPORTER_OTLP_*)."
    )
    sample_ratio: float = Field(0.01, ge=0, le=1, description="Share of requests whose spans are kept.")
    propagate_upstream: bool = Field(False, description="Send our traceparent to Genesys.")
    debug_key: SecretRef | None = Field(
        None, description="Key of signed debug requests: they are sampled, and told where their time went."
    )


class Log(Section):
    """[log]: the application log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe line that is written."
    )
    format: Literal["auto", "json", "pretty"] = Field("auto", description="auto: pretty in a terminal, JSON elsewhere.")


class Keys(Section):
    """[keys]: the gateway's own secrets. With dev = true absent ones are made and kept under dir."""

    dir: str = Field(".gateway/keys", description="Directory of keys that the gateway makes for itself (mode 0700).")
    guest: SecretRef | None = Field(
        None, description="32+ bytes: guest ids and upstream guest tokens are HMACs under it."
    )
    guest_version: int = Field(1, ge=1, le=255, description="Version of the guest key; part of every guest id.")
    ends: dict[str, Day] = Field(
        default_factory=dict,
        description="Day (YYYY-MM-DD, UTC) on which a secret of this file ends, by its key; for metric and alert.",
    )


class SecretWatch(Section):
    """[secrets]: how a changed secret is noticed; the environment is read on reload only."""

    poll_s: float = Field(2.0, gt=0, le=3600, description="Seconds between two looks at file: secrets.")
    exec_s: float = Field(300.0, ge=10, le=86_400, description="Seconds between two runs of exec: secrets.")


class Limits(Section):
    """[limits]: how much one address, guest, site and node may ask."""

    requests_per_address_per_min: int = Field(600, ge=1, description="Requests of one client address per minute.")
    requests_per_origin_per_min: int = Field(
        30_000, ge=1, description="Requests of one listed origin of a site per minute."
    )
    requests_per_guest_per_min: int = Field(300, ge=1, description="Requests of one guest session per minute.")
    requests_per_site_per_min: int = Field(60_000, ge=1, description="Requests of one site per minute.")
    sessions_per_address_per_min: int = Field(
        60, ge=1, description="Sessions that one client address may open (or failed client logins) per minute."
    )
    sockets_per_guest: int = Field(3, ge=1, le=3, description="Open sockets of one guest; Genesys itself keeps three.")
    sockets_per_site: int = Field(5_000, ge=1, description="Open sockets of one site on this node.")
    sockets: int = Field(10_000, ge=1, description="Open sockets of this node.")
    connects_per_deployment_per_min: int = Field(
        900, ge=1, description="Upstream dials per deployment and minute; Genesys takes 1,000."
    )
    concurrent_requests: int = Field(
        1_000, ge=1, description="Requests under way on this node; more are refused at once."
    )
    frame_bytes: int = Field(65_536, ge=4_096, le=1_048_576, description="Largest WebSocket frame of a guest.")
    quota_headroom_percent: int = Field(
        20, ge=0, le=90, description="Share of each token's quota at Genesys that is left unused."
    )
    quota_guest_percent: int = Field(
        50, ge=0, le=100, description="Share of the rest that guests may use together; backends may use all."
    )
    socket_idle_s: float = Field(
        300.0, ge=30, description="Seconds without any frame or pong after which a socket is closed."
    )


class Client(Section):
    """[orgs.X.clients.Y]: one OAuth client of Genesys, for one purpose."""

    id: str = Field(min_length=1, description="Client id (UUID) of a client-credentials client.")
    secret: SecretRef = Field(description="Reference to the client secret.")
    previous_secret: SecretRef | None = Field(None, description="The secret before rotation, valid in the overlap.")
    permissions: tuple[str, ...] = Field(
        (), description="What the client's role holds; checked against what its routes need."
    )
    scopes: tuple[str, ...] = Field((), description="Ignored by Genesys for client credentials; explained when set.")
    tokens: int = Field(
        1, ge=1, le=8, description="Tokens used side by side; each has its own quota of 300 calls a minute."
    )


class Endpoints(Section):
    """[orgs.X.endpoints]: hosts other than the region table's: the mock, or a new region. http only with dev = true."""

    login: str | None = Field(None, description="Base URL of the login host.")
    api: str | None = Field(None, description="Base URL of the Platform API.")
    cdn: str | None = Field(None, description="Base URL of the deployment CDN (api-cdn).")
    apps: str | None = Field(None, description="Base URL of the host of the Messenger script.")
    webmessaging: str | None = Field(None, description="Base URL (ws, wss) of the Guest API socket host.")


class Org(Section):
    """[orgs.X]: one Genesys Cloud organisation."""

    region: str = Field(
        description="Any accepted spelling: eu-west-1, eu_west_1, euw1, prod-euw1, mypurecloud.ie, a host of it."
    )
    organization_id: str | None = Field(None, description="Organisation id; when set it is compared with tokens/me.")
    ownership_client: Name | None = Field(
        None, description="OAuth client that finds out whose a conversation is, for routes with an owner."
    )
    failover: Name | None = Field(
        None, description="Organisation of another region for reads that cannot reach this one; absent: nothing moves."
    )
    clients: dict[Name, Client] = Field(default_factory=dict, description="OAuth clients by purpose.")
    endpoints: Endpoints = Field(default_factory=Endpoints, description="Hosts that differ from the region table.")


class Route(Section):
    """[[routes]]: one call that may be made through the gateway."""

    name: Name = Field(description="Name in records and metrics.")
    match: str = Field(
        description="Method and path template: `GET /api/v2/routing/queues/{queueId}/estimatedwaittime`."
    )
    upstream: str | None = Field(None, description="Operation at Genesys; absent: the same as match.")
    body: dict[str, object] | None = Field(
        None, description="Body sent upstream instead of the caller's; `{name}` in its texts is filled in."
    )
    parameters: dict[str, Literal["uuid", "id", "int", "slug"]] = Field(
        default_factory=dict, description="Types of path parameters; uuid when absent."
    )
    query: tuple[str, ...] = Field((), description="Query parameters that may pass.")
    callers: tuple[Caller, ...] = Field((), description="Who may call. Empty: nobody.")
    sites: tuple[Name, ...] = Field((), description="Sites on which the route exists. Empty: all.")
    client: Name | None = Field(
        None, description="OAuth client of the site's org whose bearer is injected; absent: none."
    )
    owner: str | None = Field(None, description="Path parameter that must be the caller's own conversation.")
    max_body_bytes: int = Field(512_000, ge=0, le=512_000, description="Largest body.")
    timeout_s: float = Field(15.0, gt=0, le=120, description="Seconds for the whole upstream call.")
    retry: Literal["auto", "never"] = Field(
        "auto", description="auto: idempotent or unsent calls once more; never: not at all."
    )
    cache_s: int = Field(0, ge=0, le=3600, description="Seconds that a GET answer is kept per site.")
    limit_per_min: int = Field(0, ge=0, description="Calls per caller and minute; 0: the general limits only.")
    answer: tuple[str, ...] = Field(
        (), description="Members of a JSON answer that pass, `results.intent` for one deeper; empty: all."
    )


class Backend(Section):
    """[backends.X]: one server-side caller."""

    id: str | None = Field(None, description="client_id at our token endpoint; the section's name when absent.")
    key: SecretRef | None = Field(
        None, description="The key, or its `sha256:` hash, by reference; absent only beside a public_key."
    )
    previous_key: SecretRef | None = Field(None, description="The key before rotation, valid in the overlap.")
    public_key: str | None = Field(
        None, description="PEM file with the public key of its signed assertions (private_key_jwt)."
    )
    sites: tuple[Name, ...] = Field((), description="Sites that it may act for. Empty: none.")
    routes: tuple[Name, ...] = Field((), description="Routes that it may call. Empty: none.")
    handle_s: int = Field(900, ge=60, le=86_400, description="Lifetime of a handle from our token endpoint.")


class OidcClient(Section):
    """[oidc.clients.X]: a relying party of our OpenID provider; normally Genesys."""

    id: str = Field(min_length=1, description="client_id that Genesys uses.")
    secret: SecretRef = Field(description="client_secret that Genesys uses.")
    previous_secret: SecretRef | None = Field(None, description="The secret before rotation, valid in the overlap.")
    redirect_uris: tuple[str, ...] = Field((), description="Exact redirect URIs; pages get the first unless they ask.")
    sites: tuple[Name, ...] = Field((), description="Sites whose pages get codes for this client. Empty: all.")


class Oidc(Section):
    """[oidc]: our OpenID provider."""

    keys_dir: str = Field(
        ".gateway/keys/signing", description="Directory of the id_token signing keys; shared by every node."
    )
    publish_ahead_s: int = Field(
        86_400, ge=0, le=2_592_000, description="Seconds that a new signing key is published before it signs."
    )
    code_s: int = Field(60, ge=10, le=600, description="Seconds within which an authorization code must be redeemed.")
    access_token_s: int = Field(
        900, ge=60, le=86_400, description="Lifetime of access tokens; Genesys caps its guest JWT (15 min) by it."
    )
    id_token_s: int = Field(900, ge=60, le=3600, description="Lifetime of id_tokens.")
    refresh_s: int = Field(
        43_200, ge=0, le=7_776_000, description="Lifetime of refresh tokens, within the session's; 0: none are given."
    )
    refresh_grace_s: int = Field(
        60, ge=0, le=300, description="Seconds that a used refresh token still works, for repeated calls."
    )
    response_iss: bool = Field(
        False, description="Announce RFC 9207: codes come with iss, and who redeems them must have got it."
    )
    session_cookie: bool = Field(
        False, description="POST /session also sets a cookie, by which /oauth/authorize knows the visitor."
    )
    clients: dict[Name, OidcClient] = Field(default_factory=dict, description="Relying parties.")


class Mock(Section):
    """[mock]: what the demo and `gateway mock` start. Never used by `gateway serve`."""

    api_config: str | None = Field(
        None, description="mock_api_config.json: permissions or scopes demanded per endpoint."
    )


class Config(Section):
    """The whole file."""

    version: Literal[1] = Field(description="Version of this format.")
    dev: bool = Field(
        False, description="Development: plain secrets, plain http upstreams and generated keys are allowed."
    )
    server: Server = Field(default_factory=Server, description="The public listener.")
    admin: Admin = Field(default_factory=Admin, description="The admin listener.")
    store: Store = Field(default_factory=Store, description="Sessions and counts.")
    audit: Audit = Field(default_factory=Audit, description="The audit log.")
    log: Log = Field(default_factory=Log, description="The application log.")
    tracing: Tracing = Field(default_factory=Tracing, description="Trace context and spans.")
    keys: Keys = Field(default_factory=Keys, description="The gateway's own secrets.")
    secrets: SecretWatch = Field(default_factory=SecretWatch, description="How changed secrets are noticed.")
    limits: Limits = Field(default_factory=Limits, description="Limits.")
    orgs: dict[Name, Org] = Field(default_factory=dict, description="Genesys organisations.")
    sites: dict[Name, Site] = Field(default_factory=dict, description="Websites.")
    routes: tuple[Route, ...] = Field((), description="Calls that may be made.")
    backends: dict[Name, Backend] = Field(default_factory=dict, description="Server-side callers.")
    oidc: Oidc = Field(default_factory=Oidc, description="Our OpenID provider.")
    mock: Mock = Field(default_factory=Mock, description="The mock Genesys of the demo.")
