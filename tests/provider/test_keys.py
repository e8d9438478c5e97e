"""The ring of signing keys: made once, published ahead, signed with, rotated and withdrawn, by several processes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import jwt
import pytest

from gateway import errors
from gateway.errors import Refusal
from gateway.policy.signing_keys import Phase
from gateway.provider.key_files import LIST_NAME, KeyRingFault
from gateway.provider.keys import KeyRing, keep_s, thumbprint
from tests.provider.parts import NOW, SIGNING_KEYS, ring_in

DAY = 86_400.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys"


def kids(ring: KeyRing, now: float) -> list[str]:
    keys: Any = ring.jwks(now)["keys"]
    return [key["kid"] for key in keys]


def signer(ring: KeyRing, now: float) -> str:
    return str(jwt.get_unverified_header(ring.sign({"a": 1}, now))["kid"])


def verified(token: str, ring: KeyRing, now: float) -> dict[str, Any]:
    key_set = jwt.PyJWKSet.from_dict(ring.jwks(now))
    key = key_set[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"])
    return claims


def test_thumbprint_of_rfc_7638() -> None:
    """The example of section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )  # fmt: skip
    assert (
        thumbprint({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )


def test_the_first_key_signs_at_once_and_is_published(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    token = ring.sign({"sub": "anna"}, NOW)
    assert verified(token, ring, NOW) == {"sub": "anna"}
    keys: Any = ring.jwks(NOW)["keys"]
    assert {name: keys[0][name] for name in ("kty", "use", "alg")} == {"kty": "RSA", "use": "sig", "alg": "RS256"}
    assert set(keys[0]) == {"kty", "n", "e", "kid", "use", "alg"}
    assert keys[0]["kid"] == thumbprint(keys[0])
    assert ring.ready(NOW) is None


def test_files_are_for_their_owner_only(place: Path) -> None:
    ring_in(place).ensure(NOW)
    assert place.stat().st_mode & 0o777 == 0o700
    files = [path for path in place.iterdir() if path.is_file()]
    assert len(files) == 3
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_of_several_processes_one_makes_the_first_key(place: Path) -> None:
    rings = [KeyRing(place, keep_s=DAY, make=lambda key=key: key) for key in SIGNING_KEYS]  # type: ignore[misc]  # a default binds the key
    threads = [threading.Thread(target=ring.ensure, args=(NOW,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({signer(ring, NOW) for ring in rings}) == 1
    assert all(len(kids(ring, NOW)) == 1 for ring in rings)


def test_a_rotation_is_published_ahead_and_comes_by_itself_everywhere(place: Path) -> None:
    ring, other = ring_in(place), ring_in(place)
    ring.ensure(NOW)
    old = signer(other, NOW)
    new = ring.rotate(NOW, DAY).kid
    assert kids(other, NOW) == [old, new]
    assert signer(other, NOW + DAY - 1) == old
    late = other.sign({"a": 1}, NOW + DAY - 1)
    assert signer(other, NOW + DAY) == new
    assert verified(late, ring, NOW + DAY + 899) == {"a": 1}
    assert kids(ring, NOW + DAY) == [new, old]
    assert kids(ring, NOW + DAY + keep_s(900, DAY)) == [new]


def test_a_second_rotation_waits_for_the_first(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    ring.rotate(NOW, DAY)
    with pytest.raises(KeyRingFault, match="waits"):
        ring.rotate(NOW + 1, DAY)


def test_a_retired_key_loses_its_private_half_and_is_later_forgotten(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    first = signer(ring, NOW)
    ring.rotate(NOW, DAY)
    assert (place / f"key-{first}.pem").exists()
    ring.rotate(NOW + 2 * DAY, DAY)
    assert not (place / f"key-{first}.pem").exists()
    assert first in kids(ring, NOW + 2 * DAY)
    ring.rotate(NOW + 4 * DAY, DAY)
    assert [phase for _, phase in ring.overview(NOW + 4 * DAY)] == [Phase.RETIRED, Phase.CURRENT, Phase.NEXT]


def test_a_rotation_now_lets_the_waiting_key_sign(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    old, waiting = signer(ring, NOW), ring.rotate(NOW, DAY).kid
    assert ring.rotate_now(NOW + 5).kid == waiting
    assert kids(ring, NOW + 5) == [waiting, old]
    brand_new = ring.rotate_now(NOW + 6).kid
    assert signer(ring, NOW + 6) == brand_new not in (old, waiting)


def test_a_withdrawn_key_is_unpublished_at_once_everywhere(place: Path) -> None:
    ring, other = ring_in(place), ring_in(place)
    ring.ensure(NOW)
    old, new = signer(other, NOW), ring.rotate(NOW, DAY).kid
    ring.withdraw(old, NOW + 1)
    assert kids(other, NOW + 1) == [new]
    assert signer(other, NOW + 1) == new
    assert not (place / f"key-{old}.pem").exists()


def test_the_only_key_and_an_unknown_one_are_not_withdrawn(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    with pytest.raises(KeyRingFault, match="only key"):
        ring.withdraw(signer(ring, NOW), NOW)
    with pytest.raises(KeyRingFault, match="no key"):
        ring.withdraw("unknown", NOW)


def test_a_key_never_comes_twice(place: Path) -> None:
    ring = KeyRing(place, keep_s=10, make=lambda: SIGNING_KEYS[0])
    ring.ensure(NOW)
    with pytest.raises(KeyRingFault, match="never used again"):
        ring.rotate(NOW, 0)


def test_a_forgotten_key_stays_known_as_used(place: Path) -> None:
    keys = iter([SIGNING_KEYS[0], SIGNING_KEYS[1], SIGNING_KEYS[2], SIGNING_KEYS[0]])
    ring = KeyRing(place, keep_s=10, make=lambda: next(keys))
    ring.ensure(NOW)
    first = signer(ring, NOW)
    ring.rotate(NOW, 0)
    ring.rotate(NOW + 20, 0)
    assert first not in [entry.kid for entry, _ in ring.overview(NOW + 20)]
    with pytest.raises(KeyRingFault, match="never used again"):
        ring.rotate(NOW + 40, 0)


def test_an_empty_directory_cannot_sign_and_says_so(place: Path) -> None:
    ring = ring_in(place)
    assert ring.ready(NOW) == "there is no signing key"
    with pytest.raises(Refusal) as caught:
        ring.sign({}, NOW)
    assert caught.value.reason is errors.SIGNING_KEY_UNAVAILABLE
    assert ring.jwks(NOW) == {"keys": []}


@pytest.mark.parametrize("damage", ["garbage", "removed", "open"])
def test_a_list_that_is_damaged_later_keeps_the_old_ring_signing(place: Path, damage: str) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    kid = signer(ring, NOW)
    path = place / LIST_NAME
    kept = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(b"{")
    elif damage == "removed":
        path.unlink()
    else:
        path.write_bytes(kept + b"\n")
        path.chmod(0o644)
    assert signer(ring, NOW) == kid
    assert ring.ready(NOW)
    path.unlink(missing_ok=True)
    path.write_bytes(kept)
    path.chmod(0o600)
    assert ring.ready(NOW) is None


def test_a_private_half_that_is_missing_is_unready_and_refused(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    next(place.glob("key-*.pem")).unlink()
    assert ring.ready(NOW) == "the signing key cannot be read: No such file or directory"
    with pytest.raises(Refusal) as caught:
        ring.sign({}, NOW)
    assert caught.value.reason is errors.SIGNING_KEY_UNAVAILABLE


def test_a_ring_shows_its_place_only(place: Path) -> None:
    assert repr(ring_in(place)) == f"KeyRing({place})"


def test_a_key_of_its_own_has_2048_bits(place: Path) -> None:
    ring = KeyRing(place, keep_s=10)
    ring.ensure(NOW)
    keys: Any = ring.jwks(NOW)["keys"]
    assert len(keys[0]["n"]) == 342  # 256 bytes in base64url
    ring.ensure(NOW + 1)
    assert len(kids(ring, NOW + 1)) == 1


def test_a_token_of_the_ring_is_known_again_even_expired(place: Path) -> None:
    ring = ring_in(place)
    ring.ensure(NOW)
    mine = {"iss": "https://x.example", "sub": "anna", "exp": int(NOW) - 10**6, "aud": "someone"}
    token = ring.sign(mine, NOW)
    assert ring.subject_of(token, "https://x.example", NOW) == "anna"
    assert ring.subject_of(token, "https://y.example", NOW) is None
    header, payload, signature = token.split(".")
    foreign = jwt.encode(mine, SIGNING_KEYS[3], algorithm="RS256", headers={"kid": signer(ring, NOW)})
    unsigned = jwt.encode(mine, "", algorithm="none", headers={"kid": signer(ring, NOW)})
    words = (
        foreign,
        unsigned,
        f"{header}.{payload}x.{signature}",
        "",
        "a.b.c",
        ring.sign({"iss": "https://x.example"}, NOW),
    )
    assert [ring.subject_of(word, "https://x.example", NOW) for word in words] == [None] * len(words)
    ring.rotate_now(NOW + 1)
    ring.withdraw(jwt.get_unverified_header(token)["kid"], NOW + 2)
    assert ring.subject_of(token, "https://x.example", NOW + 2) is None
