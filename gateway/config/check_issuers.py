"""Checks of issuer profiles: each kind has what it needs and nothing that it would ignore.

Leaves verifying tokens to `gateway.policy.visitors` and the strength of secrets to `check_secrets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.check_network import url_fault
from gateway.config.findings import Finding, error, warning
from gateway.config.site_model import Issuer, Site
from gateway.policy.visitors import PROFILES

_KID: Final = re.compile(r"app_[0-9a-f]{24}")
_NEEDED: Final = {
    "zendesk-messaging": ("kid", "secret"),
    "zendesk-chat": ("secret",),
    "sunshine-v1": ("kid", "secret"),
    "oidc": ("issuer", "audience"),
}
_FOREIGN: Final = {
    "zendesk-messaging": ("previous_secret", "issuer", "audience"),
    "zendesk-chat": ("kid", "issuer", "audience"),
    "sunshine-v1": ("previous_secret", "issuer", "audience"),
    "oidc": ("kid", "secret", "previous_secret"),
}
"""What a kind needs, and what it has no use for.

A key with a kid is rotated by a ring: the new one is listed first, the old one after it, both under the same name,
because the name is part of who a visitor is.
"""


def check_issuers(site_key: str, site: Site, dev: bool) -> Iterator[Finding]:
    """Yield findings about the issuers of one site."""
    kids: dict[str, str] = {}
    names: dict[str, tuple[Issuer, str]] = {}
    for index, issuer in enumerate(site.visitors.issuers):
        key = f"{site_key}.visitors.issuers[{index}]"
        yield from _check_parts(key, issuer)
        yield from _check_form(key, issuer, dev)
        yield from _check_lifetime(key, issuer)
        if issuer.kid is not None and (other := kids.setdefault(issuer.kid, key)) != key:
            yield error(f"{key}.kid", f"is that of {other}", "Give each key id once.")
        name = issuer.name or issuer.kind
        first, other = names.setdefault(name, (issuer, key))
        if other != key and not (issuer.kind == first.kind and PROFILES[issuer.kind].has_kid and issuer.kind != "oidc"):
            yield error(f"{key}.name", f"{name} is that of {other}", "Give each issuer a name of its own.")


def _check_parts(key: str, issuer: Issuer) -> Iterator[Finding]:
    for part in _NEEDED[issuer.kind]:
        if not getattr(issuer, part):
            yield error(f"{key}.{part}", f"is missing; {issuer.kind} needs it", f"Set {part}.")
    for part in _FOREIGN[issuer.kind]:
        if getattr(issuer, part) is not None:
            yield error(f"{key}.{part}", f"means nothing for {issuer.kind}", "Take it away, or choose another kind.")


def _check_form(key: str, issuer: Issuer, dev: bool) -> Iterator[Finding]:
    if issuer.kid is not None and issuer.kind != "oidc" and not _KID.fullmatch(issuer.kid):
        yield error(f"{key}.kid", "is not app_ and 24 hex digits", "Copy the key id from Zendesk's admin centre.")
    if issuer.issuer is not None and issuer.kind == "oidc":
        schemes = ("https", "http") if dev else ("https",)
        if (fault := url_fault(issuer.issuer, schemes, path=True)) is not None:
            yield error(f"{key}.issuer", fault, "Write the issuer exactly as its tokens' iss.")
    if issuer.kind == "oidc" and not issuer.algorithms:
        yield error(f"{key}.algorithms", "are empty: no token could be accepted", "List RS256, ES256 or EdDSA.")


def _check_lifetime(key: str, issuer: Issuer) -> Iterator[Finding]:
    if issuer.max_lifetime_s > 86_400:
        yield warning(f"{key}.max_lifetime_s", "admits tokens of more than a day", "Have tokens signed for an hour.")
    if not issuer.require_exp:
        yield warning(f"{key}.require_exp", "admits tokens without exp", "Have tokens signed with exp.")
    if issuer.report_only:
        yield warning(f"{key}.report_only", "refuses no token for its lifetime", "Set it to false when counts are low.")
