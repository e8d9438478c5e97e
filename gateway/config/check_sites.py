"""Checks of sites: organisation, origins, hosts, deployments, who is admitted, session lives and guest context.

Leaves the form of an origin or host to `gateway.policy`, and issuers to `check_issuers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.check_issuers import check_issuers
from gateway.config.check_network import is_loopback
from gateway.config.findings import Finding, error, high, listed, warning
from gateway.config.model import Config
from gateway.config.site_model import Site
from gateway.policy.frames import ACTIONS, SocketRules
from gateway.policy.hostnames import canonical_host
from gateway.policy.injection import MAX_ATTRIBUTES_BYTES, PLACEHOLDERS
from gateway.policy.origins import OriginPattern, parse_pattern

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")


def check_sites(config: Config) -> Iterator[Finding]:
    """Yield findings about [sites]."""
    if not config.sites:
        yield warning("sites", "are empty: the gateway admits nobody", "Add [sites.NAME].")
    for name, site in config.sites.items():
        key = f"sites.{name}"
        if site.org not in config.orgs:
            yield error(f"{key}.org", f"names no organisation: {site.org}", f"Configured are {listed(config.orgs)}.")
        yield from _check_origins(key, site, config.dev)
        yield from _check_visitors(key, site)
        yield from check_issuers(key, site, config.dev)
        yield from _check_session(key, site)
        yield from _check_context(key, site)
        yield from _check_actions(key, site)
        yield from _check_migration(key, site, config.dev)
    yield from _check_hosts(config)
    yield from _check_deployments(config)


def _check_origins(key: str, site: Site, dev: bool) -> Iterator[Finding]:
    seen: dict[OriginPattern, int] = {}
    for index, text in enumerate(site.origins):
        here = f"{key}.origins[{index}]"
        try:
            pattern = parse_pattern(text)
        except ValueError as fault:
            yield error(here, str(fault), "Write scheme://host[:port], nothing after it.")
            continue
        if seen.setdefault(pattern, index) != index:
            yield warning(here, f"stands at origins[{seen[pattern]}] already", "Leave one away.")
        if pattern.origin.scheme == "http" and not dev and not is_loopback(pattern.origin.host):
            yield high(here, "is plain http: anybody on the way can act as this page", "Serve the page over https.")
    if not site.origins:
        yield warning(f"{key}.origins", "are empty: no page is admitted", "List the origins of the site's pages.")
    if site.allow_null_origin:
        yield high(
            f"{key}.allow_null_origin", "admits every sandboxed frame and file: page of the world",
            "Serve the page from an origin of its own.",
        )  # fmt: skip
    if site.upstream_origin is not None:
        yield from _check_upstream_origin(f"{key}.upstream_origin", site.upstream_origin)


def _check_upstream_origin(key: str, text: str) -> Iterator[Finding]:
    try:
        pattern = parse_pattern(text)
    except ValueError as fault:
        yield error(key, str(fault), "Write scheme://host[:port].")
        return
    if pattern.subdomains or pattern.origin.serialise() != text:
        yield error(key, "is not one origin as browsers write it", f"Write {pattern.origin.serialise()}.")


def _check_visitors(key: str, site: Site) -> Iterator[Finding]:
    visitors = site.visitors
    if not visitors.anonymous and not visitors.issuers:
        yield warning(
            f"{key}.visitors", "admit nobody: neither anonymous nor an issuer",
            "Set anonymous = true, or add [[sites.X.visitors.issuers]].",
        )  # fmt: skip
    for name, enabled in (
        ("anonymous_socket", visitors.anonymous_socket),
        ("on_failure", visitors.on_failure == "anonymous"),
    ):
        if enabled and not visitors.anonymous:
            yield error(f"{key}.visitors.{name}", "admits anonymous visitors, and anonymous is false",
                        "Set anonymous = true, or take this away.")  # fmt: skip


def _check_actions(key: str, site: Site) -> Iterator[Finding]:
    for index, action in enumerate(site.actions or ()):
        try:
            SocketRules(deployment_id=site.deployment_id, actions=frozenset({action}))
        except ValueError as fault:
            yield error(f"{key}.actions[{index}]", str(fault), f"List some of {listed(ACTIONS)}.")
    if site.actions == ():
        yield warning(f"{key}.actions", "are empty: no socket can say anything", "Leave the key away for all actions.")


def _check_session(key: str, site: Site) -> Iterator[Finding]:
    life = site.session
    for name, value in (("idle_s", life.idle_s), ("handle_s", life.handle_s)):
        if value > life.absolute_s:
            yield error(f"{key}.session.{name}", f"is longer than absolute_s ({life.absolute_s})", "Make it shorter.")


def _check_context(key: str, site: Site) -> Iterator[Finding]:
    total = 0
    for name, value in site.context.attributes.items():
        here = f"{key}.context.attributes.{name}"
        total += len(name.encode()) + len(value.encode())
        if not name.strip():
            yield error(here, "has no name", "Name the attribute.")
        for placeholder in _PLACEHOLDER.findall(value):
            if placeholder not in PLACEHOLDERS:
                yield error(here, f"holds the unknown {{{placeholder}}}", f"Known are {listed(PLACEHOLDERS)}.")
    if total > MAX_ATTRIBUTES_BYTES // 2:
        severity = error if total > MAX_ATTRIBUTES_BYTES else warning
        yield severity(
            f"{key}.context.attributes", f"take {total} of the {MAX_ATTRIBUTES_BYTES} bytes that Genesys allows",
            "Shorten names and values; the page's own attributes need room too.",
        )  # fmt: skip


def _check_migration(key: str, site: Site, dev: bool) -> Iterator[Finding]:
    migration = site.migration
    if migration.share < 100 and migration.old_script is None:
        yield error(
            f"{key}.migration.share", "leaves visitors without any chat: there is no old_script for them",
            "Set old_script to the address in the page's ze-snippet tag, or share = 100.",
        )  # fmt: skip
    if migration.old_script is not None and migration.old_script.startswith("http:") and not dev:
        yield error(f"{key}.migration.old_script", "is plain http: whoever is on the way runs code", "Write https.")
    for name in (*site.zendesk.fields.values(), *site.zendesk.departments.values()):
        if not name:
            yield error(f"{key}.zendesk", "maps something to an empty word", "Name an attribute or a value.")


def _check_hosts(config: Config) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, site in config.sites.items():
        for index, text in enumerate(site.hosts):
            key = f"sites.{name}.hosts[{index}]"
            try:
                host = canonical_host(text)
            except ValueError as fault:
                yield error(key, str(fault), "Write a host name only, without scheme, port or path.")
                continue
            if owners.setdefault(host, name) != name:
                yield error(key, f"belongs to sites.{owners[host]} already", "Give each site a host of its own.")


def _check_deployments(config: Config) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for name, site in config.sites.items():
        other = owners.setdefault(site.deployment_id.lower(), name)
        if other != name and not (site.hosts and config.sites[other].hosts):
            yield error(
                f"sites.{name}.deployment_id", f"is that of sites.{other}, and no hosts tell the two apart",
                "Use one deployment per site, or give both sites hosts.",
            )  # fmt: skip
