"""Checks of listeners, addresses, proxies, TLS files and the store: what is reachable, and by whom.

Leaves sites, routes and secrets to the other checks. The rule: what listens beyond loopback is guarded.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.config.findings import Finding, Sources, error, high, info, warning
from gateway.config.model import Config
from gateway.config.secrets import SecretUnreadable

_LISTEN = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(?P<port>[0-9]{1,5})")
MAX_WORKERS: Final = 128
_STORE_SCHEMES = ("memory", "redis", "rediss", "redis+sentinel")


def check_network(config: Config, sources: Sources, directory: Path) -> Iterator[Finding]:
    """Yield findings about [server], [admin] and [store]."""
    yield from _check_listeners(config)
    yield from _check_public_url(config)
    yield from _check_proxies(config)
    yield from _check_tls(config, directory)
    yield from _check_store(config, sources)


def parse_listen(text: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 address stands in brackets. Raises `ValueError` saying what is wrong."""
    match = _LISTEN.fullmatch(text)
    if match is None:
        raise ValueError("is not address:port, for example 127.0.0.1:8080 or [::1]:8080")
    if int(match["port"]) > 65535:
        raise ValueError("has a port above 65535")
    return match["host"].strip("[]"), int(match["port"])


def is_loopback(host: str) -> bool:
    """Is the host this machine only?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_fault(text: str, schemes: tuple[str, ...], *, path: bool = False) -> str | None:
    """Say what keeps the text from being a base URL with one of these schemes, or return None."""
    try:
        url: SplitResult = urlsplit(text)
        _ = url.port
    except ValueError:
        return "is not a URL"
    if url.scheme not in schemes:
        return f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if not url.hostname:
        return "has no host"
    if url.username is not None or url.password is not None:
        return "holds user information"
    if url.query or url.fragment or "?" in text or "#" in text:
        return "has a query or fragment"
    if not path and url.path not in ("", "/"):
        return "has a path"
    return None


def _check_listeners(config: Config) -> Iterator[Finding]:
    places: dict[str, tuple[str, int]] = {}
    for key, text in (("server.listen", config.server.listen), ("admin.listen", config.admin.listen)):
        try:
            places[key] = parse_listen(text)
        except ValueError as fault:
            yield error(key, str(fault), "Write address:port.")
    public, admin = places.get("server.listen"), places.get("admin.listen")
    if public is not None and public == admin and public[1] != 0:
        yield error("admin.listen", "is the public listener's own address", "Use another port for the admin listener.")
    if admin is not None and not is_loopback(admin[0]) and config.admin.token is None:
        yield error(
            "admin.token", f"is missing, and the admin listener is reachable at {config.admin.listen}",
            "Set admin.token to a secret reference, or listen on 127.0.0.1.",
        )  # fmt: skip
    if public is not None and config.dev and not is_loopback(public[0]):
        yield high(
            "dev", f"is true, and the gateway is reachable at {config.server.listen}",
            "Set dev = false, and give secrets by reference.",
        )  # fmt: skip
    if isinstance(config.server.workers, int) and config.server.workers < 1:
        yield error("server.workers", "must be at least 1", 'Write a number of 1 or more, or "auto".')
    if isinstance(config.server.workers, int) and config.server.workers > MAX_WORKERS:
        yield error("server.workers", f"must be at most {MAX_WORKERS}", "Use further nodes that share the store.")


def _check_public_url(config: Config) -> Iterator[Finding]:
    key, text = "server.public_url", config.server.public_url
    if not text:
        if config.oidc.clients:
            yield error(
                key, "is missing, and is the issuer of the OpenID provider", "Write https://... as browsers see it."
            )
        elif not config.dev:
            yield warning(key, "is missing", "Write https://... as browsers see it; snippets and the CSP need it.")
        return
    if (fault := url_fault(text, ("https", "http"))) is not None:
        yield error(key, fault, "Write scheme, host and port only, for example https://chat.shop.example.")
    elif text.endswith("/"):
        yield error(key, "ends with a slash; an issuer is compared byte for byte", "Leave the slash away.")
    elif text.startswith("http:") and not config.dev:
        yield error(key, "is plain http", "Write the https address; plain http only with dev = true.")


def _check_proxies(config: Config) -> Iterator[Finding]:
    for index, text in enumerate(config.server.trusted_proxies):
        key = f"server.trusted_proxies[{index}]"
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            yield error(key, f"is not a network: {text!r}", "Write for example 10.0.0.0/8; host bits must be zero.")
            continue
        if network.prefixlen == 0:
            yield high(key, "believes every client's X-Forwarded-For", "List the networks of your balancers only.")


def _check_tls(config: Config, directory: Path) -> Iterator[Finding]:
    tls = config.server.tls
    if tls is None:
        return
    missing = False
    for key, text in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            (directory / text).read_bytes()
        except OSError as fault:
            missing = True
            yield error(f"server.tls.{key}", f"cannot be read: {fault.strerror}", "Give a PEM file that we may read.")
    if missing:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(directory / tls.certificate, directory / tls.key)
    except (ssl.SSLError, OSError):
        yield error(
            "server.tls", "certificate and key are no pair, or not PEM", "Give the chain and its own private key."
        )


def _check_store(config: Config, sources: Sources) -> Iterator[Finding]:
    try:
        text = sources.secrets.read(config.store.url).reveal() if "://" not in config.store.url else config.store.url
    except SecretUnreadable:
        return  # check_secrets says so
    url = urlsplit(text)
    if url.scheme not in _STORE_SCHEMES:
        yield error("store.url", "names no kind of store", "Write memory://, redis://, rediss:// or redis+sentinel://.")
        return
    if url.scheme == "memory":
        if config.server.workers != 1:
            yield error(
                "store.url", "is memory://, which several workers cannot share",
                "Use one worker, or a redis:// store.",
            )  # fmt: skip
        elif not config.dev:
            yield info("store.url", "is memory://: sessions end when the process does", "Use redis:// for more nodes.")
        return
    if "://" in config.store.url and url.password and not config.dev:
        yield error(
            "store.url", "holds a password in plain text", "Give the whole URL by reference: env:, file: or exec:."
        )
    if url.scheme == "redis" and not config.dev and not is_loopback(url.hostname or ""):
        yield warning(
            "store.url", "reaches the store without TLS", "Use rediss:// where the network is not yours alone."
        )
