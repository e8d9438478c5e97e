"""Everything that one key of the configuration cannot know of another, as one list of findings.

Leaves shape to `model` and `load`. The rule: all findings come together, each by its key; an error means that the
configuration is not served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.config import genesys, shape
from gateway.config.check_audit import check_audit
from gateway.config.check_network import check_network, is_loopback, url_fault
from gateway.config.check_orgs import check_orgs
from gateway.config.check_ownership import check_ownership
from gateway.config.check_routes import check_backends, check_routes
from gateway.config.check_secrets import check_secrets, secret_values
from gateway.config.check_sites import check_sites
from gateway.config.check_subjects import check_subjects
from gateway.config.findings import Finding, Severity, Sources, error, listed, warning
from gateway.config.load import Loaded
from gateway.config.model import Config
from gateway.config.secrets import Secrets
from gateway.errors import ConfigFault

ORDER: Final[Mapping[Severity, int]] = {"error": 0, "high": 1, "warning": 2, "info": 3}
GUEST_JWT_S: Final = 900
"""Life of the guest JWT that Genesys gives for an OpenID sign-in, unless our access token is shorter."""


def sources_of(loaded: Loaded, environ: Mapping[str, str]) -> Sources:
    """Return what checks and compilation need beside the configuration: shipped facts, and its secrets."""
    secrets = Secrets(loaded.directory, environ, dev=loaded.config.dev)
    return Sources(genesys.catalogue(), genesys.region_table(), secrets)


def check(loaded: Loaded, sources: Sources) -> tuple[Finding, ...]:
    """Return every finding, the worst first, within one severity in the order of the file."""
    config = loaded.config
    found = [warning("environment", text, "Rename it, or correct it.") for text in loaded.warnings]
    found += check_network(config, sources, loaded.directory)
    found += check_secrets(config, sources)
    found += check_orgs(config, sources)
    found += check_sites(config)
    found += check_subjects(config, sources)
    found += check_routes(config, sources)
    found += check_ownership(config)
    found += check_backends(config, loaded.directory)
    found += check_audit(config)
    found += _check_oidc(config)
    found += _check_ends(config)
    return tuple(sorted(found, key=lambda finding: ORDER[finding.severity]))


def require_sound(loaded: Loaded, sources: Sources) -> tuple[Finding, ...]:
    """Return the findings that are no errors. Raises `ConfigFault` with every error when there is one."""
    found = check(loaded, sources)
    if errors := [(f.key, f"{f.message}. {f.remedy}") for f in found if f.severity == "error"]:
        raise ConfigFault(errors)
    return found


def _check_ends(config: Config) -> Iterator[Finding]:
    """A day for a key that holds no secret would be an alert that never comes."""
    known = {shape.written(path) for path, _, _ in secret_values(config)}
    for name in config.keys.ends:
        if name not in known:
            yield error(f'keys.ends."{name}"', "names no secret of this file", f"Secrets are {listed(known)}.")


def _check_oidc(config: Config) -> Iterator[Finding]:
    ids: dict[str, str] = {}
    if config.oidc.access_token_s < GUEST_JWT_S:
        yield warning(
            "oidc.access_token_s",
            f"is below {GUEST_JWT_S}: Genesys shortens its guest JWT to it, and pages ask visitors to sign in again",
            f"Leave it at {GUEST_JWT_S} or more.",
        )
    for name, client in config.oidc.clients.items():
        key = f"oidc.clients.{name}"
        if (other := ids.setdefault(client.id, key)) != key:
            yield error(f"{key}.id", f"is that of {other}", "Give each client an id of its own.")
        for index, site in enumerate(client.sites):
            if site not in config.sites:
                yield error(
                    f"{key}.sites[{index}]", f"names no site: {site}", f"Configured are {listed(config.sites)}."
                )
        if not client.redirect_uris:
            yield warning(f"{key}.redirect_uris", "are empty: no sign-in can end", "List the exact redirect URIs.")
        for index, uri in enumerate(client.redirect_uris):
            here = f"{key}.redirect_uris[{index}]"
            if (fault := url_fault(uri.partition("?")[0], ("https", "http"), path=True)) is not None or "#" in uri:
                yield error(here, fault or "has a fragment", "Write the whole URI as it is registered.")
            elif uri.startswith("http:") and not is_loopback(uri.split("/")[2].rpartition(":")[0]) and not config.dev:
                yield error(here, "is plain http: the code could be read on the way", "Write the https URI.")
