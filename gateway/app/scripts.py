"""What the init script of each site is told: public identifiers and addresses only, never a secret, never a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.config.compile import Compiled
from gateway.config.panel_model import Panel
from gateway.config.site_model import Migration
from gateway.errors import ConfigFault
from gateway.policy.sites import PREFIX
from gateway.web.assets import Assets

_PACKAGE = Path(__file__).resolve().parent.parent


def static_dir() -> Path:
    """The directory of the served scripts: inside the installed package, or beside it in the source tree."""
    for place in (_PACKAGE / "static", _PACKAGE.parent / "static"):
        if (place / "widget.js").is_file():
            return place
    raise ConfigFault([("static", "widget.js is not installed; install the package again")])


def script_settings(compiled: Compiled, site_name: str, assets: Assets) -> Mapping[str, object]:
    """The settings object of one site's script."""
    site, hosts = compiled.sites[site_name], compiled.hosts_of_site(site_name)
    public_url = compiled.config.server.public_url
    configured = compiled.config.sites[site_name]
    zendesk, migration = configured.zendesk, configured.migration
    runs_both = migration.old_script is not None and migration.share < 100
    loaded = [site.rules.mode, *["shim"] * zendesk.calls, *["split"] * runs_both]
    payloads = assets.payload_settings()
    return {
        "site": site_name,
        "base": f"{public_url}/{PREFIX}/{site_name}" if public_url else "",
        "mode": site.rules.mode,
        "deploymentId": site.rules.deployment_id,
        "environment": hosts.environment,
        "scriptUrl": hosts.script_url,
        "payloads": {name: payloads[name] for name in loaded},
        "locale": site.locale or None,
        "theme": _theme(configured.panel),
        "texts": dict(configured.panel.texts),
        "signIn": bool(site.issuers),
        "dpop": site.dpop,
        "debug": site.debug,
        "zendesk": zendesk.model_dump(include={"fields", "departments"}) if zendesk.calls else None,
        "migration": _split(migration) if runs_both else None,
    }


def _theme(panel: Panel) -> Mapping[str, str]:
    return {"scheme": panel.scheme} | {str(name): value for name, value in panel.theme.items()}


def _split(migration: Migration) -> Mapping[str, object]:
    return {"share": migration.share, "salt": migration.salt, "oldScript": migration.old_script}


def render_scripts(compiled: Compiled, assets: Assets) -> None:
    """Render the script of every site."""
    for name in compiled.sites:
        assets.render_script(name, script_settings(compiled, name, assets))
