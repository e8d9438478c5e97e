"""A checked configuration becomes rules that decide: origins, routes, hosts, issuers, backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.checks import sources_of
from gateway.config.compile import Compiled, compile_config
from gateway.config.load import Loaded, load
from gateway.config.model import Config
from gateway.errors import Refusal
from gateway.policy.origins import check_origin
from gateway.policy.regions import RegionUnknown

ID = "00000000-0000-4000-8000-000000000001"


def compiled(repository: Path, **changes: Any) -> Compiled:
    data = load(repository / "config.toml", {}).config.model_dump()
    loaded = Loaded(Config.model_validate(data | changes), {}, (), None, repository)
    return compile_config(loaded, sources_of(loaded, {}))


def test_the_shipped_site_decides_by_its_rules(repository: Path) -> None:
    site = compiled(repository).sites["shop"]
    assert check_origin("http://localhost:8088", site.rules.origins) == "http://localhost:8088"
    with pytest.raises(Refusal):
        check_origin("http://localhost:8089", site.rules.origins)
    route, parameters = site.rules.routes.match("POST", ("api", "v2", "conversations", "messaging", ID, "close"))
    assert (route.name, route.client, route.auth) == ("close-conversation", "closer", "oauth")
    assert route.upstream.method == "PATCH"
    assert route.upstream.fill(parameters) == f"/api/v2/conversations/messages/{ID}"
    assert str(route.body_template) == '{"state":"disconnected"}'
    assert site.socket.context.attributes[0] == ("gateway.guest", "{guest_id}")
    assert site.session.idle_s == 1800


def test_history_is_built_into_proxied_sites_only(repository: Path) -> None:
    path = ("api", "v2", "webmessaging", "messages")
    assert compiled(repository).sites["shop"].rules.routes.match("GET", path)[0].auth == "webmessaging-jwt"
    sites = load(repository / "config.toml", {}).config.model_dump()["sites"]
    sites["shop"]["mode"] = "messenger"
    with pytest.raises(Refusal):
        compiled(repository, sites=sites).sites["shop"].rules.routes.match("GET", path)


def test_a_route_exists_only_on_its_sites(repository: Path) -> None:
    config = load(repository / "config.toml", {}).config.model_dump()
    two = config["sites"]["shop"] | {"deployment_id": ID}
    config["routes"][0]["sites"] = ["two"]
    result = compiled(repository, sites=config["sites"] | {"two": two}, routes=config["routes"])
    path = ("api", "v2", "routing", "queues", ID, "estimatedwaittime")
    assert result.sites["two"].rules.routes.match("GET", path)[0].name == "queue-wait"
    with pytest.raises(Refusal):
        result.sites["shop"].rules.routes.match("GET", path)


def test_hosts_come_from_the_region_and_the_endpoints(repository: Path) -> None:
    result = compiled(repository)
    assert result.hosts_of_site("shop").api == "http://127.0.0.1:8092"
    assert result.orgs["acme"].region.aws_region == "eu-west-1"
    client = result.orgs["acme"].clients["closer"]
    assert [secret.reveal() for secret in client.secrets] == ["mock-secret-closer"]


def test_an_unknown_region_needs_every_endpoint(repository: Path) -> None:
    orgs = load(repository / "config.toml", {}).config.model_dump()["orgs"]
    orgs["acme"]["region"] = "xx-new-1"
    assert compiled(repository, orgs=orgs).hosts_of_site("shop").environment == "xx-new-1"
    orgs["acme"]["endpoints"]["cdn"] = None
    with pytest.raises(RegionUnknown):
        compiled(repository, orgs=orgs)


def test_backends_issuers_and_parties_bring_their_secrets(repository: Path) -> None:
    result = compiled(repository)
    backend = result.backends["servicenow"]
    assert backend.client_id == "5e41ce00-0000-4000-8000-0000000000aa"
    assert backend.caller.sites == {"shop"}
    assert backend.keys[0].reveal().startswith("demo-backend-key")
    [key] = result.sites["shop"].issuers[0].keys
    assert (key.algorithm, key.kid) == ("HS256", "app_5f2b7c1e9a4d3f6b8c0e1a2d")
    assert key.material == b"demo-shop-signing-secret-never-use-it-elsewhere"
    assert result.parties["genesys"].secrets[0].reveal().startswith("demo-oidc")
    assert result.store_url.reveal() == "memory://"
    assert (result.admin_token, result.audit_key, result.guest_key) == (None, None, None)
    assert "never-use-it-elsewhere" not in repr(result)


def test_the_secret_before_rotation_comes_second(repository: Path) -> None:
    backends = load(repository / "config.toml", {}).config.model_dump()["backends"]
    backends["servicenow"]["previous_key"] = "the-old-key"
    keys = compiled(repository, backends=backends).backends["servicenow"].keys
    assert [secret.reveal() for secret in keys][1:] == ["the-old-key"]


def test_an_issuer_without_key_id_has_both_secrets_and_openid_none(repository: Path) -> None:
    sites = load(repository / "config.toml", {}).config.model_dump()["sites"]
    chat = {"kind": "zendesk-chat", "secret": "n" * 40, "previous_secret": "p" * 40}
    sites["shop"]["visitors"]["issuers"] = [chat, {"kind": "oidc", "issuer": "https://i.example", "audience": "a"}]
    issuers = compiled(repository, sites=sites).sites["shop"].issuers
    assert [(key.kid, key.label, key.material) for key in issuers[0].keys] == [
        (None, "current", b"n" * 40),
        (None, "previous", b"p" * 40),
    ]
    assert (issuers[1].name, issuers[1].keys) == ("oidc", ())
