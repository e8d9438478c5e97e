"""The table of actions keeps to its own rules."""

from gateway.observe.audit.actions import ACTIONS
from gateway.observe.audit.fields import COMMON, FIELDS


def test_every_field_of_an_action_exists_and_is_not_a_common_one() -> None:
    for row in ACTIONS.values():
        assert row.fields <= set(FIELDS) - set(COMMON), row.name


def test_refusals_are_class_c_and_grants_are_class_a() -> None:
    classes = {row.name: row.failure_class for row in ACTIONS.values()}
    for row in ACTIONS.values():
        assert (row.failure_class == "C") == (("denied" in row.type and "access" in row.type) or row.name in
                                              ("session.denied", "token.refused")), row.name  # fmt: skip
    assert {classes[name] for name in ("session.issued", "token.minted", "config.loaded", "admin.action")} == {"A"}
    assert {classes[name] for name in ("proxy.allowed", "ws.opened", "ws.closed", "session.ended")} == {"B"}


def test_refusals_say_why() -> None:
    for row in ACTIONS.values():
        if row.failure_class == "C":
            assert set(row.needs) & {"event.reason", "gateway.limiter"}


def test_outcomes_are_those_of_ecs() -> None:
    assert {row.outcome for row in ACTIONS.values()} == {"success", "failure"}
