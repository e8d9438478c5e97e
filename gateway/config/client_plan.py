"""What each OAuth client of the configuration needs at Genesys: from its routes, through the catalogue, to a role.

Pure over the configuration. Leaves asking Genesys to `app.client_drift`. The rule: what is proposed is the smallest set
that the routes work with; scopes are none of it, for they do not narrow a client-credentials token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.config.check_orgs import calls_of
from gateway.config.findings import Sources
from gateway.config.model import Config
from gateway.policy.operations import Operation, covers, missing_permissions, unneeded_permissions

_HEAD: Final = """\
# Written by `gateway clients terraform`: one role and one OAuth client per purpose, with nothing more than the routes
# need. Scopes are left out on purpose: Genesys ignores them for client credentials.
terraform {
  required_providers {
    genesyscloud = { source = "mypurecloud/genesyscloud" }
  }
}

data "genesyscloud_auth_division_home" "home" {}
"""
_ROLE: Final = """\
resource "genesyscloud_auth_role" "{label}" {{
  name        = "{name}"
  description = "What the routes of the gateway's client {client} need"
{policies}}}
"""
_POLICY: Final = """\
  permission_policies {{
    domain      = "{}"
    entity_name = "{}"
    action_set  = ["{}"]
  }}
"""
_OLD_POLICY: Final = """\
  # {}: of an old kind that this provider cannot give; add it to the role in Genesys
"""
_CLIENT: Final = """\
resource "genesyscloud_oauth_client" "{label}" {{
  name                          = "{name}"
  authorized_grant_type         = "CLIENT-CREDENTIALS"
  access_token_validity_seconds = 86400
  state                         = "active"
  roles {{
    role_id     = genesyscloud_auth_role.{label}.id
    division_id = data.genesyscloud_auth_division_home.home.id
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """One client: what uses it, what it declares, and what its role should hold."""

    org: str
    name: str
    client_id: str
    calls: tuple[tuple[str, str], ...]
    """Name of the route and key of the operation."""
    declared: tuple[str, ...]
    needed: tuple[str, ...]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Does it declare just what it needs?"""
        return not self.missing and not self.surplus

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "org": self.org, "client": self.name, "id": self.client_id,
            "calls": [{"route": route, "operation": operation} for route, operation in self.calls],
            "declared": self.declared, "needed": self.needed, "missing": self.missing, "surplus": self.surplus,
        }  # fmt: skip


def client_plans(config: Config, sources: Sources) -> Iterator[ClientPlan]:
    """Yield the plan of every client, in the order of the file."""
    for org_name, org in config.orgs.items():
        for name, client in org.clients.items():
            calls = calls_of(org_name, name, config, sources)
            operations = [operation for _, operation in calls]
            missing = [p for operation in operations for p in missing_permissions(operation, client.permissions)]
            yield ClientPlan(
                org=org_name,
                name=name,
                client_id=client.id,
                calls=tuple((route, operation.key) for route, operation in calls),
                declared=client.permissions,
                needed=needed_permissions(operations, client.permissions),
                missing=tuple(dict.fromkeys(missing)),
                surplus=unneeded_permissions(operations, client.permissions) if operations else client.permissions,
            )


def needed_permissions(operations: Sequence[Operation], preferred: Sequence[str]) -> tuple[str, ...]:
    """The smallest set for these operations; where any of several will do, one that is held already, else the first."""
    found: list[str] = []
    for operation in operations:
        if operation.perm == "ALL":
            found += operation.permissions
    for operation in operations:
        if operation.perm == "ANY" and not any(covers(held, p) for held in found for p in operation.permissions):
            choices = sorted(operation.permissions, key=lambda p: (p not in preferred, not _is_spelled_out(p)))
            found.append(choices[0])
    return tuple(dict.fromkeys(found))


def _is_spelled_out(permission: str) -> bool:
    """Is it domain:entity:action, as all but a few old ones?"""
    return permission.count(":") == 2


def terraform_of(plans: Sequence[ClientPlan]) -> str:
    """A module for the official Terraform provider: per client a role of what it needs, and a client with that role.

    A permission of the old kind, which is no domain:entity:action, stands in a comment: the provider cannot give it.
    """
    blocks = [_HEAD]
    for plan in plans:
        names = {
            "label": f"gateway_{plan.org}_{plan.name}".replace("-", "_"),
            "name": f"gateway {plan.org} {plan.name}",
        }
        policies = "".join(
            (_POLICY if _is_spelled_out(permission) else _OLD_POLICY).format(*permission.split(":"))
            for permission in plan.needed
        )
        blocks.append(_ROLE.format(**names, client=plan.name, policies=policies))
        blocks.append(_CLIENT.format(**names))
    return "\n".join(blocks)
