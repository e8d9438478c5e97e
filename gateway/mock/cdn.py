"""The CDN: `config.json` and `domains.json` of each deployment, public, with CORS `*` even on errors.

An unknown deployment is a 403 with XML from the object store, as measured at Genesys, not a 404.
"""

from __future__ import annotations

from aiohttp import web

from gateway.mock.listener import watched
from gateway.mock.model import Deployment, Json
from gateway.mock.world import World

_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


def cdn_app(world: World) -> web.Application:
    """Return the CDN listener of a world."""
    app = web.Application(middlewares=[watched(world, "cdn", cors=False)])
    views = {"config.json": config_json, "domains.json": domains_json}

    async def file(request: web.Request) -> web.Response:
        deployment = world.deployments.get(request.match_info["deployment_id"])
        view = views.get(request.match_info["name"])
        if deployment is None or view is None:
            return _open(web.Response(status=403, text=_DENIED, content_type="application/xml"))
        return _open(web.json_response(view(world, deployment)))

    async def elsewhere(request: web.Request) -> web.Response:
        return _open(web.Response(status=403, text=_DENIED, content_type="application/xml"))

    app.router.add_get("/webdeployments/v1/deployments/{deployment_id}/{name}", file)
    app.router.add_route("*", "/{path:.*}", elsewhere)
    return app


def domains_json(world: World, deployment: Deployment) -> Json:
    """Return what the browser script reads first: who may embed the deployment."""
    return {"allowAllDomains": deployment.allow_all_domains, "allowedDomains": list(deployment.allowed_domains)}


def config_json(world: World, deployment: Deployment) -> Json:
    """Return the configuration as clients read it, with this mock's own addresses."""
    disconnect: Json = {"enabled": False}
    if deployment.conversation_disconnect is not None:
        disconnect = {"enabled": True, "type": deployment.conversation_disconnect}
    conversations = {
        "messagingEndpoint": world.endpoints.webmessaging,
        "showAgentTypingIndicator": deployment.agent_typing,
        "showUserTypingIndicator": deployment.user_typing,
        "autoStart": {"enabled": deployment.auto_start},
        "conversationDisconnect": disconnect,
        "conversationClear": {"enabled": deployment.conversation_clear},
        "markdown": {"enabled": False},
        "sessionDurationSeconds": deployment.session_duration_s,
    }
    modes = [{"fileTypes": deployment.file_types, "maxFileSizeKB": world.sizes["upload_bytes"] // 1024}]
    return {
        "mock": "this configuration comes from the gateway's mock, not from Genesys Cloud",
        "id": deployment.id,
        "version": "1",
        "languages": ["en-us"],
        "defaultLanguage": "en-us",
        "apiEndpoint": world.endpoints.api,
        "status": deployment.status,
        "headlessMode": {"enabled": False},
        "messenger": {
            "enabled": True,
            "apps": {"conversations": conversations},
            "fileUpload": {"enableAttachments": deployment.uploads, "modes": modes},
            "styles": {"primaryColor": "#b3003c"},
            "launcherButton": {"visibility": "On"},
            "position": {"alignment": "right"},
        },
        "journeyEvents": {"enabled": False},
        "auth": {"enabled": deployment.auth_enabled, "allowSessionUpgrade": deployment.allow_session_upgrade},
        "cobrowse": {"enabled": False},
    }


def _open(response: web.Response) -> web.Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
