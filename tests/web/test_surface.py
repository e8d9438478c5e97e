"""The public surface as a table: each path of the design finds its row, everything else is nothing."""

from __future__ import annotations

import pytest

from gateway.errors import Refusal
from gateway.observe.metrics_table import ROUTES
from gateway.web.surface import SURFACES, find_surface

CONVERSATION = "4c9a1b7e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("path", "below_site", "name"),
    [
        ("widget.js", True, "widget"),
        ("session", True, "session"),
        ("ticket", True, "ticket"),
        ("auth-code", True, "auth_code"),
        ("beacon", True, "beacon"),
        ("origin", True, "origin"),
        ("v1", True, "websocket"),
        ("v1", False, "websocket"),
        (f"api/v2/conversations/{CONVERSATION}", True, "rest_proxy"),
        ("api/v2/webmessaging/messages", False, "rest_proxy"),
        ("static/client.0123456789abcdef.js", False, "static"),
        ("oauth/token", False, "oauth_token"),
        ("login/oauth/token", False, "oauth_token"),
        (".well-known/openid-configuration", False, "oidc"),
        ("oauth/authorize", False, "oidc"),
        ("oauth/jwks.json", False, "oidc"),
        ("oauth/userinfo", False, "oidc"),
        ("oauth/revoke", False, "oidc"),
    ],
)
def test_each_path_of_the_design_is_served(path: str, below_site: bool, name: str) -> None:
    assert find_surface(tuple(path.split("/")), below_site=below_site).name == name


@pytest.mark.parametrize(
    ("path", "below_site"),
    [
        ("", False),
        ("", True),
        ("api", False),
        ("api/v2", False),
        ("api/v1/conversations", False),
        ("healthz", False),
        ("metrics", False),
        ("console", False),
        ("static", False),
        ("static/a/b", False),
        ("static/client.js", True),
        ("oauth/token", True),
        ("session/more", True),
        ("v1/more", True),
    ],
)
def test_everything_else_is_nothing(path: str, below_site: bool) -> None:
    with pytest.raises(Refusal) as refused:
        find_surface(tuple(path.split("/")) if path else (), below_site=below_site)
    assert refused.value.code == "request.not_found"


def test_every_row_is_a_value_of_the_route_label() -> None:
    assert {row.name for row in SURFACES} <= set(ROUTES)
