"""Checks that it can be found out whose a conversation is, wherever a route asks for its owner.

Leaves which routes need an owner to `check_routes`. The rule: an owner check that can never succeed is found here.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.check_routes import orgs_of
from gateway.config.findings import Finding, error, listed, warning
from gateway.config.model import Config
from gateway.policy.ownership import MARKS


def check_ownership(config: Config) -> Iterator[Finding]:
    """Yield findings about [orgs.X] ownership_client and the marks that sites set."""
    asking = [route for route in config.routes if route.owner is not None]
    needy = {org for route in asking for org in orgs_of(route, config)}
    for name, org in config.orgs.items():
        key = f"orgs.{name}.ownership_client"
        if org.ownership_client is not None and org.ownership_client not in org.clients:
            yield error(key, f"names no client: {org.ownership_client}", f"Configured are {listed(org.clients)}.")
        elif org.ownership_client is None and name in needy:
            yield error(
                key, "is missing: routes of this organisation ask whose a conversation is",
                "Name a client whose role holds conversation:communication:view.",
            )  # fmt: skip
        elif org.ownership_client is not None and name not in needy:
            yield warning(key, "is of no use: no route of this organisation has an owner", "Take it away.")
    for name, site in config.sites.items():
        if site.org not in needy or not any(not route.sites or name in route.sites for route in asking):
            continue
        lacking = [
            f'"{mark}" = "{value}"' for mark, value in MARKS.items() if not _is_set(site.context.attributes, mark)
        ]
        if lacking:
            yield warning(
                f"sites.{name}.context.attributes", f"lack {listed(lacking)}: routes with an owner find nobody's",
                "Set them, so that conversations can be told apart.",
            )  # fmt: skip


def _is_set(attributes: dict[str, str], mark: str) -> bool:
    return attributes.get(mark) == MARKS[mark]
