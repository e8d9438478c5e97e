"""Origins, hosts, visitors, sessions and context: one change, one finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.config.findings import Finding

Judge = Callable[..., tuple[Finding, ...]]
SITE = {"org": "acme", "deployment_id": "2f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10", "origins": ["https://two.example"]}
ISSUER = "sites.shop.visitors.issuers"


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        ({"sites.shop.org": "acne"}, "sites.shop.org", "error", "names no organisation"),
        (
            {"sites.shop.origins": ["https://shop.example", "https://a.example", "https://b.example/x"]},
            "sites.shop.origins[2]",
            "error",
            "has a path",
        ),
        ({"sites.shop.origins": ["https://*.co.uk"]}, "sites.shop.origins[0]", "error", "anybody can register"),
        ({"sites.shop.origins": ["http://shop.example"]}, "sites.shop.origins[0]", "high", "plain http"),
        ({"sites.shop.origins": []}, "sites.shop.origins", "warning", "no page is admitted"),
        (
            {"sites.shop.origins": ["https://a.example", "https://A.example:443"]},
            "sites.shop.origins[1]",
            "warning",
            "already",
        ),
        ({"sites.shop.allow_null_origin": True}, "sites.shop.allow_null_origin", "high", "sandboxed"),
        (
            {"sites.shop.upstream_origin": "https://*.shop.example"},
            "sites.shop.upstream_origin",
            "error",
            "not one origin",
        ),
        ({"sites.shop.hosts": ["https://x"]}, "sites.shop.hosts[0]", "error", "host"),
        (
            {"sites.shop.hosts": ["a.example"], "sites.two": SITE | {"hosts": ["A.example"]}},
            "sites.two.hosts[0]",
            "error",
            "sites.shop",
        ),
        (
            {"sites.two": SITE | {"deployment_id": "1F5C2A9E-0d7b-4a57-9b40-2f1f4f6a7c10"}},
            "sites.two.deployment_id",
            "error",
            "that of sites.shop",
        ),
        ({"sites.shop.actions": ["resumeToken"]}, "sites.shop.actions[0]", "error", "never admitted"),
        ({"sites.shop.migration.share": 50.0}, "sites.shop.migration.share", "error", "without any chat"),
        (
            {"sites.shop.migration.old_script": "http://static.example/ekr/snippet.js", "dev": False},
            "sites.shop.migration.old_script",
            "error",
            "plain http",
        ),
        ({"sites.shop.zendesk.fields": {"360012": ""}}, "sites.shop.zendesk", "error", "empty word"),
        ({"sites.shop.actions": ["shout"]}, "sites.shop.actions[0]", "error", "not an action"),
        (
            {"sites.shop.visitors.anonymous_socket": True},
            "sites.shop.visitors.anonymous_socket",
            "error",
            "anonymous is false",
        ),
        (
            {"sites.shop.visitors.on_failure": "anonymous"},
            "sites.shop.visitors.on_failure",
            "error",
            "anonymous is false",
        ),
        ({ISSUER: []}, "sites.shop.visitors", "warning", "admit nobody"),
        (
            {"sites.shop.session.handle_s": 900, "sites.shop.session.absolute_s": 300},
            "sites.shop.session.handle_s",
            "error",
            "longer",
        ),
        ({"sites.shop.context.attributes": {"a": "{who}"}}, "sites.shop.context.attributes.a", "error", "{who}"),
        ({"sites.shop.context.attributes": {"a": "x" * 1200}}, "sites.shop.context.attributes", "warning", "1201"),
        ({"sites.shop.context.attributes": {"a": "x" * 2200}}, "sites.shop.context.attributes", "error", "2201"),
    ],
)
def test_a_fault_is_found_by_its_key(
    judge: Judge, changes: Mapping[str, Any], key: str, severity: str, words: str
) -> None:
    found = [f for f in judge(changes) if f.key == key and f.severity == severity]
    assert any(words in f.message for f in found), judge(changes)
    assert all(f.remedy for f in found)


def test_hosts_may_tell_two_sites_of_one_deployment_apart(judge: Judge) -> None:
    two = SITE | {"deployment_id": "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10", "hosts": ["b.example"],
                  "visitors": {"anonymous": True}}  # fmt: skip
    assert judge({"sites.shop.hosts": ["a.example"], "sites.two": two}) == ()
