"""The checks as tables: one change to a sound production configuration, and the finding that it must give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.config.checks import check, require_sound, sources_of
from gateway.config.findings import Finding
from gateway.config.load import Loaded, load
from gateway.config.model import Config
from gateway.errors import ConfigFault

Judge = Callable[..., tuple[Finding, ...]]
ROUTE = {"name": "more", "match": "GET /api/v2/conversations/{conversationId}", "callers": ["backend"]}
SITE = {"org": "acme", "deployment_id": "2f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10", "origins": ["https://two.example"]}
ISSUER = "sites.shop.visitors.issuers"


def test_a_sound_production_configuration_has_no_finding(judge: Judge) -> None:
    assert judge({}) == ()


def test_the_shipped_configuration_has_no_finding(repository: Path) -> None:
    loaded = load(repository / "config.toml", {})
    assert check(loaded, sources_of(loaded, {})) == ()


@pytest.mark.parametrize(
    ("changes", "key", "severity", "words"),
    [
        # network
        ({"server.listen": "8080"}, "server.listen", "error", "not address:port"),
        ({"server.listen": "[::1]:99999"}, "server.listen", "error", "above 65535"),
        ({"admin.listen": "127.0.0.1:8080"}, "admin.listen", "error", "public listener's own"),
        ({"admin.listen": "0.0.0.0:9090"}, "admin.token", "error", "reachable at 0.0.0.0:9090"),
        ({"server.workers": 0}, "server.workers", "error", "at least 1"),
        ({"server.public_url": "http://chat.shop.example"}, "server.public_url", "error", "plain http"),
        ({"server.public_url": "https://chat.shop.example/x"}, "server.public_url", "error", "has a path"),
        ({"server.public_url": "https://chat.shop.example/"}, "server.public_url", "error", "ends with a slash"),
        ({"server.public_url": "https://a@chat.shop.example"}, "server.public_url", "error", "user information"),
        ({"server.public_url": ""}, "server.public_url", "warning", "is missing"),
        ({"server.trusted_proxies": ["10.0.0.1/8"]}, "server.trusted_proxies[0]", "error", "not a network"),
        ({"server.trusted_proxies": ["0.0.0.0/0"]}, "server.trusted_proxies[0]", "high", "believes every"),
        ({"server.tls": {"certificate": "no.pem", "key": "no.pem"}}, "server.tls.certificate", "error", "cannot be read"),
        ({"store.url": "mysql://x"}, "store.url", "error", "no kind of store"),
        ({"store.url": "memory://", "server.workers": 2}, "store.url", "error", "several workers cannot share"),
        ({"store.url": "memory://"}, "store.url", "info", "sessions end"),
        ({"store.url": "rediss://:pw@h"}, "store.url", "error", "password in plain text"),
        ({"store.url": "redis://h.example"}, "store.url", "warning", "without TLS"),
        ({"dev": True, "server.listen": "0.0.0.0:8080"}, "dev", "high", "reachable"),
        # organisations
        ({"orgs.acme.region": "eu-west-9"}, "orgs.acme.region", "error", "near: eu-west"),
        ({"orgs.acme.region": "api.cxone.com"}, "orgs.acme.region", "error", "NICE CXone"),
        ({"orgs.acme.region": "eusc-de-east-1"}, "orgs.acme.region", "warning", "not confirmed"),
        ({"orgs.acme.endpoints": {"api": "http://h"}}, "orgs.acme.endpoints.api", "error", "https://"),
        ({"orgs.acme.endpoints": {"webmessaging": "https://h"}}, "orgs.acme.endpoints.webmessaging", "error", "wss://"),
        ({"orgs.acme.organization_id": "x"}, "orgs.acme.organization_id", "error", "not a UUID"),
        ({"orgs.acme.clients.reader.id": "reader"}, "orgs.acme.clients.reader.id", "error", "not a UUID"),
        ({"orgs.acme.clients.reader.permissions": []}, "orgs.acme.clients.reader.permissions", "error", "lack routing:queue:view"),
        ({"orgs.acme.clients.reader.permissions": ["routing:queue:view", "conversation:communication:view"]},
         "orgs.acme.clients.reader.permissions", "high", "conversation:communication:view"),
        ({"orgs.acme.clients.reader.permissions": ["*"]}, "orgs.acme.clients.reader.permissions", "high", "*"),
        ({"orgs.acme.clients.reader.permissions": ["routing:queue:view", "messaging:conversation:close"]},
         "orgs.acme.clients.reader.permissions", "warning", "asked by no operation"),
        ({"orgs.acme.clients.reader.scopes": ["messaging:write", "routing"]},
         "orgs.acme.clients.reader.scopes", "warning", "messaging:write"),
        ({"orgs.acme.clients.idle": {"id": "c0ffee00-0000-4000-8000-000000000009", "secret": "env:READER",
          "permissions": ["a:b:c"]}}, "orgs.acme.clients.idle", "high", "used by no route"),
        # sites
        ({"sites.shop.org": "acne"}, "sites.shop.org", "error", "names no organisation"),
        ({"sites.shop.origins": ["https://shop.example", "https://a.example", "https://b.example/x"]},
         "sites.shop.origins[2]", "error", "has a path"),
        ({"sites.shop.origins": ["https://*.co.uk"]}, "sites.shop.origins[0]", "error", "anybody can register"),
        ({"sites.shop.origins": ["http://shop.example"]}, "sites.shop.origins[0]", "high", "plain http"),
        ({"sites.shop.origins": []}, "sites.shop.origins", "warning", "no page is admitted"),
        ({"sites.shop.origins": ["https://a.example", "https://A.example:443"]}, "sites.shop.origins[1]", "warning", "already"),
        ({"sites.shop.allow_null_origin": True}, "sites.shop.allow_null_origin", "high", "sandboxed"),
        ({"sites.shop.upstream_origin": "https://*.shop.example"}, "sites.shop.upstream_origin", "error", "not one origin"),
        ({"sites.shop.hosts": ["https://x"]}, "sites.shop.hosts[0]", "error", "host"),
        ({"sites.shop.hosts": ["a.example"], "sites.two": SITE | {"hosts": ["A.example"]}}, "sites.two.hosts[0]", "error", "sites.shop"),
        ({"sites.two": SITE | {"deployment_id": "1F5C2A9E-0d7b-4a57-9b40-2f1f4f6a7c10"}},
         "sites.two.deployment_id", "error", "that of sites.shop"),
        ({"sites.shop.actions": ["resumeToken"]}, "sites.shop.actions[0]", "error", "never admitted"),
        ({"sites.shop.actions": ["shout"]}, "sites.shop.actions[0]", "error", "not an action"),
        ({"sites.shop.visitors.anonymous_socket": True}, "sites.shop.visitors.anonymous_socket", "error", "anonymous is false"),
        ({"sites.shop.visitors.on_failure": "anonymous"}, "sites.shop.visitors.on_failure", "error", "anonymous is false"),
        ({ISSUER: []}, "sites.shop.visitors", "warning", "admit nobody"),
        ({"sites.shop.session.handle_s": 900, "sites.shop.session.absolute_s": 300}, "sites.shop.session.handle_s", "error", "longer"),
        ({"sites.shop.context.attributes": {"a": "{who}"}}, "sites.shop.context.attributes.a", "error", "{who}"),
        ({"sites.shop.context.attributes": {"a": "x" * 1200}}, "sites.shop.context.attributes", "warning", "1201"),
        ({"sites.shop.context.attributes": {"a": "x" * 2200}}, "sites.shop.context.attributes", "error", "2201"),
        # issuers
        ({f"{ISSUER}.0.kid": "key1"}, f"{ISSUER}[0].kid", "error", "24 hex digits"),
        ({f"{ISSUER}.0.kind": "zendesk-chat"}, f"{ISSUER}[0].kid", "error", "means nothing"),
        ({f"{ISSUER}.0.kind": "oidc"}, f"{ISSUER}[0].audience", "error", "oidc needs it"),
        ({f"{ISSUER}.1": {"kind": "oidc", "issuer": "http://x", "audience": "a"}}, f"{ISSUER}[1].issuer", "error", "https"),
        ({f"{ISSUER}.1": {"kind": "zendesk-messaging", "name": "b", "kid": "app_5f2b7c1e9a4d3f6b8c0e1a2d",
          "secret": "env:CRM"}}, f"{ISSUER}[1].kid", "error", "is that of"),
        ({f"{ISSUER}.0.max_lifetime_s": 31536000}, f"{ISSUER}[0].max_lifetime_s", "warning", "more than a day"),
        # routes and backends
        ({"routes.0.client": "writer"}, "routes[0].client", "error", "no client writer"),
        ({"routes.0.client": None}, "routes[0].client", "error", "needs a bearer"),
        ({"routes.0.sites": ["shup"]}, "routes[0].sites[0]", "error", "names no site"),
        ({"routes.0.match": "GET /api/v2/routing/queue/{queueId}/estimatedwaittime"}, "routes[0].match", "error", "no operation"),
        ({"routes.0.match": "GET routing"}, "routes[0].match", "error", "no path"),
        ({"routes.0.match": "POST /api/v2/conversations/messaging/{conversationId}/close"}, "routes[0].match", "error", "never existed"),
        ({"routes.0.match": "POST /api/v2/webchat/guest/conversations"}, "routes[0].match", "error", "removed by Genesys"),
        ({"routes.0.match": "GET /api/v2/users/me"}, "routes[0].client", "error", "not valid with a client-credentials"),
        ({"routes.0.owner": "conversationId"}, "routes[0]", "error", "owner"),
        ({"routes.0.cache_s": 5, "routes.0.match": "DELETE /api/v2/conversations/{conversationId}"}, "routes[0]", "error", "cache_s"),
        ({"routes.0.body": {"a": 1}}, "routes[0].body", "error", "GET sends none"),
        ({"routes.0.upstream": "PATCH /api/v2/conversations/messages/{queueId}"}, "routes[0].body", "error", "needs one"),
        ({"routes.0.callers": []}, "routes[0].callers", "warning", "nobody may call"),
        ({"routes.0.callers": ["guest"], "routes.0.match": "GET /api/v2/conversations/{conversationId}"},
         "routes[0].owner", "high", "any guest"),
        ({"routes.1": ROUTE | {"client": "reader", "name": "queue-wait"}}, "routes[1].name", "error", "is that of routes[0]"),
        ({"routes.1": ROUTE | {"client": "reader", "match": "GET /api/v2/routing/queues/{other}/estimatedwaittime"}},
         "routes[1].match", "error", "match the same requests"),
        ({"routes.1": ROUTE | {"match": "GET /api/v2/webmessaging/messages", "name": "guest-history"}},
         "routes[1].name", "error", "built-in"),
        ({"backends.crm.routes": ["queue-weight"]}, "backends.crm.routes[0]", "error", "names no route"),
        ({"backends.crm.sites": ["shup"]}, "backends.crm.sites[0]", "error", "names no site"),
        ({"routes.0.callers": ["guest"]}, "backends.crm.routes[0]", "error", "does not list"),
        ({"backends.crm.sites": []}, "backends.crm", "warning", "may call nothing"),
        ({"backends.two": {"id": "crm", "key": "env:READER"}}, "backends.two.id", "error", "is that of"),
        ({"backends.crm.public_key": "no.pem"}, "backends.crm.public_key", "error", "cannot be read"),
        # OpenID provider
        ({"oidc.clients.g": {"id": "g", "secret": "env:READER", "redirect_uris": ["http://x.example/cb"]}},
         "oidc.clients.g.redirect_uris[0]", "error", "plain http"),
        ({"oidc.clients.g": {"id": "g", "secret": "env:READER", "redirect_uris": ["https://x.example/cb#f"]}},
         "oidc.clients.g.redirect_uris[0]", "error", "fragment"),
        ({"oidc.clients.g": {"id": "g", "secret": "env:READER"}, "server.public_url": ""}, "server.public_url", "error", "issuer"),
    ],
)  # fmt: skip
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


def test_a_new_region_works_when_every_endpoint_is_given(judge: Judge) -> None:
    hosts = {name: f"https://{name}.new.example" for name in ("login", "api", "cdn", "apps")}
    found = judge(
        {"orgs.acme.region": "xx-new-1", "orgs.acme.endpoints": hosts | {"webmessaging": "wss://w.new.example"}}
    )
    assert [(f.key, f.severity) for f in found] == [("orgs.acme.region", "warning")]


def test_the_remedy_for_a_believed_route_is_the_real_operation(judge: Judge) -> None:
    found = judge({"routes.0.match": "POST /api/v2/conversations/messaging/{conversationId}/close"})
    assert "PATCH /api/v2/conversations/messages/{conversationId}" in found[0].remedy


def test_errors_come_first_and_are_raised_together(tmp_path: Path) -> None:
    config = Config(version=1, server={"listen": "x"}, admin={"listen": "y"})  # type: ignore[arg-type]  # as TOML gives it
    loaded = Loaded(config, {}, (), None, tmp_path)
    with pytest.raises(ConfigFault) as caught:
        require_sound(loaded, sources_of(loaded, {}))
    assert [key for key, _ in caught.value.faults][:2] == ["server.listen", "admin.listen"]
