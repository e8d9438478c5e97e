"""What pages load: the init script of each site, and immutable payloads under names that hold their hash.

Everything is read and hashed once, at start, and compressed once, when first asked for; a request only picks bytes.
The rule: nothing of a request ever gets into a script, so that one cached copy is right for everybody (no cache
poisoning, no reflection).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import brotli

SETTINGS_MARKER: Final = "{} /* site settings */"
"""The last argument of the script's function; it stands in static/widget.js exactly once."""
PARTS_MARKER: Final = b"{} /* parts */"
"""In a payload: becomes the address and digest of every module that it imports, so that it can check them."""
PAYLOADS: Final = {
    "client": "client.js",
    "proxied": "proxied.js",
    "messenger": "messenger.js",
    "shim": "shim.js",
    "split": "split.js",
}
MEDIA_TYPES: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ts": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
HASH_CHARS: Final = 16
COMPRESSED_KEPT: Final = 4_096
"""Compressed forms that are kept: one per site and payload, whatever is asked for."""
_IMPORT: Final = re.compile(rb"""(\bfrom\s*["']\./|\bimport\(?\s*["']\./)([a-z0-9_-]+\.js)(["'])""")
"""A static or dynamic import of a neighbour: the file name stands between a quote and `./`."""
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One representation set: the bytes plain, gzipped and by brotli, with validators and the SRI digest."""

    body: bytes
    etag: str
    media_type: str
    integrity: str

    @property
    def gzip(self) -> bytes:
        """The bytes gzipped, once: when first asked for, so that a start does not wait for what nobody may want."""
        return _gzipped(self.body)

    @property
    def brotli(self) -> bytes:
        """The bytes by brotli, once, as above."""
        return _by_brotli(self.body)

    def encoded(self, accept_encoding: str) -> tuple[bytes, str | None]:
        """The smallest representation that the Accept-Encoding header admits, and its Content-Encoding."""
        admitted = _codings(accept_encoding)
        if "br" in admitted:
            return self.brotli, "br"
        if "gzip" in admitted:
            return self.gzip, "gzip"
        return self.body, None


def _codings(accept_encoding: str) -> set[str]:
    """The content codings that the header names with a weight above zero (RFC 9110 section 12.5.3)."""
    found = set()
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        weight = parameters.strip().removeprefix("q=") or "1"
        if coding and weight.replace(".", "", 1).isdigit() and float(weight) > 0:
            found.add(coding.strip())
    return found


@lru_cache(maxsize=COMPRESSED_KEPT)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)


@lru_cache(maxsize=COMPRESSED_KEPT)
def _by_brotli(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=11))


def make_asset(body: bytes, media_type: str) -> Asset:
    """Hash once."""
    digest = hashlib.sha256(body).hexdigest()
    sri = base64.b64encode(hashlib.sha384(body).digest()).decode()
    return Asset(
        body=body,
        etag=f'"{digest[:32]}"',
        media_type=media_type,
        integrity=f"sha384-{sri}",
    )


def script_json(value: object) -> str:
    """JSON that is harmless anywhere in a script, also inside an HTML page."""
    text = json.dumps(value, ensure_ascii=False, separators=(", ", ": "), sort_keys=True)
    return "".join(_ESCAPES.get(character, character) for character in text)


def hashed_name(file_name: str, body: bytes) -> str:
    """client.js becomes client.<16 hex>.js."""
    stem, _, extension = file_name.partition(".")
    return f"{stem}.{hashlib.sha256(body).hexdigest()[:HASH_CHARS]}.{extension}"


class Assets:
    """Every script and payload that this process serves."""

    def __init__(self, static_dir: Path) -> None:
        """Read `static_dir`. Raises FileNotFoundError when widget.js or a payload is missing."""
        self._template = (static_dir / "widget.js").read_text(encoding="utf-8")
        if self._template.count(SETTINGS_MARKER) != 1:
            raise ValueError(f"static/widget.js must hold {SETTINGS_MARKER!r} exactly once")
        self.payloads: dict[str, Asset] = {}
        self.payload_names: dict[str, str] = {}
        self._sources = {
            path.name: path.read_bytes()
            for path in sorted(static_dir.glob("*.*"))
            if path.suffix in MEDIA_TYPES and path.name != "widget.js"
        }
        self._imported: dict[str, tuple[str, ...]] = {}
        for name in self._sources:
            self._enter(name, ())
        self.scripts: dict[str, Asset] = {}

    def _enter(self, name: str, importers: tuple[str, ...]) -> str:
        """Enter a payload after those that it imports, whose hashed names it then holds: its own hash covers theirs."""
        if name in self.payload_names:
            return self.payload_names[name]
        if name in importers:
            raise ValueError(f"static/{name} imports itself, by {' and '.join(importers)}")
        body = self._sources[name]
        if name.endswith(".js"):
            neighbours = dict.fromkeys(found[1].decode() for found in _IMPORT.findall(body))
            hashed_names = {each: self._enter(each, (*importers, name)) for each in neighbours}
            self._imported[name] = tuple(
                dict.fromkeys(part for each in neighbours for part in (each, *self._imported[each]))
            )
            body = _IMPORT.sub(lambda found: found[1] + hashed_names[found[2].decode()].encode() + found[3], body)
            body = body.replace(PARTS_MARKER, script_json(self._parts_of(name)).encode())
        hashed = hashed_name(name, body)
        self.payloads[hashed] = make_asset(body, MEDIA_TYPES[Path(name).suffix])
        self.payload_names[name] = hashed
        return hashed

    def _parts_of(self, name: str) -> dict[str, str]:
        """Address and digest of every module that this one imports, at any depth."""
        hashed_names = [self.payload_names[part] for part in self._imported[name]]
        return {f"/static/{hashed}": self.payloads[hashed].integrity for hashed in hashed_names}

    def payload_settings(self) -> dict[str, dict[str, str]]:
        """What the init script must know of the payloads that it loads: address and SRI digest."""
        return {
            key: {
                "url": f"/static/{self.payload_names[file_name]}",
                "integrity": self.payloads[self.payload_names[file_name]].integrity,
            }
            for key, file_name in PAYLOADS.items()
        }

    def render_script(self, site: str, settings: Mapping[str, object]) -> Asset:
        """Render and keep the init script of one site."""
        text = self._template.replace(SETTINGS_MARKER, script_json(settings))
        self.scripts[site] = script = make_asset(text.encode(), MEDIA_TYPES[".js"])
        self.payloads[self._pinned_name(site, script)] = script
        return script

    def pinned_script(self, site: str) -> tuple[str, str]:
        """The address under which today's script of a site never changes, and its SRI digest."""
        script = self.scripts[site]
        return f"/static/{self._pinned_name(site, script)}", script.integrity

    @staticmethod
    def _pinned_name(site: str, script: Asset) -> str:
        return hashed_name(f"widget-{site}.js", script.body)
