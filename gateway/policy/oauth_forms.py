"""Forms of the OAuth endpoints: strict parsing, and where a client's credentials stand in a request.

Leaves to `gateway.provider` which clients exist. Rule kept: what could be read in two ways (a parameter twice,
credentials in two places) is refused, and secrets are compared by their digests in constant time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from gateway import errors
from gateway.errors import Refusal

MAX_FORM_BYTES: Final = 32_768
MAX_PARAMETERS: Final = 32
FORM_TYPE: Final = "application/x-www-form-urlencoded"
# RFC 7523 section 2.2
JWT_BEARER_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

AuthMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]

_RAW: Final = re.compile(r"[\x21-\x7e]*")
_PERCENT: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_BASIC: Final = re.compile(r"basic +([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """The parameters of one request; a parameter without a value counts as left out (RFC 6749 section 3.2)."""

    parameters: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Form({', '.join(sorted(self.parameters))})"

    def get(self, name: str) -> str | None:
        """The value, or None."""
        return self.parameters.get(name)

    def require(self, name: str) -> str:
        """The value. Raises Refusal(OAUTH_REQUEST) that names the missing parameter."""
        value = self.parameters.get(name)
        if value is None:
            raise Refusal(errors.OAUTH_REQUEST, f"The parameter {name} is missing.")
        return value


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says that it is, and its proof: secrets as they may have been meant, or a signed assertion."""

    client_id: str
    method: AuthMethod
    secrets: tuple[str, ...] = field(default=(), repr=False)
    assertion: str | None = field(default=None, repr=False)


def parse_form(content_type: str | None, body: bytes) -> Form:
    """Parse the body of a POST.

    Raises Refusal: MEDIA_TYPE for another content type, BODY_TOO_LARGE, OAUTH_REQUEST for what is not well formed.
    """
    media_type, _, options = (content_type or "").partition(";")
    charset = options.strip().lower()
    if media_type.strip().lower() != FORM_TYPE or charset not in {"", "charset=utf-8", 'charset="utf-8"'}:
        raise Refusal(errors.MEDIA_TYPE, f"OAuth endpoints take {FORM_TYPE} in UTF-8.")
    if len(body) > MAX_FORM_BYTES:
        raise Refusal(errors.BODY_TOO_LARGE, f"An OAuth request has at most {MAX_FORM_BYTES} bytes.")
    return parse_parameters(body.decode("latin-1"))


def parse_parameters(text: str) -> Form:
    """Parse `name=value&...`, as in a body or a query. Raises Refusal(OAUTH_REQUEST)."""
    if not _RAW.fullmatch(text):
        raise Refusal(errors.OAUTH_REQUEST, "The form holds characters that must be percent-encoded.")
    pairs = text.split("&") if text else []
    if len(pairs) > MAX_PARAMETERS:
        raise Refusal(errors.OAUTH_REQUEST, f"More than {MAX_PARAMETERS} parameters.")
    seen: dict[str, str] = {}
    for pair in pairs:
        raw_name, _, raw_value = pair.partition("=")
        name, value = _decode(raw_name), _decode(raw_value)
        if not name or name in seen:
            # RFC 6749 section 3.2: parameters must not be included more than once.
            raise Refusal(errors.OAUTH_REQUEST, "A parameter has no name or is repeated.")
        seen[name] = value
    return Form(MappingProxyType({name: value for name, value in seen.items() if value}))


