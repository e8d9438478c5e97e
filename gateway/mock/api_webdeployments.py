"""Platform operations about web deployments and their configurations, as an administrator's client reads them."""

from __future__ import annotations

from aiohttp import web

from gateway.mock.api_call import Call, Handler, listing, reply
from gateway.mock.cdn import config_json
from gateway.mock.clock import iso_time
from gateway.mock.model import Deployment, Json
from gateway.mock.platform_error import PlatformError


def _configuration_id(deployment: Deployment) -> str:
    return deployment.id[:-12] + "c0f100000000"


def _view(deployment: Deployment) -> Json:
    return {
        "id": deployment.id,
        "name": deployment.name,
        "status": deployment.status,
        "allowAllDomains": deployment.allow_all_domains,
        "allowedDomains": list(deployment.allowed_domains),
        "configuration": {"id": _configuration_id(deployment), "version": "1"},
        "flow": {"id": f"flow-{deployment.id}", "name": "Inbound message"},
        "selfUri": f"/api/v2/webdeployments/deployments/{deployment.id}",
    }


def _configuration(call: Call, deployment: Deployment) -> Json:
    public = config_json(call.world, deployment)
    return {
        "id": _configuration_id(deployment),
        "name": f"{deployment.name} configuration",
        "version": public["version"],
        "status": deployment.status,
        "languages": public["languages"],
        "defaultLanguage": public["defaultLanguage"],
        "messenger": public["messenger"],
        "headlessMode": public["headlessMode"],
        "authenticationSettings": {
            "enabled": deployment.auth_enabled,
            "integrationId": f"oidc-{deployment.id}" if deployment.auth_enabled else None,
            "allowSessionUpgrade": deployment.allow_session_upgrade,
        },
        "datePublished": iso_time(0),
    }


def _deployment(call: Call) -> Deployment:
    deployment = call.world.deployments.get(call.params["deploymentId"])
    if deployment is None:
        raise PlatformError("not.found")
    return deployment


def _by_configuration(call: Call) -> Deployment:
    for deployment in call.world.deployments.values():
        if _configuration_id(deployment) == call.params["configurationId"]:
            return deployment
    raise PlatformError("not.found")


async def list_deployments(call: Call) -> web.Response:
    """`GET webdeployments/deployments`."""
    views = [_view(one) for one in call.world.deployments.values()]
    return reply(listing(views, *call.page(), call.request.path))


async def get_deployment(call: Call) -> web.Response:
    """`GET webdeployments/deployments/{deploymentId}`."""
    return reply(_view(_deployment(call)))


async def put_deployment(call: Call) -> web.Response:
    """`PUT webdeployments/deployments/{deploymentId}`: status and allowed domains take effect at once."""
    body = await call.body()
    deployment = _deployment(call)
    domains, everyone = body.get("allowedDomains", []), body.get("allowAllDomains", False)
    if not isinstance(domains, list) or not isinstance(everyone, bool) or (everyone and domains):
        reason = "must be empty when all domains are allowed"
        raise PlatformError("constraint.validation", {"field": "allowedDomains", "reason": reason})
    deployment.name = str(body.get("name", deployment.name))
    deployment.status = str(body.get("status", deployment.status))
    deployment.allowed_domains, deployment.allow_all_domains = [str(one) for one in domains], everyone
    return reply(_view(deployment))


async def get_active_configuration(call: Call) -> web.Response:
    """`GET webdeployments/deployments/{deploymentId}/configurations`."""
    return reply(_configuration(call, _deployment(call)))


async def list_configurations(call: Call) -> web.Response:
    """`GET webdeployments/configurations`."""
    views = [_configuration(call, one) for one in call.world.deployments.values()]
    return reply(listing(views, *call.page(), call.request.path))


async def get_configuration(call: Call) -> web.Response:
    """`GET webdeployments/configurations/{configurationId}/versions/{versionId}` (and `draft`)."""
    deployment = _by_configuration(call)
    if call.params.get("versionId", "draft") not in ("draft", "1"):
        raise PlatformError("not.found")
    return reply(_configuration(call, deployment))


async def get_identity_resolution(call: Call) -> web.Response:
    """`GET .../identityresolution`: whether sign-ins are linked to contacts."""
    return reply({"resolveIdentities": _deployment(call).resolve_identities})


async def put_identity_resolution(call: Call) -> web.Response:
    """`PUT .../identityresolution` {resolveIdentities}."""
    body = await call.body()
    if not isinstance(body.get("resolveIdentities"), bool):
        raise PlatformError("constraint.validation", {"field": "resolveIdentities", "reason": "must be a boolean"})
    _deployment(call).resolve_identities = body["resolveIdentities"]
    return await get_identity_resolution(call)


_CONFIGURATIONS = "/api/v2/webdeployments/configurations"
_DEPLOYMENTS = "/api/v2/webdeployments/deployments"
HANDLERS: dict[str, Handler] = {
    f"GET {_DEPLOYMENTS}": list_deployments,
    f"GET {_DEPLOYMENTS}/{{deploymentId}}": get_deployment,
    f"PUT {_DEPLOYMENTS}/{{deploymentId}}": put_deployment,
    f"GET {_DEPLOYMENTS}/{{deploymentId}}/configurations": get_active_configuration,
    f"GET {_DEPLOYMENTS}/{{deploymentId}}/identityresolution": get_identity_resolution,
    f"PUT {_DEPLOYMENTS}/{{deploymentId}}/identityresolution": put_identity_resolution,
    f"GET {_CONFIGURATIONS}": list_configurations,
    f"GET {_CONFIGURATIONS}/{{configurationId}}/versions/draft": get_configuration,
    f"GET {_CONFIGURATIONS}/{{configurationId}}/versions/{{versionId}}": get_configuration,
}
