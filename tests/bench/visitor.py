"""A visitor's Zendesk token for the benchmark, and how fast this machine checks one with PyJWT alone.

Leaves opening sessions to the parts. The rule: the same token and the same key on both sides.
"""

from __future__ import annotations

import time
from typing import Final

import jwt

KID: Final = "app_5f2b7c1e9a4d3f6b8c0e1a2d"
SECRET: Final = "a-zendesk-signing-secret-of-the-bench-0123456789abcdefghijklmnopqrst"
ISSUER: Final = f'[[sites.shop.visitors.issuers]]\nkind = "zendesk-messaging"\nkid = "{KID}"\nsecret = "{SECRET}"\n'
"""The issuer as the configuration of a run names it."""
ROUNDS: Final = 5
CHECKS: Final = 4_000


def token() -> str:
    """A token as a shop's server signs it, good for half an hour."""
    now = int(time.time())
    claims = {
        "scope": "user", "external_id": "customer-1815", "name": "Ada Lovelace", "email": "ada@shop.example",
        "email_verified": True, "iat": now, "exp": now + 1800,
    }  # fmt: skip
    return jwt.encode(claims, SECRET, algorithm="HS256", headers={"kid": KID})


def plain_checks_per_s() -> float:
    """Tokens a second that PyJWT checks on one core of this machine, signature and times; the best of some rounds."""
    text, best = token(), 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CHECKS):
            jwt.decode(text, SECRET, algorithms=["HS256"])
        best = max(best, CHECKS / (time.process_time() - began))
    return best
