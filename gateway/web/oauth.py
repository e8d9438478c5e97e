"""The OAuth endpoints as HTTP: form bytes in, the provider's answer out. What is granted is the provider's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from gateway.provider.answers import Asked, OAuthAnswer
from gateway.provider.endpoint import TokenEndpoint
from gateway.web.exchange import Exchange

MAX_FORM_BYTES: Final = 16_384


class OAuth:
    """The handler of `oauth_token`."""

    def __init__(self, endpoint: Callable[[], TokenEndpoint], clock: Callable[[], float]) -> None:
        """`endpoint`: that of the configuration in force."""
        self._endpoint = endpoint
        self._clock = clock

    async def token(self, exchange: Exchange) -> web.StreamResponse:
        """POST /oauth/token and /login/oauth/token."""
        body = await exchange.body(MAX_FORM_BYTES)
        headers = exchange.request.headers
        answer = await self._endpoint().answer(
            headers.get("Content-Type"), body, headers.get("Authorization"), self._asked(exchange)
        )
        return oauth_answer(exchange, answer)

    def _asked(self, exchange: Exchange) -> Asked:
        trail = exchange.trail
        return Asked(self._clock(), trail.request_id, trail.client_ip)


def oauth_answer(exchange: Exchange, answer: OAuthAnswer) -> web.StreamResponse:
    """The provider's answer as an HTTP answer."""
    if answer.body is None:
        return exchange.answer(answer.status, headers=answer.headers)
    return exchange.json_answer(answer.status, answer.body, answer.headers)
