"""The example pages of static/examples, served by the demo shop: one small page for each way to embed the chat.

Leaves the shop to `shop.py`. The rule: a page is shown as it stands in the file, with addresses filled in; React comes
from its package in .cache/npm, or the page says how to get it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

EXAMPLES: Final = {
    "plain": "A plain page with Zendesk's calls",
    "strict-csp": "A page under a strict Content-Security-Policy",
    "consent": "A page with a consent manager",
    "single-page": "A single-page application",
    "react": "A React page with a chat of its own",
}
STRICT: Final = frozenset({"strict-csp"})
"""Examples that are served with the shop's own strict policy."""
VENDOR: Final = {
    "react.production.min.js": "react/umd",
    "react-dom.production.min.js": "react-dom/umd",
}
_STYLE: Final = "body { max-width: 44rem; margin: 3rem auto; padding: 0 1.5rem; font: 17px/1.8 system-ui, sans-serif }"
_PACKAGE: Final = Path(__file__).resolve().parent.parent
NODE_MODULES: Final = _PACKAGE.parent / ".cache" / "npm" / "node_modules"


def example_page(name: str, values: Mapping[str, str]) -> str:
    """The page with its addresses filled in. Raises KeyError for a name that is no example."""
    if name not in EXAMPLES:
        raise KeyError(name)
    packed = _PACKAGE / "static" / "examples" / f"{name}.html"
    path = packed if packed.is_file() else _PACKAGE.parent / "static" / "examples" / f"{name}.html"
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", html.escape(value))
    return text


def index_page() -> str:
    """A list of links to the examples."""
    links = "".join(f'<li><a href="/examples/{name}">{html.escape(title)}</a></li>' for name, title in EXAMPLES.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Examples</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head>"
        "<body><h1>Examples</h1><p>Small pages, one for each way to embed the chat. "
        '<a href="/">Back to the shop</a></p>'
        f"<ul>{links}</ul></body></html>"
    )


async def vendor_file(request: web.Request) -> web.StreamResponse:
    """GET /examples/vendor/{file}: a file of React's packages, when `make examples` has fetched them."""
    name = request.match_info["file"]
    path = NODE_MODULES / VENDOR.get(name, "") / name
    if name not in VENDOR or not path.is_file():
        return web.Response(status=404, text="make examples fetches React's packages\n")
    return web.FileResponse(path, headers={"Content-Type": "text/javascript; charset=utf-8"})
