"""Whose a conversation is, by the marks that the gateway wrote into it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.policy.ownership import NOBODYS, ConversationOwner, NoOwners, read_owner

MINE = {"context.gateway.site": "shop", "context.gateway.guest": "g1"}


def conversation(*participants: Any) -> dict[str, Any]:
    return {"participants": list(participants)}


def customer(attributes: Any, purpose: str = "customer") -> dict[str, Any]:
    return {"purpose": purpose, "attributes": attributes}


@pytest.mark.parametrize(
    ("told", "owner"),
    [
        (conversation(customer(MINE)), ConversationOwner("shop", "g1")),
        (conversation(customer({"gateway.site": "shop"}, "external")), ConversationOwner("shop", None)),
        (conversation(customer(MINE), customer(MINE)), ConversationOwner("shop", "g1")),
        (conversation(customer(MINE), customer({"gateway.site": "club"})), NOBODYS),
        (conversation(customer(MINE | {"gateway.site": "club"})), NOBODYS),
        (conversation(customer(MINE, "agent")), NOBODYS),
        (conversation(customer({"context.gateway.guest": "g1"})), NOBODYS),
        (conversation(customer({"context.gateway.site": 7})), NOBODYS),
        (conversation(customer(None), "odd", None), NOBODYS),
        ({"participants": {}}, NOBODYS),
        ({}, NOBODYS),
    ],
)
def test_the_owner_is_who_the_gateway_wrote_down(told: dict[str, Any], owner: ConversationOwner) -> None:
    assert read_owner(told) == owner


def test_who_knows_nothing_says_nothing() -> None:
    assert NoOwners().owner("acme", "c1") is None
