"""The apps host: a labelled stand-in for `genesys-bootstrap/genesys.min.js` with this mock's addresses in it.

The script speaks enough of the `Genesys()` dispatcher for an init script to be tried against it in a browser.
"""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

from gateway.mock.listener import watched
from gateway.mock.world import World

_SCRIPT = Path(__file__).resolve().parent / "assets" / "genesys-standin.js"


def apps_app(world: World) -> web.Application:
    """Return the apps listener of a world; raises OSError when the script is not in the package."""
    app = web.Application(middlewares=[watched(world, "apps", cors=False)])
    source = _SCRIPT.read_text(encoding="utf-8")

    async def script(request: web.Request) -> web.Response:
        hosts = json.dumps({"cdn": world.endpoints.cdn, "api": world.endpoints.api})
        text = source.replace("__MOCK_HOSTS__", hosts)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return web.Response(text=text, content_type="application/javascript", headers=headers)

    app.router.add_get("/genesys-bootstrap/genesys.min.js", script)
    return app
