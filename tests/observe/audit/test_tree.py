"""The tree of RFC 6962, against published vectors and against its own definition."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.observe.audit import tree

# Inputs and roots that the Certificate Transparency project tests its own trees with.
_INPUTS = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
_INPUTS[3:7] = [b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43", b"\x50\x51\x52\x53\x54\x55\x56\x57"]
_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


LEAVES = [leaf(bytes([n])) for n in range(70)]


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    assert tree.root_of([leaf(item) for item in _INPUTS[:size]]).hex() == _ROOTS[size - 1]


def test_the_empty_tree() -> None:
    assert tree.Edge().root() == tree.EMPTY_ROOT == sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 40))
def test_every_inclusion_proof_holds_and_no_other(size: int) -> None:
    leaves = LEAVES[:size]
    root = naive_root(leaves)
    assert tree.root_of(leaves) == root
    for index in range(size):
        proof = tree.inclusion_proof(leaves, index)
        assert tree.is_included(leaves[index], index, size, proof, root)
        assert not tree.is_included(leaf(b"other"), index, size, proof, root)
        assert not tree.is_included(leaves[index], index, size, [*proof, root], root)
        assert size == 1 or not tree.is_included(leaves[index], index, size, proof[:-1], root)
        assert not tree.is_included(leaves[index], size, size, proof, root)
        assert size == 1 or not tree.is_included(leaves[index], index ^ 1, size, proof, root)


@given(st.integers(1, 70), st.data())
def test_consistency_proofs_hold_and_no_other(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    leaves = LEAVES[:size]
    proof = tree.consistency_proof(leaves, old)
    before, after = naive_root(leaves[:old]), naive_root(leaves)
    assert tree.is_consistent(old, before, size, after, proof)
    assert not tree.is_consistent(old, leaf(b"x"), size, after, proof)
    assert not tree.is_consistent(old, before, size, leaf(b"x"), proof)
    assert not tree.is_consistent(old, before, size, after, [*proof, after])
    assert not tree.is_consistent(0, before, size, after, proof)
    if old < size:
        assert not tree.is_consistent(old, before, size, after, [])


@given(st.integers(0, 69), st.data())
def test_a_proof_needs_only_the_edge_of_what_was_pruned(first: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(first + 1, 70))
    index = data.draw(st.integers(first, size - 1))
    edge = tree.Edge()
    for item in LEAVES[:first]:
        edge.append(item)
    assert tree.inclusion_path(edge, LEAVES[first:size], size, index) == tree.inclusion_proof(LEAVES[:size], index)


def test_an_edge_goes_on_where_it_stood() -> None:
    edge = tree.Edge()
    for item in LEAVES[:13]:
        edge.append(item)
    other = tree.Edge(13, edge.hashes)
    other.append(LEAVES[13])
    assert other.root() == naive_root(LEAVES[:14])
    assert edge.copy().root() == naive_root(LEAVES[:13])


@pytest.mark.parametrize(("size", "hashes"), [(1, []), (3, [b"x" * 32]), (1, [b"short"]), (-1, [])])
def test_an_edge_that_does_not_fit_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="edge"):
        tree.Edge(size, hashes)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_outside_the_tree(index: int) -> None:
    with pytest.raises(IndexError):
        tree.inclusion_proof(LEAVES[:3], index)
    with pytest.raises(IndexError):
        tree.consistency_proof(LEAVES[:3], index if index < 0 else 4)
