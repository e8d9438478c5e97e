"""Whether a deployment takes requests from an Origin, by the rules of allowedDomains.

Host names only: exact or sub-domain, any case; scheme and port are ignored; an entry with a scheme or port never
matches. The official mobile SDKs send a bare host of the region as Origin, and Genesys accepts that; so does this.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.mock.model import Deployment


def origin_host(origin: str) -> str | None:
    """Return the lower-case host of an Origin value (or of a bare host), None when it has none."""
    try:
        parts = urlsplit(origin if "//" in origin else f"//{origin}")
    except ValueError:
        return None
    return parts.hostname


def is_allowed(deployment: Deployment, origin: str | None, region_domain: str, *, require: bool) -> bool:
    """Whether the deployment takes a request with this Origin; without one only when `require` is off."""
    if origin is None:
        return not require
    host = origin_host(origin)
    if host is None or origin == "null":
        return False
    if deployment.allow_all_domains or host in (region_domain, f"webmessaging.{region_domain}"):
        return True
    return any(host == entry.lower() or host.endswith("." + entry.lower()) for entry in deployment.allowed_domains)
