"""What the init script is told: public identifiers only, for any configuration."""

from __future__ import annotations

from gateway.app.scripts import render_scripts, script_settings, static_dir
from gateway.web.assets import Assets
from tests.stack import BACKEND_KEY, DEPLOYMENT, compiled


def test_the_settings_hold_region_and_deployment_and_no_secret() -> None:
    assets = Assets(static_dir())
    settings = script_settings(compiled({}), "shop", assets)
    assert (settings["deploymentId"], settings["environment"], settings["mode"]) == (DEPLOYMENT, "prod-euw1", "proxied")
    assert settings["base"] == "http://127.0.0.1:8080/sites/shop"
    for secret in ("mock-secret", BACKEND_KEY, "demo-shop-signing-secret", "c0ffee00"):
        assert secret not in str(settings)


def test_without_a_public_url_the_script_finds_its_base_itself() -> None:
    assert (
        script_settings(compiled({"server.public_url": "", "oidc.clients": {}}), "shop", Assets(static_dir()))["base"]
        == ""
    )


def test_every_site_has_a_script() -> None:
    assets = Assets(static_dir())
    render_scripts(compiled({}), assets)
    assert assets.scripts.keys() == {"shop"}
