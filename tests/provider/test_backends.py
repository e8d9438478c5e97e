"""Backends: proof by key, handle or assertion, and everything that ends a handle."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.assertions import read_public_key
from gateway.policy.handles import HandleKind, digest, mint
from gateway.policy.oauth_forms import Credentials, secret_digest
from gateway.provider.backends import BackendRules, Backends, key_digest
from gateway.store.base import Store
from gateway.store.memory import MemoryStore
from tests.provider.parts import ISSUER, NOW, Clock, Entropy, backend, next_revocation

KEY = "servicenow-key-of-forty-random-characters"
SERVICENOW = backend("servicenow", KEY, previous="the-key-before")
CRM = backend("crm", "crm-key")


def credentials(client_id: str, *secrets: str) -> Credentials:
    return Credentials(client_id, "client_secret_basic", secrets)


def registry(store: Store, entropy: Entropy, *rules: BackendRules) -> Backends:
    return Backends(rules or (SERVICENOW, CRM), store, entropy, {ISSUER})


@pytest.fixture
def backends(store: Store, entropy: Entropy) -> Backends:
    return registry(store, entropy)


async def open_handle(backends: Backends, key: str = KEY, now: float = NOW) -> str:
    proved = await backends.authenticate(credentials("servicenow-id", key), now)
    return await backends.open(proved, now)


async def refused(backends: Backends, bearer: str, now: float = NOW) -> Reason:
    with pytest.raises(Refusal) as caught:
        await backends.identify(bearer, now)
    return caught.value.reason


@pytest.mark.parametrize("key", [KEY, "the-key-before"])
async def test_id_and_key_prove_a_backend_in_the_overlap_of_two_keys(backends: Backends, key: str) -> None:
    assert (await backends.authenticate(credentials("servicenow-id", key), NOW)).rules is SERVICENOW


@pytest.mark.parametrize(
    ("client_id", "secrets"),
    [("servicenow-id", ("wrong",)), ("servicenow-id", ()), ("nobody", (KEY,)), ("crm-id", (KEY,)), ("", (KEY,)),
     ("servicenow-id", (secret_digest(KEY).hex(),))],
)  # fmt: skip
async def test_unknown_id_and_wrong_key_answer_alike(
    backends: Backends, client_id: str, secrets: tuple[str, ...]
) -> None:
    with pytest.raises(Refusal) as caught:
        await backends.authenticate(credentials(client_id, *secrets), NOW)
    assert (caught.value.reason, caught.value.detail) == (errors.BACKEND_INVALID, "")


async def test_the_key_itself_is_a_bearer(backends: Backends) -> None:
    assert await backends.identify(KEY, NOW) is SERVICENOW
    assert await backends.identify("the-key-before", NOW) is SERVICENOW
    assert await refused(backends, "wrong") is errors.BACKEND_INVALID


def test_a_key_may_be_configured_as_its_hash() -> None:
    spelled = "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()
    assert key_digest(spelled) == key_digest(KEY) == key_digest(spelled.upper().replace("SHA256", "sha256"))


@pytest.mark.parametrize("text", ["sha256:", "sha256:12", "sha256:" + "z" * 64, "sha256:" + "0" * 66])
def test_a_malformed_hash_is_a_configuration_fault(text: str) -> None:
    with pytest.raises(ValueError, match="64 hex digits"):
        key_digest(text)


async def test_a_handle_names_its_backend_on_every_node(store: Store, entropy: Entropy) -> None:
    here, there = registry(store, entropy), registry(store, entropy)
    handle = await open_handle(here)
    assert handle.startswith("gwb_")
    assert await here.identify(handle, NOW) is SERVICENOW
    assert await there.identify(handle, NOW) is SERVICENOW
    assert (await there.identify(handle, NOW)).caller.routes == frozenset({"close"})


async def test_a_known_handle_costs_no_store_call(store: Store, entropy: Entropy) -> None:
    node = registry(store, entropy)
    handle = await open_handle(node)
    await store.delete("backend", digest(handle))
    assert await node.identify(handle, NOW) is SERVICENOW


async def test_a_handle_ends(store: Store, entropy: Entropy, clock: Clock) -> None:
    here, there = registry(store, entropy), registry(store, entropy)
    handle = await open_handle(here)
    clock.now = NOW + 899
    assert await there.identify(handle, clock.now) is SERVICENOW
    clock.now = NOW + 900
    assert await refused(here, handle, clock.now) is errors.BACKEND_INVALID
    assert await refused(there, handle, clock.now) is errors.BACKEND_INVALID


async def test_a_handle_dies_with_the_key_it_was_got_with(store: Store, entropy: Entropy) -> None:
    node = registry(store, entropy)
    old, new = await open_handle(node, "the-key-before"), await open_handle(node, KEY)
    node.replace([replace(SERVICENOW, key_digests=(secret_digest(KEY),))])
    assert await refused(node, old) is errors.BACKEND_INVALID
    assert await node.identify(new, NOW) == replace(SERVICENOW, key_digests=(secret_digest(KEY),))


async def test_a_handle_dies_with_its_backend(store: Store, entropy: Entropy) -> None:
    node = registry(store, entropy)
    handle = await open_handle(node)
    node.replace([CRM])
    assert await refused(node, handle) is errors.BACKEND_INVALID
    assert not node.knows("servicenow-id")


async def test_a_voided_handle_is_void_on_every_node(store: Store, entropy: Entropy) -> None:
    here, there = registry(store, entropy), registry(store, entropy)
    handle = await open_handle(here)
    await there.identify(handle, NOW)
    assert not await here.close(handle, CRM, NOW)
    assert await here.identify(handle, NOW) is SERVICENOW
    heard = next_revocation(store)
    assert await here.close(handle, SERVICENOW, NOW)
    await heard.wait()
    assert await refused(here, handle) is errors.BACKEND_INVALID
    assert await refused(there, handle) is errors.BACKEND_INVALID
    for word in (handle, "gwb_cut", "word", mint(HandleKind.ACCESS, entropy(32))):
        assert not await here.close(word, SERVICENOW, NOW)


async def test_revoking_a_backend_voids_its_handles_and_no_others(store: Store, entropy: Entropy, clock: Clock) -> None:
    here, there = registry(store, entropy), registry(store, entropy)
    handle = await open_handle(here)
    other = await here.open(await here.authenticate(credentials("crm-id", "crm-key"), NOW), NOW)
    clock.now += 1
    heard = next_revocation(store)
    await store.revoke("backend:servicenow", 900)
    await heard.wait()
    assert await refused(here, handle, clock.now) is errors.BACKEND_INVALID
    assert await refused(there, handle, clock.now) is errors.BACKEND_INVALID
    assert await here.identify(other, clock.now) is CRM
    clock.now += 1
    assert await here.identify(await open_handle(here, now=clock.now), clock.now) is SERVICENOW


async def test_other_kinds_of_handles_are_refused_by_name(backends: Backends, entropy: Entropy) -> None:
    assert await refused(backends, mint(HandleKind.SESSION, entropy(32))) is errors.HANDLE_WRONG_KIND
    assert await refused(backends, mint(HandleKind.BACKEND, entropy(32))) is errors.BACKEND_INVALID
    assert await refused(backends, "gwb_cut") is errors.BACKEND_INVALID


def test_two_backends_share_nothing(store: Store, entropy: Entropy) -> None:
    for twin in (backend("servicenow", "other"), replace(CRM, client_id="servicenow-id"), backend("third", KEY)):
        with pytest.raises(ValueError, match=r"twice|shares"):
            registry(store, entropy, SERVICENOW, twin)


def test_a_bad_replacement_keeps_the_old_rules(backends: Backends) -> None:
    with pytest.raises(ValueError, match="twice"):
        backends.replace([CRM, CRM])
    assert backends.knows("servicenow-id")


def test_nothing_shows_a_key(backends: Backends) -> None:
    assert KEY not in repr(SERVICENOW)
    assert secret_digest(KEY).hex() not in repr(SERVICENOW)


SIGNER = Ed25519PrivateKey.generate()
PUBLIC = SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SIGNED = replace(CRM, key_digests=(), public_key=read_public_key(PUBLIC))


def asserted(jti: str = "one", sub: str = "crm-id", client_id: str = "", exp: float = NOW + 60) -> Credentials:
    claims = {"iss": sub, "sub": sub, "aud": ISSUER, "exp": exp, "jti": jti}
    token = jwt.encode(claims, SIGNER, algorithm="EdDSA")
    return Credentials(client_id, "private_key_jwt", assertion=token)


async def test_a_signed_assertion_proves_a_backend_once(store: Store, entropy: Entropy) -> None:
    here, there = registry(store, entropy, SIGNED), registry(store, entropy, SIGNED)
    proof = asserted()
    proved = await here.authenticate(proof, NOW)
    assert proved.rules is SIGNED
    with pytest.raises(Refusal, match="used before") as caught:
        await there.authenticate(proof, NOW)
    assert caught.value.reason is errors.CLIENT_INVALID
    handle = await here.open(proved, NOW)
    assert await there.identify(handle, NOW) is SIGNED
    here.replace([CRM])
    assert await refused(here, handle) is errors.BACKEND_INVALID


@pytest.mark.parametrize("proof", [asserted(sub="nobody"), asserted(client_id="other")])
async def test_an_assertion_names_its_own_client(store: Store, entropy: Entropy, proof: Credentials) -> None:
    with pytest.raises(Refusal) as caught:
        await registry(store, entropy, SIGNED).authenticate(proof, NOW)
    assert caught.value.reason is errors.BACKEND_INVALID


async def test_a_backend_without_public_key_takes_no_assertion(backends: Backends) -> None:
    with pytest.raises(Refusal) as caught:
        await backends.authenticate(asserted(), NOW)
    assert caught.value.reason is errors.BACKEND_INVALID


async def test_a_handle_is_not_good_past_its_end_even_if_the_store_kept_it(entropy: Entropy) -> None:
    slow = MemoryStore(Clock(NOW))
    handle = await open_handle(registry(slow, entropy))
    assert await refused(registry(slow, entropy), handle, NOW + 901) is errors.BACKEND_INVALID


async def test_closing_needs_the_store(store: Store, entropy: Entropy) -> None:
    class Down(MemoryStore):
        async def get(self, kind: str, digest: str) -> bytes | None:
            raise Refusal(errors.STORE_UNAVAILABLE)

    handle = mint(HandleKind.BACKEND, entropy(32))
    with pytest.raises(Refusal) as caught:
        await registry(Down(Clock()), entropy).close(handle, SERVICENOW, NOW)
    assert caught.value.reason is errors.STORE_UNAVAILABLE
