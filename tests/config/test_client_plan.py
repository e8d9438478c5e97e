"""What OAuth clients need: the smallest role that the routes work with, as a plan and as Terraform."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import genesys
from gateway.config.checks import sources_of
from gateway.config.client_plan import ClientPlan, client_plans, needed_permissions, terraform_of
from gateway.config.load import load
from gateway.policy.operations import Operation

SHIPPED = Path(__file__).resolve().parents[2] / "config.toml"


def plans(**flags: object) -> dict[str, ClientPlan]:
    loaded = load(SHIPPED, {}, {name.replace("__", "."): value for name, value in flags.items()})
    return {one.name: one for one in client_plans(loaded.config, sources_of(loaded, {}))}


def test_the_shipped_clients_declare_just_what_they_need() -> None:
    found = plans()
    assert all(one.is_sound for one in found.values())
    assert found["closer"].needed == ("conversation:communication:disconnect",)
    assert {route for route, _ in found["closer"].calls} == {
        "close-conversation", "message-conversation-update", "conversation-delete",
    }  # fmt: skip
    assert found["closer"].as_json()["client"] == "closer"


def test_what_is_missing_and_what_is_too_much_is_told() -> None:
    found = plans(orgs__acme__clients__closer__permissions=["routing:queue:view"])["closer"]
    assert "conversation:communication:disconnect" in found.missing
    assert found.surplus == ("routing:queue:view",)
    assert not found.is_sound


def operation(perm: str, *permissions: str) -> Operation:
    found = genesys.catalogue().find("GET", "/api/v2/users/me")
    assert found is not None
    return Operation("GET", "/x", "x", "oauth", perm, permissions, (), "", False, "")  # type: ignore[arg-type]  # a word


@pytest.mark.parametrize(
    ("operations", "preferred", "needed"),
    [
        ([("ALL", "a:b:c", "d:e:f")], [], ("a:b:c", "d:e:f")),
        ([("ANY", "a:b:c", "d:e:f")], [], ("a:b:c",)),
        ([("ANY", "a:b:c", "d:e:f")], ["d:e:f"], ("d:e:f",)),
        ([("ANY", "a:b:c", "d:e:f"), ("ALL", "d:e:f")], [], ("d:e:f",)),
        ([("ANY", "admin", "d:e:f", "a:b:c")], [], ("d:e:f",)),
        ([("ANY", "admin", "d:e:f")], ["admin"], ("admin",)),
        ([("NONE",), ("UNKNOWN",)], ["a:b:c"], ()),
    ],
)
def test_the_smallest_set_is_found(
    operations: list[tuple[str, ...]], preferred: list[str], needed: tuple[str, ...]
) -> None:
    assert needed_permissions([operation(perm, *names) for perm, *names in operations], preferred) == needed


def test_the_terraform_module_has_a_role_and_a_client_per_purpose_and_no_scopes() -> None:
    text = terraform_of(list(plans().values()))
    for words in (
        'resource "genesyscloud_auth_role" "gateway_acme_closer"', 'resource "genesyscloud_oauth_client"',
        'authorized_grant_type         = "CLIENT-CREDENTIALS"', 'domain      = "conversation"',
        'action_set  = ["disconnect"]', "role_id     = genesyscloud_auth_role.gateway_acme_closer.id",
    ):  # fmt: skip
        assert words in text
    assert "scopes =" not in text
    assert text.count("{") == text.count("}")


def test_a_permission_that_terraform_cannot_give_is_named_in_a_comment() -> None:
    plan = ClientPlan("acme", "papers", "id", (), (), ("content_management_user", "a:b:c"), (), ())
    text = terraform_of([plan])
    assert "# content_management_user: of an old kind" in text
    assert text.count("permission_policies {") == 1


def test_a_module_can_be_written_for_every_operation() -> None:
    for one in genesys.catalogue():
        needed = needed_permissions([one], [])
        assert terraform_of([ClientPlan("acme", "any", "id", (), (), needed, (), ())])
