"""Variables become values of the right type, and what fits no key is said."""

from __future__ import annotations

import pytest

from gateway.config.environment import overrides_of, value_of

FILE = {"orgs": {"my-org": {"region": "x"}}, "routes": [{"name": "a"}], "backends": {"a": {"key": "env:GATEWAY_CRM"}}}


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("GATEWAY_DEV", "true", ("dev",), True),
        ("GATEWAY_SERVER__LISTEN", "1", ("server", "listen"), "1"),
        ("GATEWAY_SERVER__WORKERS", "4", ("server", "workers"), 4),
        ("GATEWAY_SERVER__WORKERS", "auto", ("server", "workers"), "auto"),
        ("GATEWAY_SERVER__DRAIN_S", "2.5", ("server", "drain_s"), 2.5),
        ("GATEWAY_ADMIN__TOKEN", "env:X", ("admin", "token"), "env:X"),
        ("GATEWAY_ORGS__MY_ORG__REGION", "euw1", ("orgs", "my-org", "region"), "euw1"),
        ("GATEWAY_SITES__NEW__ORIGINS", '["a"]', ("sites", "new", "origins"), ["a"]),
        ("GATEWAY_SITES__NEW__CONTEXT__ATTRIBUTES__A", "1", ("sites", "new", "context", "attributes", "a"), "1"),
        ("GATEWAY_ROUTES__0__TIMEOUT_S", "3", ("routes", 0, "timeout_s"), 3),
    ],
)
def test_a_variable_sets_the_key_that_it_names(
    name: str, text: str, path: tuple[str | int, ...], value: object
) -> None:
    found = overrides_of({name: text}, FILE)
    assert [(o.path, o.value) for o in found.values] == [(path, value)]
    assert not found.faults


@pytest.mark.parametrize(
    ("name", "text", "key", "words"),
    [
        ("GATEWAY_SERVR__LISTEN", "x", "servr.listen", "did you mean server?"),
        ("GATEWAY_SERVER__LISTNE", "x", "server.listne", "did you mean server.listen?"),
        ("GATEWAY_SERVER__QQQ", "x", "server.qqq", "unknown key (from GATEWAY_SERVER__QQQ)"),
        ("GATEWAY_SERVER__DRAIN_S", "canary", "server.drain_s", "must be JSON"),
        ("GATEWAY_SITES__SHOP__ORIGINS", "https://canary", "sites.shop.origins", "must be JSON"),
    ],
)
def test_a_variable_that_fits_no_key_or_type_is_a_fault(name: str, text: str, key: str, words: str) -> None:
    found = overrides_of({name: text}, FILE)
    assert [fault[0] for fault in found.faults] == [key]
    assert words in found.faults[0][1]
    assert "canary" not in found.faults[0][1]


def test_a_variable_of_somebody_else_is_left_alone() -> None:
    found = overrides_of({"GATEWAY_X": "1", "OTHER": "1"}, FILE)
    assert len(found.warnings) == 1
    assert "GATEWAY_X" in found.warnings[0]
    assert not found.values


@pytest.mark.parametrize(
    "name", ["GATEWAY_CONFIG", "GATEWAY_CRM", "GATEWAY_PORT", "GATEWAY_SERVICE_HOST", "GATEWAY_PORT_80_TCP"]
)
def test_known_variables_that_are_no_keys_are_passed_over(name: str) -> None:
    found = overrides_of({name: "1"}, FILE)
    assert not found.warnings
    assert not found.values
    assert not found.faults


def test_a_key_that_does_not_exist_keeps_its_text() -> None:
    assert value_of("x", ("no", "key")) == ("x", None)
