"""The Merkle tree of RFC 6962 over leaf hashes: growing edge, roots, inclusion and consistency proofs.

Pure. Hashes only; what a leaf is belongs to chain.py. https://www.rfc-editor.org/rfc/rfc6962#section-2.1
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Edge:
    """The right edge of a growing tree: the roots of its complete subtrees, largest first. Constant memory."""

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Continue a tree of `size` leaves from its edge; raises ValueError when the two cannot belong together."""
        if size < 0 or len(hashes) != size.bit_count() or any(len(item) != 32 for item in hashes):
            raise ValueError("edge does not fit the size of the tree")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes."""
        size, hashes = self.size, self.hashes
        for leaf in leaves:
            odd = size
            while odd & 1:
                leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()  # noqa: PLW2901  # climbs the tree
                odd >>= 1
            hashes.append(leaf)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node(left, root)
        return root

    def copy(self) -> "Edge":
        """Return an independent edge of the same tree."""
        return Edge(self.size, self.hashes)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the leaves."""
    edge = Edge()
    for leaf in leaves:
        edge.append(leaf)
    return edge.root()


def _split(count: int) -> int:
    """Largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from leaf `index` to the root; raises IndexError outside the tree."""
    return inclusion_path(Edge(), leaves, len(leaves), index)


def inclusion_path(before: Edge, leaves: Sequence[bytes], size: int, index: int) -> list[bytes]:
    """Return the proof in the tree of `size` of which only the leaves after `before` are known.

    Raises IndexError when the leaf is not among them.
    """
    first = before.size
    if not first <= index < size <= first + len(leaves):
        raise IndexError("no such leaf")
    known = _ranges(before)

    def root(start: int, end: int) -> bytes:
        if end <= first:
            return known[start, end]
        if start >= first:
            return root_of(leaves[start - first : end - first])
        middle = start + _split(end - start)
        return node(root(start, middle), root(middle, end))

    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(root(middle, end))
            end = middle
        else:
            path.append(root(start, middle))
            start = middle
    return path[::-1]


def _ranges(edge: Edge) -> dict[tuple[int, int], bytes]:
    """The complete subtrees of an edge by the leaves that they cover."""
    found: dict[tuple[int, int], bytes] = {}
    start = 0
    bits = [bit for bit in range(edge.size.bit_length() - 1, -1, -1) if edge.size >> bit & 1]
    for bit, item in zip(bits, edge.hashes, strict=True):
        found[start, start + (1 << bit)] = item
        start += 1 << bit
    return found


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Does the proof show that `leaf` stands at `index` of the tree of `size` leaves with this root? (RFC 9162,
    2.1.3.2)
    """
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for item in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node(item, found)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            found = node(found, item)
        position >>= 1
        last >>= 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the hashes that show that the tree only grew since `old_size`; raises IndexError outside 1..size."""
    if not 0 < old_size <= len(leaves):
        raise IndexError("no such earlier tree")
    path: list[bytes] = []
    start, end, whole = 0, len(leaves), True
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(root_of(leaves[middle:end]))
            end = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start, whole = middle, False
    if not whole:
        path.append(root_of(leaves[start:end]))
    return path[::-1]


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Does the proof show that the tree of `size` begins with the tree of `old_size`? (RFC 9162, 2.1.4.2)"""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old, new = path[0], path[0]
    for item in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node(item, old), node(item, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node(new, item)
        position >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == root
