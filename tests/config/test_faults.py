"""Faults of shape are named by their key, in the words of the file, and hold no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.errors import ConfigFault

SITE = """
version = 1
[orgs.my-org]
region = "eu-west-1"
[sites.shop]
org = "my-org"
deployment_id = "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
origins = ["https://shop.example"]
[[routes]]
name = "a"
match = "GET /a"
"""


def faults(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigFault) as caught:
        load(path, {})
    return dict(caught.value.faults)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("version = 2", "version", "must be one of 1"),
        ("", "version", "is missing"),
        ("version = 1\nsite = 1", "site", "unknown key; did you mean sites?"),
        ("version = 1\n[server]\nlistne = 'x'", "server.listne", "did you mean listen?"),
        ("version = 1\norigins = []", "origins", "there is sites.X.origins"),
        ("version = 1\n[server]\nzzz = 1", "server.zzz", "unknown key"),
        ("version = 1\n[server]\nworkers = 'all'", "server.workers", "must be a whole number or must be one of 'auto'"),
        ("version = 1\n[server]\ndrain_s = '5'", "server.drain_s", "must be a number"),
        ("version = 1\n[server]\ndrain_s = -1", "server.drain_s", "must be at least 0"),
        ("version = 1\n[server]\nheader_timeout_s = 0", "server.header_timeout_s", "greater than 0"),
        ("version = 1\n[server]\nheader_timeout_s = 61", "server.header_timeout_s", "at most 60"),
        ("version = 1\n[server]\ntrusted_proxies = 'x'", "server.trusted_proxies", "must be an array"),
        ("version = 1\n[server]\ntrusted_proxies = ['a', 1]", "server.trusted_proxies[1]", "must be a string"),
        ("version = 1\nserver = 1", "server", "must be a table"),
        ("version = 1\ndev = 'yes'", "dev", "must be true or false"),
        ("version = 1\n[limits]\nsockets = 1.5", "limits.sockets", "must be a whole number"),
        ("version = 1\n[orgs.Acme]\nregion = 'x'", "orgs.Acme", "is not a name"),
        ("version = 1\n[orgs.acme]", "orgs.acme.region", "is missing"),
        (SITE.replace("1f5c2a9e", "1f5c"), "sites.shop.deployment_id", "must be a UUID"),
        (SITE.replace('org = "my-org"', 'org = "My Org"'), "sites.shop.org", "is not a name"),
        (SITE + "[[routes]]\nname = 'b'", "routes[1].match", "is missing"),
        (SITE + "parameters = {a = 'number'}", "routes[0].parameters.a", "must be one of"),
        (SITE + "[backends.crm]\nkey = ''", "backends.crm.key", "must not be empty"),
    ],
)
def test_a_fault_of_shape_is_named_by_its_key(tmp_path: Path, text: str, key: str, words: str) -> None:
    assert words in faults(tmp_path, text)[key]


def test_a_plain_secret_is_not_repeated_in_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, "version = 1\n[admin]\ntoken = ['canary']\n[backends.a]\nkey = 'canary'\nhandle_s = 1")
    assert set(found) == {"admin.token", "backends.a.handle_s"}
    assert "canary" not in str(found)
