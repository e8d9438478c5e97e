"""Checks of [audit]: its rules name sites and routes that exist, and none of them is out of reach.

Leaves the key to check_secrets.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.findings import Finding, error, listed, warning
from gateway.config.model import Config
from gateway.policy.routes import HISTORY


def check_audit(config: Config) -> Iterator[Finding]:
    """Yield findings about [[audit.levels]]."""
    routes = {route.name for route in config.routes} | {HISTORY.name}
    behind: int | None = None
    for index, rule in enumerate(config.audit.levels):
        key = f"audit.levels[{index}]"
        for kind, names, known in (("site", rule.sites, set(config.sites)), ("route", rule.routes, routes)):
            for number, name in enumerate(names):
                if name not in known:
                    yield error(
                        f"{key}.{kind}s[{number}]", f"names no {kind}: {name}", f"Configured are {listed(known)}."
                    )
        if behind is not None:
            yield warning(key, f"is never reached: audit.levels[{behind}] is about everything", "Put it before that.")
        elif not rule.sites and not rule.routes:
            behind = index
