"""How a page embeds a site's chat, and what its Content-Security-Policy must allow: tags and headers as text.

Leaves the script to `scripts.py` and printing to the command line. The rule: what is printed is exactly what is served
and needed, digests included; nothing is allowed "to be safe".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.app.scripts import render_scripts, static_dir
from gateway.config.compile import Compiled
from gateway.policy.sites import PREFIX
from gateway.web.assets import Assets

NONCE: Final = "{NONCE}"
"""Stands for the page's own nonce, a fresh one for each answer."""
ZENDESK_ENTRIES: Final = (
    ("script-src", ("https://*.zdassets.com", "https://*.zendesk.com", "https://*.smooch.io")),
    (
        "connect-src",
        (
            "https://*.zdassets.com",
            "https://*.zendesk.com",
            "https://*.smooch.io",
            "wss://*.smooch.io",
            "wss://widget-mediator.zopim.com",
        ),
    ),
    ("img-src", ("https://*.zdassets.com", "https://*.zendesk.com", "https://*.smooch.io")),
)
"""What Zendesk's widgets needed, and nothing of ours does."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way to embed: its name, what it is for, and the tag."""

    name: str
    meaning: str
    tag: str


def snippets(compiled: Compiled, site: str) -> tuple[Snippet, ...]:
    """The ways to embed a site's chat; `server.public_url` must be set."""
    assets = Assets(static_dir())
    render_scripts(compiled, assets)
    root = compiled.config.server.public_url
    src = f"{root}/{PREFIX}/{site}/widget.js"
    pinned, integrity = assets.pinned_script(site)
    client = assets.payload_settings()["client"]
    return (
        Snippet("plain", "Settings may change without touching the page.", f'<script async src="{src}"></script>'),
        Snippet(
            "zendesk",
            "In the place of Zendesk's tag, not async, as theirs: zE is there for all code that follows.",
            f'<script id="ze-snippet" src="{src}"></script>',
        ),
        Snippet(
            "nonce",
            "Under a strict Content-Security-Policy: the page's nonce, which the script hands on.",
            f'<script async nonce="{NONCE}" src="{src}"></script>',
        ),
        Snippet(
            "pinned",
            "With the digest of today's script (SRI). Another version or other settings are another name and digest: "
            "then this tag must be changed, for a node that starts with them no longer serves the old name.",
            f'<script async src="{root}{pinned}" integrity="{integrity}" crossorigin="anonymous"></script>',
        ),
        Snippet(
            "consent",
            "Nothing is loaded or stored before window.gateway.consent(true).",
            f'<script async src="{src}" data-consent="required"></script>',
        ),
        Snippet(
            "lazy",
            "Nothing more than this is loaded before the visitor moves, types or calls.",
            f'<script async src="{src}" data-lazy></script>',
        ),
        Snippet(
            "module",
            "The chat client alone, for a page that draws its own chat (mode proxied; types: client.d.ts).",
            f'<link rel="modulepreload" href="{root}{client["url"]}" integrity="{client["integrity"]}" '
            'crossorigin="anonymous">',
        ),
    )


def csp(compiled: Compiled, site: str, *, strict: bool) -> Mapping[str, tuple[str, ...]]:
    """What the pages of a site must allow, by directive. `strict`: by nonce and 'strict-dynamic', not by host."""
    root = compiled.config.server.public_url
    socket = "ws" + root.removeprefix("http")
    rules, hosts = compiled.sites[site].rules, compiled.hosts_of_site(site)
    theirs = hosts.csp_hosts
    scripts: tuple[str, ...] = (f"'nonce-{NONCE}'", "'strict-dynamic'") if strict else (root,)
    # Files go from the page straight to the place that Genesys signs for them.
    uploads = tuple(entry for entry in theirs.connect_src if _is_upload(entry))
    if rules.mode == "proxied":
        return {
            "script-src": scripts,
            "connect-src": (root, socket, *uploads),
            "img-src": (root, *theirs.img_src, *uploads),
        } | ({"trusted-types": ("gateway",), "require-trusted-types-for": ("'script'",)} if strict else {})
    return {
        "script-src": scripts if strict else (root, *theirs.script_src),
        "connect-src": (root, *theirs.connect_src),
        "frame-src": theirs.frame_src,
        "img-src": theirs.img_src,
        "media-src": theirs.media_src,
    } | ({"trusted-types": ("gateway",)} if strict else {})


def header(directives: Mapping[str, tuple[str, ...]]) -> str:
    """The value of the Content-Security-Policy header."""
    return "; ".join(" ".join((name, *dict.fromkeys(values))) for name, values in directives.items())


def _is_upload(entry: str) -> bool:
    return (urlsplit(entry).hostname or "").endswith(".amazonaws.com")
