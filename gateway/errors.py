"""Every refusal and fault of the gateway: its stable code, status, cause and remedy, as one table.

A check answers success or raises `Refusal` with a reason of this table. The code is the same word in the answer,
the audit record, the metric label and docs/refusals.md. Only the web room turns a refusal into HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a request was refused or failed.

    `code`: stable, dotted, lower case. `status`: HTTP status of the answer. `title`: short and constant.
    `cause` and `remedy`: one sentence each, for the person who reads the answer; never about one visitor.
    `oauth`: the RFC 6749/8693 `error` word where the refusal is given by an OAuth endpoint.
    """

    code: str
    status: int
    title: str
    cause: str
    remedy: str
    oauth: str = "invalid_request"


class GatewayError(Exception):
    """Base of everything that the gateway raises on purpose."""


class Refusal(GatewayError):
    """A request that is not carried out, with the reason.

    `detail` says more about this one case, is shown to the caller, and so holds nothing secret and nothing about
    other visitors. `retry_after_s`: whole seconds after which a retry makes sense, or None.
    """

    def __init__(self, reason: Reason, detail: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{reason.code}: {detail}" if detail else reason.code)
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> str:
        """The stable code of the reason."""
        return self.reason.code

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.reason.status


class ConfigFault(GatewayError):
    """A configuration that cannot be used: every fault found, each as (key, message)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{key}: {message}" for key, message in faults))
        self.faults = faults


REASONS: Final[dict[str, Reason]] = {}
"""Every reason by its code."""


def _reason(code: str, status: int, title: str, cause: str, remedy: str, oauth: str = "invalid_request") -> Reason:
    """Enter one row of the table; a code that is taken is a programming error."""
    if code in REASONS:
        raise ValueError(f"reason {code} stands twice")
    REASONS[code] = Reason(code, status, title, cause, remedy, oauth)
    return REASONS[code]


# --- the request itself -----------------------------------------------------------------------------------------
REQUEST_MALFORMED = _reason(
    "request.malformed", 400, "Malformed HTTP request",
    "The request is not well-formed HTTP/1.1, or is framed ambiguously.",
    "Send one well-formed request; the connection was closed.",
)  # fmt: skip
PATH_INVALID = _reason(
    "request.path_invalid", 400, "Path not in canonical form",
    "The request target holds dot segments, empty segments, encoded slashes or control characters, or is not in "
    "origin form.",
    "Send the path in its one canonical spelling, percent-encoding only what must be.",
)  # fmt: skip
HEADER_INVALID = _reason(
    "request.header_invalid", 400, "Header not acceptable",
    "A header is repeated, contradictory or holds characters that are not allowed.",
    "Send each header once, in printable ASCII.",
)  # fmt: skip
METHOD_NOT_ALLOWED = _reason(
    "request.method_not_allowed", 405, "Method not allowed",
    "This path does not answer to this method.",
    "Use a method named in the Allow header.",
)  # fmt: skip
JSON_MALFORMED = _reason(
    "request.json_malformed", 400, "Body is not the JSON expected",
    "The body is not UTF-8 JSON, names a key twice, or has not the members that this call expects.",
    "Send the documented JSON object.",
)  # fmt: skip
MEDIA_TYPE = _reason(
    "request.media_type", 415, "Media type not accepted",
    "The Content-Type or Content-Encoding of the body is not one that this call takes.",
    "Send application/json (or, at OAuth endpoints, application/x-www-form-urlencoded), without Content-Encoding.",
)  # fmt: skip
BODY_TOO_LARGE = _reason(
    "request.body_too_large", 413, "Body too large",
    "The body is larger than this route takes; Genesys itself takes 512,000 bytes at most.",
    "Send less, or raise the route's max_body_bytes up to 512000.",
)  # fmt: skip
BODY_TIMEOUT = _reason(
    "request.timeout", 408, "Request took too long to arrive",
    "The header or the body did not arrive within its time.",
    "Send the request without pauses.",
)  # fmt: skip
NOT_FOUND = _reason(
    "request.not_found", 404, "Nothing here",
    "The gateway serves nothing at this path.",
    "See the list of paths in the documentation.",
)  # fmt: skip

# --- site and origin --------------------------------------------------------------------------------------------
SITE_UNKNOWN = _reason(
    "site.unknown", 404, "Unknown site",
    "No configured site has this name, host or deployment.",
    "Use a name from [sites.*], or add the host to sites.X.hosts.",
)  # fmt: skip
ORIGIN_MISSING = _reason(
    "origin.missing", 403, "Origin missing",
    "The call must come from a web page, and a browser would have sent an Origin header.",
    "Call from an allowed page, or use a backend route with a backend credential.",
)  # fmt: skip
ORIGIN_NULL = _reason(
    "origin.null", 403, "Opaque origin",
    "The page has the opaque origin `null` (sandboxed frame, file: or data: page).",
    "Serve the page from an http(s) origin that the site lists.",
)  # fmt: skip
ORIGIN_MALFORMED = _reason(
    "origin.malformed", 403, "Origin malformed",
    "The Origin header is not scheme://host[:port] as the Fetch standard serialises it.",
    "Send the serialised origin; native clients need a backend route.",
)  # fmt: skip
ORIGIN_INSECURE = _reason(
    "origin.insecure", 403, "Insecure origin",
    "The page was loaded over plain http, and the site lists only its https origin.",
    "Load the page over https, or list the http origin deliberately.",
)  # fmt: skip
ORIGIN_NOT_ALLOWED = _reason(
    "origin.not_allowed", 403, "Origin not allowed",
    "The page's origin is not in the site's list.",
    "Add the exact origin to sites.X.origins, and its host name to the deployment's allowed domains in Genesys.",
)  # fmt: skip

# --- visitors' proofs -------------------------------------------------------------------------------------------
VISITOR_MISSING = _reason(
    "visitor.missing", 401, "Visitor token missing",
    "The site does not admit anonymous visitors, and no visitor token was sent.",
    "Send the visitor's token as visitor_token, or set sites.X.visitors.anonymous = true.", "invalid_request",
)  # fmt: skip
VISITOR_MALFORMED = _reason(
    "visitor.malformed", 401, "Visitor token malformed",
    "The visitor token is not a compact JWS with JSON header and claims.",
    "Send the JWT exactly as the site's server signed it.", "invalid_request",
)  # fmt: skip
VISITOR_TOO_LARGE = _reason(
    "visitor.too_large", 401, "Visitor token too large",
    "The visitor token is longer than 8192 bytes.",
    "Leave out claims that the gateway does not need.", "invalid_request",
)  # fmt: skip
VISITOR_ALG = _reason(
    "visitor.alg_not_allowed", 401, "Algorithm not allowed",
    "The token's alg is not the one that belongs to its key.",
    "Sign with the algorithm of the issuer profile (HS256 for Zendesk).", "invalid_grant",
)  # fmt: skip
VISITOR_UNKNOWN_KID = _reason(
    "visitor.unknown_kid", 401, "Unknown key id",
    "The token's kid is missing or names no key of the site.",
    "Put the key id (app_...) into the JWT header, or add the key to sites.X.visitors.issuers.", "invalid_grant",
)  # fmt: skip
VISITOR_UNKNOWN_ISSUER = _reason(
    "visitor.unknown_issuer", 401, "Unknown issuer",
    "No issuer profile of the site fits this token.",
    "Add an issuer of the right kind to sites.X.visitors.issuers, or name it in the request.", "invalid_grant",
)  # fmt: skip
VISITOR_SIGNATURE = _reason(
    "visitor.bad_signature", 401, "Signature wrong",
    "The signature does not belong to the key that the token names.",
    "Sign with the secret of that key id, used as raw UTF-8 bytes.", "invalid_grant",
)  # fmt: skip
VISITOR_EXPIRED = _reason(
    "visitor.expired", 401, "Visitor token expired",
    "The token's exp lies in the past.",
    "Fetch a fresh token from the site's server and send that.", "invalid_grant",
)  # fmt: skip
VISITOR_NOT_YET = _reason(
    "visitor.not_yet_valid", 401, "Visitor token not yet valid",
    "The token's nbf or iat lies in the future.",
    "Set the clock of the signing server.", "invalid_grant",
)  # fmt: skip
VISITOR_LIFETIME = _reason(
    "visitor.lifetime_too_long", 401, "Visitor token lives too long",
    "The token has no exp, or its lifetime exceeds max_lifetime_s of the issuer.",
    "Sign tokens of at most an hour, or raise max_lifetime_s deliberately.", "invalid_grant",
)  # fmt: skip
VISITOR_SCOPE = _reason(
    "visitor.wrong_scope", 401, "Scope wrong",
    "The token's scope is not the one of the issuer profile (exactly `user` for Zendesk messaging).",
    "Sign a visitor token; a server API token (scope app) is not one.", "invalid_scope",
)  # fmt: skip
VISITOR_SUBJECT = _reason(
    "visitor.subject_invalid", 401, "Subject not acceptable",
    "external_id (or sub) is missing, empty, longer than 255 characters, or holds control characters.",
    "Sign a stable identifier of 1 to 255 printable characters.", "invalid_grant",
)  # fmt: skip
VISITOR_ISSUER = _reason(
    "visitor.wrong_issuer", 401, "Issuer claim wrong",
    "The token's iss is not the configured issuer.",
    "Use a token of the configured issuer.", "invalid_grant",
)  # fmt: skip
VISITOR_AUDIENCE = _reason(
    "visitor.wrong_audience", 401, "Audience wrong",
    "The token's aud does not name this gateway's client.",
    "Ask the issuer for a token with the configured audience.", "invalid_grant",
)  # fmt: skip
VISITOR_REPLAYED = _reason(
    "visitor.replayed", 401, "Visitor token already used",
    "The issuer is declared one_use, and this token was used before.",
    "Fetch a fresh token for each sign-in.", "invalid_grant",
)  # fmt: skip
VISITOR_KEYS_UNAVAILABLE = _reason(
    "visitor.keys_unavailable", 503, "Issuer's keys unavailable",
    "The key set of the OpenID issuer could not be read.",
    "Try again; check that the gateway reaches the issuer.", "temporarily_unavailable",
)  # fmt: skip

# --- guest sessions, tickets, handles ---------------------------------------------------------------------------
SESSION_MISSING = _reason(
    "session.missing", 401, "Session handle missing",
    "The call needs a guest session and carries no Authorization: Bearer handle.",
    "Open one with POST /sites/{site}/session and send its session_token.", "invalid_token",
)  # fmt: skip
SESSION_INVALID = _reason(
    "session.invalid", 401, "Session handle not valid",
    "The handle is not one of this gateway's, has ended, or belongs to another site.",
    "Open a new session.", "invalid_token",
)  # fmt: skip
SESSION_EXPIRED = _reason(
    "session.expired", 401, "Session expired",
    "The session passed its idle or absolute lifetime.",
    "Open a new session; what the visitor typed can be sent there.", "invalid_token",
)  # fmt: skip
HANDLE_WRONG_KIND = _reason(
    "handle.wrong_kind", 401, "Wrong kind of handle",
    "A handle of one kind (ticket, history, session, backend) was sent where another is needed.",
    "Send the handle that the documentation names for this call.", "invalid_token",
)  # fmt: skip
PLATFORM_TOKEN = _reason(
    "handle.platform_token", 401, "Not a handle of this gateway",
    "The bearer is not one of the gateway's handles; a Genesys OAuth token never identifies a guest.",
    "Send the session_token that the gateway issued; the gateway adds Genesys' credential itself.", "invalid_token",
)  # fmt: skip
DPOP_MISSING = _reason(
    "dpop.missing", 401, "Proof of possession missing",
    "The session is bound to a key of the visitor's browser, and the call came without a proof by that key.",
    "Send the DPoP header (RFC 9449) with Authorization: DPoP and the session_token; the gateway's script does.",
    "invalid_dpop_proof",
)  # fmt: skip
DPOP_INVALID = _reason(
    "dpop.invalid", 401, "Proof of possession not valid",
    "The DPoP proof is malformed, of another key or call, or older than a minute.",
    "Make a fresh proof for each call: htm, htu, iat, jti, ath, signed with ES256 by the session's key.",
    "invalid_dpop_proof",
)  # fmt: skip
DPOP_REPLAYED = _reason(
    "dpop.replayed", 401, "Proof of possession already used",
    "The same DPoP proof came before.",
    "Make a fresh proof, with its own jti, for each call.", "invalid_dpop_proof",
)  # fmt: skip
TICKET_INVALID = _reason(
    "ticket.invalid", 403, "Ticket not valid",
    "The WebSocket ticket is unknown, was used before, or belongs to another site.",
    "Fetch a fresh ticket with POST /sites/{site}/ticket for each connection.",
)  # fmt: skip
TICKET_EXPIRED = _reason(
    "ticket.expired", 403, "Ticket expired",
    "A WebSocket ticket lives 30 seconds.",
    "Fetch a fresh ticket right before connecting.",
)  # fmt: skip
TICKET_MISSING = _reason(
    "ticket.missing", 403, "Ticket missing",
    "The site admits sockets only with a ticket.",
    "Fetch one with POST /sites/{site}/ticket and offer it as sub-protocol `ticket.<value>`.",
)  # fmt: skip

# --- routes -----------------------------------------------------------------------------------------------------
ROUTE_UNKNOWN = _reason(
    "route.unknown", 404, "No such route",
    "No configured route matches this method and path.",
    "Add a [[routes]] entry; `gateway explain` shows the nearest ones.",
)  # fmt: skip
ROUTE_BELIEVED = _reason(
    "route.never_existed", 404, "Genesys has no such operation",
    "The path circulates in forums, and was never in the definition of the Platform API.",
    "docs/credentials.md lists what people believe, and what does the work.",
)  # fmt: skip
ROUTE_REMOVED = _reason(
    "route.removed", 410, "Operation removed by Genesys",
    "The operation belonged to the legacy Web Chat, which Genesys removed in August 2026.",
    "docs/credentials.md lists what stands in for it.",
)  # fmt: skip
ROUTE_CALLER = _reason(
    "route.caller_not_allowed", 403, "Caller not allowed on this route",
    "The route does not list this kind of caller, or the backend does not list the route or site.",
    "Use the right credential, or extend callers / backends.X.routes / backends.X.sites.",
)  # fmt: skip
ROUTE_QUERY = _reason(
    "route.query_not_allowed", 400, "Query parameter not allowed",
    "The query holds a parameter that the route does not list, or one twice.",
    "Leave it out, or list it in the route's query.",
)  # fmt: skip
ROUTE_PARAMETER = _reason(
    "route.parameter_invalid", 400, "Path parameter not valid",
    "A path parameter has not the declared type.",
    "Send a value of the declared type (uuid unless the route says otherwise).",
)  # fmt: skip
OWNER_MISMATCH = _reason(
    "route.not_owner", 404, "Not found",
    "The object does not exist, or is not the caller's; both answer alike.",
    "Use an identifier of the caller's own conversation.",
)  # fmt: skip
BACKEND_MISSING = _reason(
    "backend.missing", 401, "Backend credential missing",
    "The route is for backends, and no credential of a backend was sent.",
    "Send Authorization: Bearer with the backend's key or signed assertion, or a handle from /oauth/token.",
    "invalid_client",
)  # fmt: skip
BACKEND_INVALID = _reason(
    "backend.invalid", 401, "Backend credential not valid",
    "The backend's id, key, signed assertion or handle is wrong, has expired or was rotated away.",
    "Check id, key and public_key in [backends.*]; fetch a fresh handle, or sign anew.", "invalid_client",
)  # fmt: skip

# --- OAuth endpoints --------------------------------------------------------------------------------------------
GRANT_UNSUPPORTED = _reason(
    "oauth.unsupported_grant_type", 400, "Grant type not supported",
    "The token endpoint does not serve this grant_type.",
    "Use client_credentials (backends) or a grant named in the discovery document.", "unsupported_grant_type",
)  # fmt: skip
OAUTH_REQUEST = _reason(
    "oauth.invalid_request", 400, "OAuth request not valid",
    "A parameter is missing, repeated or contradictory, or credentials came in two places.",
    "Send each parameter once; authenticate by Basic or by body, never both.", "invalid_request",
)  # fmt: skip
CLIENT_INVALID = _reason(
    "oauth.invalid_client", 401, "Client not authenticated",
    "The client id is unknown, or its secret or assertion is wrong, expired or missing.",
    "Check client id and secret in [oidc.clients.*] (or [backends.*]) and at the other side.", "invalid_client",
)  # fmt: skip
SCOPE_INVALID = _reason(
    "oauth.invalid_scope", 400, "Scope not granted",
    "The scope asks for more than the grant holds, or an authorization request leaves openid out.",
    "Ask for a part of what was granted, or leave scope out.", "invalid_scope",
)  # fmt: skip
GRANT_INVALID = _reason(
    "oauth.invalid_grant", 400, "Code or refresh token not valid",
    "The code or token is unknown, was revoked, or was given to another client.",
    "Fetch a fresh code from the page's auth-code call.", "invalid_grant",
)  # fmt: skip
CODE_EXPIRED = _reason(
    "oauth.code_expired", 400, "Authorization code expired",
    "The code was redeemed later than [oidc] code_s seconds after it was made.",
    "Redeem the code at once; fetch a fresh one for each attempt.", "invalid_grant",
)  # fmt: skip
CODE_REPLAYED = _reason(
    "oauth.code_replayed", 400, "Authorization code already used",
    "The code was redeemed before (several tabs, a reload, a repeated call); what the first use gave was revoked.",
    "Fetch a fresh code for each attempt.", "invalid_grant",
)  # fmt: skip
REFRESH_REPLAYED = _reason(
    "oauth.refresh_replayed", 400, "Refresh token already used",
    "The refresh token was replaced by a newer one and its grace has passed; the whole grant was revoked.",
    "Keep the newest refresh token only; sign in again.", "invalid_grant",
)  # fmt: skip
REDIRECT_MISMATCH = _reason(
    "oauth.redirect_uri_mismatch", 400, "Redirect URI differs from the code's",
    "redirect_uri is not, byte for byte, the one that the code was made for.",
    "Send the redirectUri that came with the code; mind trailing slashes and queries.", "invalid_grant",
)  # fmt: skip
REDIRECT_UNKNOWN = _reason(
    "oauth.redirect_uri_unknown", 400, "Redirect URI not registered",
    "redirect_uri is missing or is not, byte for byte, one of the client's redirect_uris.",
    "List the exact URI in [oidc.clients.*] redirect_uris.", "invalid_request",
)  # fmt: skip
PKCE_FAILED = _reason(
    "oauth.pkce_failed", 400, "Code verifier wrong",
    "code_verifier is missing, malformed, not asked for, or does not belong to the code's S256 challenge.",
    "Send the verifier whose SHA-256 was sent as code_challenge, or neither of the two.", "invalid_grant",
)  # fmt: skip
GRANT_SESSION_OVER = _reason(
    "oauth.session_over", 400, "Visitor's session is over",
    "The guest session behind this code or token ended, expired, or was revoked.",
    "Let the visitor sign in again.", "invalid_grant",
)  # fmt: skip
NOT_SIGNED_IN = _reason(
    "oauth.not_signed_in", 403, "No signed-in visitor",
    "A code or id_token is made only for a live guest session of a verified visitor.",
    "Sign in with POST /sites/{site}/session and a visitor token first.", "access_denied",
)  # fmt: skip
NO_RELYING_PARTY = _reason(
    "oauth.no_relying_party", 404, "No OpenID client for this site",
    "No entry of [oidc.clients.*] serves this site, so there is nobody to make a code for.",
    "Add [oidc.clients.genesys] with id, secret and redirect_uris.", "invalid_request",
)  # fmt: skip
ACCESS_TOKEN_INVALID = _reason(
    "oauth.invalid_token", 401, "Access token not valid",
    "The access token is missing, unknown, expired or revoked, or its session is over.",
    "Refresh the token or sign in again.", "invalid_token",
)  # fmt: skip
TARGET_INVALID = _reason(
    "oauth.invalid_target", 400, "Target not allowed",
    "audience names no site that this backend may act for, or is missing where several are possible.",
    "Send audience with the name of a site listed in backends.X.sites.", "invalid_target",
)  # fmt: skip
SIGNING_KEY_UNAVAILABLE = _reason(
    "oauth.no_signing_key", 503, "Signing key unavailable",
    "The directory of id_token signing keys holds no usable current key.",
    "Try again; the operator runs `gateway keys list` and checks the directory.", "temporarily_unavailable",
)  # fmt: skip

# --- WebSocket --------------------------------------------------------------------------------------------------
SOCKET_UPGRADE = _reason(
    "socket.upgrade_required", 426, "WebSocket upgrade required",
    "This path speaks WebSocket version 13 only.",
    "Connect with a WebSocket client.",
)  # fmt: skip
SOCKET_DEPLOYMENT = _reason(
    "socket.wrong_deployment", 403, "Deployment does not belong to the site",
    "deploymentId is missing or is not the site's.",
    "Connect with the deployment id of the site's configuration.",
)  # fmt: skip
SOCKET_TOO_MANY = _reason(
    "socket.too_many", 503, "Too many sockets",
    "The guest, the site or this node has as many open sockets as its cap allows.",
    "Close other tabs; the operator may raise [limits] sockets_*.",
)  # fmt: skip
SOCKET_CLOSED_BY_POLICY = _reason(
    "socket.closed", 403, "Socket closed by the gateway",
    "The gateway ended the socket: session over, slow reader, silence, or shutdown.",
    "Connect again with a fresh ticket.",
)  # fmt: skip
FRAME_MALFORMED = _reason(
    "frame.malformed", 400, "Frame malformed",
    "The frame is not one JSON object with an action, or names a key twice.",
    "Send one JSON object in a text frame.",
)  # fmt: skip
FRAME_BINARY = _reason(
    "frame.binary", 400, "Binary frame",
    "The Guest API speaks text frames only.",
    "Send text frames.",
)  # fmt: skip
FRAME_TOO_LARGE = _reason(
    "frame.too_large", 413, "Frame too large",
    "The frame is larger than 65,536 bytes.",
    "Send less; files go by the upload address.",
)  # fmt: skip
FRAME_ACTION = _reason(
    "frame.action_not_allowed", 403, "Action not allowed",
    "The action is not one of the Guest API's, or the site does not list it.",
    "Use an action of the list in docs/websocket.md.",
)  # fmt: skip
FRAME_NOT_CONFIGURED = _reason(
    "frame.not_configured", 403, "Session not configured",
    "The first frame of a socket must configure the session.",
    "Send configureSession or configureAuthenticatedSession first.",
)  # fmt: skip
FRAME_ALREADY_CONFIGURED = _reason(
    "frame.already_configured", 409, "Session already configured",
    "The socket's session was configured before.",
    "Open a new socket for another session.",
)  # fmt: skip
FRAME_DEPLOYMENT = _reason(
    "frame.wrong_deployment", 403, "Frame names another deployment",
    "deploymentId in the frame is not the site's.",
    "Send the deployment id that the socket was opened with.",
)  # fmt: skip
FRAME_TOKEN = _reason(
    "frame.token_changed", 403, "Frame names another guest token",
    "The frame's token is missing, malformed, or not the one that the socket was configured with.",
    "Send the same UUID token in every frame of a socket.",
)  # fmt: skip
FRAME_ATTRIBUTES = _reason(
    "frame.attributes_too_large", 413, "Custom attributes too large or not strings",
    "Custom attributes must be strings and, with those that the gateway adds, at most 2,048 bytes.",
    "Send fewer or shorter attributes.",
)  # fmt: skip
FRAME_TEXT = _reason(
    "frame.text_too_long", 413, "Text too long",
    "A message holds at most 4,096 bytes of UTF-8 text.",
    "Split the message.",
)  # fmt: skip
FRAME_RATE = _reason(
    "frame.rate_limited", 429, "Frames too fast",
    "The socket sends faster than Genesys allows (5 messages/s, 60 requests/min, 2 echo/min).",
    "Wait retryAfter seconds.",
)  # fmt: skip
FRAME_LOGIN = _reason(
    "frame.login_not_possible", 403, "Login not possible here",
    "configureAuthenticatedSession needs a session of a signed-in visitor.",
    "Sign in with POST /sites/{site}/session first.",
)  # fmt: skip

# --- limits -----------------------------------------------------------------------------------------------------
RATE_LIMITED = _reason(
    "limit.rate", 429, "Too many requests",
    "The address, guest, origin, site or route asked more often than its limit allows.",
    "Wait as long as Retry-After says.", "temporarily_unavailable",
)  # fmt: skip
OVERLOADED = _reason(
    "limit.overloaded", 503, "Gateway busy",
    "So many requests are under way that this one would only wait.",
    "Try again after Retry-After; the operator may add workers or replicas.", "temporarily_unavailable",
)  # fmt: skip
CLIENT_GONE = _reason(
    "request.client_gone", 499, "Client closed the request",
    "The caller went away before the answer was ready.",
    "Nothing; this is seen in records only.",
)  # fmt: skip

# --- Genesys and other dependencies -----------------------------------------------------------------------------
UPSTREAM_UNREACHABLE = _reason(
    "upstream.unreachable", 502, "Genesys not reachable",
    "No connection to Genesys' host could be made, or it broke before an answer.",
    "Try again; the operator checks region, egress and the Genesys status page.",
)  # fmt: skip
UPSTREAM_TIMEOUT = _reason(
    "upstream.timeout", 504, "Genesys took too long",
    "Genesys did not answer within the route's time.",
    "Try again; the call may have taken effect if it was not a read.",
)  # fmt: skip
UPSTREAM_BAD_ANSWER = _reason(
    "upstream.bad_answer", 502, "Genesys' answer not usable",
    "The answer was not what the API gives (HTML, broken framing, wrong type).",
    "Try again; if it lasts, a firewall or proxy answers in Genesys' place.",
)  # fmt: skip
UPSTREAM_REFUSED_SOCKET = _reason(
    "upstream.socket_refused", 403, "Genesys refused the socket",
    "Genesys answered 403 to the WebSocket: origin not among the allowed domains, or deployment inactive or unknown.",
    "Add the page's host name to the deployment's allowed domains; check deployment id, status and region.",
)  # fmt: skip
UPSTREAM_BUSY = _reason(
    "upstream.busy", 503, "Waiting room to Genesys full",
    "All connections or the quota of this upstream are in use, or its circuit breaker is open.",
    "Try again after Retry-After.",
)  # fmt: skip
TOKEN_UNAVAILABLE = _reason(
    "token.unavailable", 503, "No Genesys token to be had",
    "The login host did not give a token for the route's OAuth client, and none is in store.",
    "Try again after Retry-After; the operator sees the cause in the log, and by `gateway clients drift`.",
    "temporarily_unavailable",
)  # fmt: skip
STORE_UNAVAILABLE = _reason(
    "store.unavailable", 503, "Session store unavailable",
    "The shared store did not answer, and this step must not be taken without it.",
    "Try again after Retry-After; the operator checks Redis/Valkey.", "temporarily_unavailable",
)  # fmt: skip
AUDIT_UNAVAILABLE = _reason(
    "audit.unavailable", 503, "Audit log unavailable",
    "The grant could not be recorded durably, so it was not given.",
    "Try again after Retry-After; the operator checks the audit disk.", "temporarily_unavailable",
)  # fmt: skip
DRAINING = _reason(
    "server.draining", 503, "Gateway shutting down",
    "This node is draining and takes no new work.",
    "Try again; another node answers.", "temporarily_unavailable",
)  # fmt: skip
INTERNAL = _reason(
    "internal.error", 500, "Internal error",
    "The gateway failed; the request id leads to the record.",
    "Report the request id to the operator.", "server_error",
)  # fmt: skip
