"""Compact signed tokens: taken apart strictly, and checked against one key with the one algorithm that belongs to it.

Leaves what the claims must say to `visitors`. The rule: PyJWT checks the signature and nothing else; no time, no
address and no key of a token's own header is believed (RFC 8725).
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.strict_json import parse_object_bytes

AlgorithmName = Literal["HS256", "RS256", "ES256", "EdDSA"]

MAX_TOKEN_BYTES: Final = 8192
MIN_SECRET_BYTES: Final = 16
MIN_RSA_BITS: Final = 2048
MAX_DEPTH: Final = 8
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
REFUSED_HEADERS: Final = ("crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c")
"""Header members that change how a token is read, or bring a key along. RFC 7515 4.1, RFC 7797."""
_ALGORITHMS: Final[dict[AlgorithmName, Algorithm]] = {
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}
_BY_KEY_TYPE: Final[dict[tuple[object, object], AlgorithmName]] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key, the one algorithm that it is for, and its id, if it has one. `label` names it in records."""

    algorithm: AlgorithmName
    kid: str | None
    label: str
    material: object = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class OpenedToken:
    """A token taken apart. Nothing in it is to be believed before `is_signed_by` said so."""

    header: Mapping[str, object] = field(repr=False)
    claims: Mapping[str, object] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def algorithm(self) -> object:
        """The alg that the token says of itself."""
        return self.header.get("alg")

    @property
    def kid(self) -> str | None:
        """The key id that the token names."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    def replay_key(self) -> str:
        """What tells this token from any other: a digest of what was signed, whatever shape the signature has."""
        return hashlib.sha256(self.signing_input).hexdigest()


def shared_secret(secret: str, *, kid: str | None = None, label: str = "current") -> VerificationKey:
    """An HS256 key: the secret's UTF-8 bytes as they are, never decoded. Raises ValueError when it cannot be one."""
    raw = secret.encode("utf-8")
    if len(raw) < MIN_SECRET_BYTES:
        raise ValueError(f"is shorter than {MIN_SECRET_BYTES} bytes")
    try:
        material = HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(raw)
    except PyJWTError as exc:
        raise ValueError("is a public key, certificate or JWK, not a shared secret") from exc
    return VerificationKey("HS256", kid, label, material)


def public_key(jwk: Mapping[str, Any]) -> VerificationKey:
    """A key of an issuer's published set. Raises ValueError for one that is private, weak, or not for signatures."""
    algorithm = _BY_KEY_TYPE.get((jwk.get("kty"), jwk.get("crv")))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise ValueError("is not a key for RS256, ES256 or EdDSA")
    if "d" in jwk:
        raise ValueError("is a private key")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("is not for signatures")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise ValueError("has a kid that is not a string")
    try:
        material = PyJWK.from_dict({**jwk}, algorithm=algorithm).key
    except (PyJWTError, ValueError, TypeError) as exc:
        raise ValueError("is not a valid key") from exc
    if isinstance(material, RSAPublicKey) and material.key_size < MIN_RSA_BITS:
        raise ValueError(f"is an RSA key of less than {MIN_RSA_BITS} bits")
    return VerificationKey(algorithm, kid, kid or "current", material)


def open_token(token: str) -> OpenedToken:
    """Take a compact token apart. Raises Refusal: VISITOR_TOO_LARGE before reading it, VISITOR_MALFORMED."""
    return open_typed(token, "JWT", optional=True)


def open_typed(token: str, typ: str, *, optional: bool = False, allowed: frozenset[str] = frozenset()) -> OpenedToken:
    """Take apart a compact token that says of itself that it is of this typ (RFC 8725 section 3.11).

    `optional`: a token without typ counts as one. `allowed`: members of REFUSED_HEADERS that this kind has. Raises as
    `open_token`.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise Refusal(errors.VISITOR_TOO_LARGE)
    match = _COMPACT.fullmatch(token)
    if match is None:
        raise Refusal(errors.VISITOR_MALFORMED, "not three parts of base64url")
    header = _json_part(match[1], "header")
    for name in REFUSED_HEADERS:
        if name in header and name not in allowed:
            raise Refusal(errors.VISITOR_MALFORMED, f"the header holds {name}, which is never believed")
    if str(header.get("typ", typ if optional else "")).upper() != typ.upper():
        raise Refusal(errors.VISITOR_MALFORMED, f"typ is not {typ}: a token of another kind")
    claims = _json_part(match[2], "claims")
    signing_input = token[: match.end(2)].encode("ascii")
    return OpenedToken(header, claims, signing_input, _base64url(match[3], "signature"))


def is_signed_by(token: OpenedToken, key: VerificationKey) -> bool:
    """Whether the signature is of this key. The key says which algorithm; the token's alg has to agree before."""
    if token.algorithm != key.algorithm:
        return False
    return bool(_ALGORITHMS[key.algorithm].verify(token.signing_input, key.material, token.signature))


def _json_part(text: str, name: str) -> dict[str, object]:
    try:
        return parse_object_bytes(_base64url(text, name), max_depth=MAX_DEPTH)
    except ValueError as exc:
        raise Refusal(errors.VISITOR_MALFORMED, f"the {name} part {exc}") from exc


def _base64url(text: str, name: str) -> bytes:
    """The bytes of unpadded base64url in its one spelling: stray bits at the end are refused."""
    if len(text) % 4 == 1:
        raise Refusal(errors.VISITOR_MALFORMED, f"the {name} part is not base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=") != text.encode("ascii"):
        raise Refusal(errors.VISITOR_MALFORMED, f"the {name} part is not canonical base64url")
    return data