def client_credentials(form: Form, authorization: str | None) -> Credentials:
    """The client's credentials, found in the Authorization header or in the body, never in both.

    Raises Refusal: OAUTH_REQUEST when they stand in two places, CLIENT_INVALID when there are none or they are
    malformed.
    """
    secret, assertion = form.get("client_secret"), form.get("client_assertion")
    if sum(place is not None for place in (authorization, secret, assertion)) > 1:
        # RFC 6749 section 2.3: not more than one authentication method in each request.
        raise Refusal(errors.OAUTH_REQUEST, "Client credentials came in two places.")
    named = form.get("client_id")
    if authorization is not None:
        found = parse_basic(authorization)
        if named is not None and not _names(found, authorization, named):
            raise Refusal(errors.OAUTH_REQUEST, "client_id in the body is not the client of the header.")
        return found
    if assertion is not None:
        return _assertion(form, assertion, named)
    if named is None or secret is None:
        raise Refusal(
            errors.CLIENT_INVALID, "No client credentials: send them by Basic, or as client_id and client_secret."
        )
    return Credentials(named, "client_secret_post", (secret,))


def parse_basic(authorization: str) -> Credentials:
    """Read an `Authorization: Basic` header. Raises Refusal(CLIENT_INVALID).

    Both parts are form-url-decoded (RFC 6749 section 2.3.1). Many clients, the official Genesys SDKs among them, leave
    that encoding out; so the secret as it stands is kept as a second reading. Knowing either is knowing the secret.
    """
    match = _BASIC.fullmatch(authorization)
    if match is None:
        raise Refusal(errors.CLIENT_INVALID, "Authorization is not Basic with base64.")
    try:
        text = base64.b64decode(match[1], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise Refusal(errors.CLIENT_INVALID, "The Basic credentials are not base64 of UTF-8.") from exc
    raw_id, colon, raw_secret = text.partition(":")
    if not colon or not raw_id:
        raise Refusal(errors.CLIENT_INVALID, "The Basic credentials are not `id:secret`.")
    readings = dict.fromkeys((_meant(raw_secret), raw_secret))
    return Credentials(_meant(raw_id), "client_secret_basic", tuple(readings))


def secret_digest(secret: str) -> bytes:
    """What is kept of a secret for comparing: SHA-256. Clients' secrets are long random words, so it needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def which_accepted(secrets: Iterable[str], digests: Iterable[bytes]) -> bytes | None:
    """Of the accepted digests the one of a presented secret, or None. Every pair is compared, in constant time."""
    accepted = tuple(digests)
    presented = [secret_digest(secret) for secret in secrets]
    hits = [known for known in accepted for shown in presented if hmac.compare_digest(shown, known)]
    return hits[0] if hits else None


def _assertion(form: Form, assertion: str, named: str | None) -> Credentials:
    if form.get("client_assertion_type") != JWT_BEARER_ASSERTION:
        raise Refusal(errors.OAUTH_REQUEST, f"client_assertion_type is not {JWT_BEARER_ASSERTION}.")
    # RFC 7521 section 4.2: client_id is optional beside an assertion, whose subject names the client.
    return Credentials(named or "", "private_key_jwt", assertion=assertion)


def _names(found: Credentials, authorization: str, named: str) -> bool:
    """Is the body's client_id the header's client, in either reading of the header?"""
    raw = base64.b64decode(authorization.split()[1]).decode("utf-8").partition(":")[0]
    return named in {found.client_id, raw}


def _meant(part: str) -> str:
    """A part of Basic credentials form-url-decoded; as it stands when it is not so encoded."""
    try:
        return _decode(part)
    except Refusal:
        return part


def _decode(text: str) -> str:
    """Form-url-decode. Raises Refusal(OAUTH_REQUEST) for bad escapes, bad UTF-8 and control characters."""
    out = bytearray()
    position = 0
    plain = text.replace("+", " ")
    for escape in _PERCENT.finditer(plain):
        if escape[1] is None:
            raise Refusal(errors.OAUTH_REQUEST, "The form holds a percent sign that escapes nothing.")
        out += plain[position : escape.start()].encode("utf-8")
        out.append(int(escape[1], 16))
        position = escape.end()
    out += plain[position:].encode("utf-8")
    try:
        value = out.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Refusal(errors.OAUTH_REQUEST, "The form is not UTF-8.") from exc
    if any(char < " " or char == "\x7f" for char in value):
        raise Refusal(errors.OAUTH_REQUEST, "The form holds control characters.")
    return value
