"""The log's redactor knows every secret of the configuration in force."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.app.known_secrets import secrets_of, teach
from gateway.app.running import reload
from gateway.config.shipped import shipped_config
from gateway.observe.log import REDACTOR
from gateway.observe.redaction import Redactor
from tests.stack import compiled, mock_flags, whole_stack

PLAIN = re.compile(r'^\s*(?:secret|key) = "([^"]+)"', re.MULTILINE)


def test_every_plain_secret_of_the_shipped_configuration_is_found() -> None:
    shipped = set(PLAIN.findall(shipped_config().read_text()))
    assert len(shipped) >= 5
    assert set(secrets_of(compiled({}))) == shipped


def test_own_secrets_and_the_stores_password_are_found() -> None:
    flags = {"admin.token": "admin-token-of-many-characters-0123", "keys.guest": "g" * 40}
    store = {"store.url": "redis://:store-password@127.0.0.1:6379/0"}
    found = set(secrets_of(compiled({**flags, **store})))
    assert {"admin-token-of-many-characters-0123", "g" * 40, "store-password"} <= found


def test_a_taught_redactor_hides_the_values_wherever_they_stand() -> None:
    redactor = Redactor()
    teach(redactor, compiled({}))
    assert "mock-secret-reader" not in redactor.text("it was mock-secret-reader all along")


async def test_a_running_gateway_has_taught_the_log_and_a_reload_teaches_it_more(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        assert "mock-secret-closer" not in REDACTOR.text("said mock-secret-closer")
        changed = compiled({**mock_flags(stack.mock), "orgs.acme.clients.closer.secret": "another-secret-of-closer"})
        assert await reload(stack.gateway, lambda: changed, stack.gateway.surroundings.clock)
        assert "another-secret-of-closer" not in REDACTOR.text("said another-secret-of-closer")
