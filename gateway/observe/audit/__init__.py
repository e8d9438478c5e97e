"""The audit log: typed records, sealed in a hash chain and a signed Merkle tree;
written, verified, queried, proved, pruned.
"""
