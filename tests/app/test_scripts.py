"""What the init script is told: public identifiers only, for any configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app.scripts import render_scripts, script_settings, static_dir
from gateway.config.compile import Compiled
from gateway.web.assets import Assets
from tests.stack import BACKEND_KEY, DEPLOYMENT, compiled

OLD = "https://static.zdassets.com/ekr/snippet.js?key=00000000-0000-4000-8000-000000000000"
ASSETS = Assets(static_dir())


def test_the_settings_hold_region_and_deployment_and_no_secret() -> None:
    told = script_settings(compiled({}), "shop", ASSETS)
    assert (told["deploymentId"], told["environment"], told["mode"]) == (DEPLOYMENT, "prod-euw1", "proxied")
    assert told["base"] == "http://127.0.0.1:8080/sites/shop"
    for secret in ("mock-secret", BACKEND_KEY, "demo-shop-signing-secret", "c0ffee00"):
        assert secret not in str(told)


def test_without_a_public_url_the_script_finds_its_base_itself() -> None:
    told = script_settings(compiled({"server.public_url": "", "oidc.clients": {}}), "shop", ASSETS)
    assert told["base"] == ""


def test_a_site_sets_the_look_and_the_words_of_its_panel_and_may_leave_the_language_to_the_page() -> None:
    told = script_settings(compiled({}), "shop", ASSETS)
    assert (told["locale"], told["theme"], told["texts"]) == ("en", {"scheme": "light"}, {})
    flags = {"scheme": "dark", "theme": {"accent": "#0a7"}, "texts": {"title": "Ask us"}}
    changed = {"sites.shop.locale": "", **{f"sites.shop.panel.{name}": value for name, value in flags.items()}}
    told = script_settings(compiled(changed), "shop", ASSETS)
    assert (told["locale"], told["theme"], told["texts"]) == (
        None,
        {"scheme": "dark", "accent": "#0a7"},
        {"title": "Ask us"},
    )


def test_every_site_has_a_script() -> None:
    assets = Assets(static_dir())
    render_scripts(compiled({}), assets)
    assert assets.scripts.keys() == {"shop"}


@pytest.mark.parametrize(
    ("flags", "payloads"),
    [
        ({}, {"proxied", "shim"}),
        ({"sites.shop.zendesk.calls": False}, {"proxied"}),
        ({"sites.shop.mode": "messenger"}, {"messenger", "shim"}),
        (
            {"sites.shop.migration.old_script": OLD, "sites.shop.migration.share": 20.0},
            {"proxied", "shim", "split"},
        ),
        ({"sites.shop.migration.old_script": OLD}, {"proxied", "shim"}),  # everybody has moved
    ],
)
def test_a_page_is_told_of_the_payloads_that_it_needs_and_no_others(
    flags: dict[str, object], payloads: set[str]
) -> None:
    told = script_settings(compiled(flags), "shop", ASSETS)
    assert told["payloads"].keys() == payloads  # type: ignore[attr-defined]  # the settings are JSON


def test_the_served_script_stays_small_also_with_its_settings() -> None:
    assets = Assets(static_dir())
    render_scripts(compiled({}), assets)
    assert len(assets.scripts["shop"].brotli) <= 4096


SECRET_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=24).map(
    lambda word: f"s3cr-{word}"
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
HARMFUL = st.sampled_from(
    ["</script>", "<!--", "\u2028", "\u2029", "'", '"', "\\", "`${1}`", "]]>", "{} /* site settings */"]
)


@settings(max_examples=60, deadline=None)
@given(
    secrets=st.lists(SECRET_WORDS, min_size=4, max_size=4, unique=True),
    word=ANY_TEXT | HARMFUL,
    share=st.floats(0, 100),
)
def test_no_configuration_puts_a_secret_or_harm_into_the_script(secrets: list[str], word: str, share: float) -> None:
    """Secrets everywhere where secrets go, and any words where words go: the script shows none of the first."""
    client, issuer, backend, party = secrets
    flags: dict[str, object] = {
        "orgs.acme.clients.reader.secret": client,
        "sites.shop.visitors.issuers": [{"kind": "zendesk-messaging", "kid": f"app_{'a' * 24}", "secret": issuer * 2}],
        "backends.servicenow.key": backend * 2,
        "oidc.clients.genesys.secret": party * 2,
        "sites.shop.locale": word,
        "sites.shop.panel.texts": {"title": word},
        "sites.shop.zendesk.fields": {word: "order"},
        "sites.shop.zendesk.departments": {"Sales": word},
        "sites.shop.context.attributes": {"internal": "only-the-gateway-says-this"},
        "sites.shop.migration.salt": word,
        "sites.shop.migration.old_script": OLD,
        "sites.shop.migration.share": share,
    }
    render_scripts(compiled(flags), ASSETS)
    template = (static_dir() / "widget.js").read_text()
    head, _, tail = template.partition("{} /* site settings */")
    text = ASSETS.scripts["shop"].body.decode()
    assert text.startswith(head)
    assert text.endswith(tail)
    told = text[len(head) : len(text) - len(tail)]
    for secret in (*secrets, "only-the-gateway-says-this", "c0ffee00"):
        assert secret not in text
    assert not set("<>&\u2028\u2029\n") & set(told)
    assert json.loads(told)["locale"] == word


def test_no_key_of_a_secret_type_is_read_for_the_script() -> None:
    """Every secret of the shipped configuration, by its value."""
    config = compiled({})
    text = json.dumps(script_settings(config, "shop", ASSETS))
    found = list(_secrets(config))
    assert len(found) >= 5
    assert [secret for secret in found if secret in text] == []


def _secrets(config: Compiled) -> Iterator[str]:
    for org in config.orgs.values():
        for client in org.clients.values():
            yield from (secret.reveal() for secret in client.secrets)
            yield client.id
    for backend in config.backends.values():
        yield from (key.reveal() for key in backend.keys)
    for party in config.parties.values():
        yield from (secret.reveal() for secret in party.secrets)
