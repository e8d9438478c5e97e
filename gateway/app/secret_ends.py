"""When secrets end: as `[keys] ends` says, and as the listener's own certificate says; for metric and alert.

Which secrets changed is told elsewhere. The rule: names are keys of the configuration, values are never looked at.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import structlog
from cryptography import x509

from gateway.config.compile import Compiled
from gateway.config.model import Config

log = structlog.get_logger(__name__)
CERTIFICATE = "server.tls.certificate"


def secret_names(config: Config) -> tuple[str, ...]:
    """The names of the secrets whose end or change may be told: the label values, the important ones first."""
    found = [CERTIFICATE] if config.server.tls is not None else []
    found += config.keys.ends
    found += [f"orgs.{org}.clients.{client}.secret" for org, one in config.orgs.items() for client in one.clients]
    found += [f"backends.{name}.key" for name in config.backends]
    found += [f"oidc.clients.{name}.secret" for name in config.oidc.clients]
    for site, one in config.sites.items():
        found += [f"sites.{site}.visitors.issuers[{index}].secret" for index in range(len(one.visitors.issuers))]
    return tuple(dict.fromkeys(found))


def secret_ends(compiled: Compiled, directory: Path) -> dict[str, float]:
    """When secrets end, in seconds since the epoch, by name; a certificate that cannot be read is told in the log."""
    found = {
        name: datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()
        for name, day in compiled.config.keys.ends.items()
    }
    tls = compiled.config.server.tls
    if tls is not None:
        try:
            chain = x509.load_pem_x509_certificates((directory / tls.certificate).read_bytes())
        except (OSError, ValueError) as fault:
            log.warning("tls.certificate_unreadable", error=type(fault).__name__)
        else:
            found[CERTIFICATE] = min(one.not_valid_after_utc for one in chain).timestamp()
    return found
