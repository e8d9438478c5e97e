"""The token endpoint for servers: client_credentials, token exchange, and how each mistake is answered."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from gateway import errors
from gateway.errors import Reason, Refusal
from gateway.policy.oauth_forms import FORM_TYPE, Credentials, Form
from gateway.provider.answers import Asked, OAuthAnswer
from gateway.provider.backends import Backends
from gateway.provider.endpoint import TOKEN_EXCHANGE, TYPE_ACCESS, TYPE_JWT, TokenEndpoint
from gateway.provider.records import Records
from gateway.store.base import Store
from tests.provider.parts import ANNA, NOW, Desk, Entropy, Trail, backend

KEY = "servicenow-key"
HEADER = "Basic " + base64.b64encode(f"servicenow-id:{KEY}".encode()).decode()


class Desktop:
    """A token endpoint with its parts in reach."""

    def __init__(self, store: Store, entropy: Entropy, trail: Trail) -> None:
        self.backends = Backends(
            [backend("servicenow", KEY), backend("crm", "crm-key", sites=frozenset({"shop", "blog"}))], store, entropy
        )
        self.desk = Desk()
        self.trail = trail
        self.counted: list[str] = []
        self.asked = Asked(NOW, "request-1", "192.0.2.7")
        self.endpoint = TokenEndpoint(
            self.backends, self.desk, Records(trail, self.counted.append), {"password_like": self._other}
        )

    async def _other(self, form: Form, credentials: Credentials, asked: Asked) -> OAuthAnswer:
        return OAuthAnswer(200, {"client": credentials.client_id})

    async def post(self, form: Mapping[str, str], authorization: str | None = HEADER) -> OAuthAnswer:
        return await self.endpoint.answer(FORM_TYPE, urlencode(form).encode(), authorization, self.asked)

    async def refused(self, form: Mapping[str, str], authorization: str | None = HEADER) -> Reason:
        with pytest.raises(Refusal) as caught:
            await self.post(form, authorization)
        return caught.value.reason


@pytest.fixture
def bench(store: Store, entropy: Entropy, trail: Trail) -> Desktop:
    return Desktop(store, entropy, trail)


CLIENT = {"grant_type": "client_credentials"}
EXCHANGE = {"grant_type": TOKEN_EXCHANGE, "subject_token": "visitor.jwt.token", "subject_token_type": TYPE_JWT}


async def test_a_backend_gets_a_handle_in_the_shape_of_genesys(bench: Desktop) -> None:
    answer = await bench.post(CLIENT)
    assert answer.status == 200
    assert answer.body is not None
    assert set(answer.body) == {"access_token", "token_type", "expires_in"}
    assert (answer.body["token_type"], answer.body["expires_in"]) == ("bearer", 900)
    assert (await bench.backends.identify(str(answer.body["access_token"]), NOW)).name == "servicenow"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_credentials_may_come_in_the_body(bench: Desktop) -> None:
    answer = await bench.post(CLIENT | {"client_id": "servicenow-id", "client_secret": KEY}, None)
    assert answer.status == 200


async def test_what_old_integrations_send_is_named_in_warnings(bench: Desktop) -> None:
    answer = await bench.post(CLIENT | {"scope": "webchat:guest:write", "audience": "x", "redirect_uri": "y"})
    assert answer.body is not None
    warnings = answer.body["warnings"]
    assert isinstance(warnings, list)
    assert [warning.split()[0] for warning in warnings] == ["scope", "audience", "redirect_uri"]


async def test_a_handle_is_recorded_and_counted_before_it_is_given(bench: Desktop) -> None:
    answer = await bench.post(CLIENT)
    assert answer.body is not None
    assert bench.trail.actions() == ["token.minted"]
    fields = bench.trail.records[0].fields
    assert fields["gateway.backend"] == fields["gateway.token.client"] == "servicenow"
    assert fields["client.ip"] == "192.0.2.0"
    assert fields["http.request.id"] == "request-1"
    assert str(answer.body["access_token"]) not in repr(bench.trail.records)
    assert bench.counted == ["backend_handle"]
    assert bench.asked.client == "servicenow"


async def test_a_handle_that_cannot_be_recorded_is_not_given(bench: Desktop) -> None:
    bench.trail.failure = Refusal(errors.AUDIT_UNAVAILABLE)
    assert await bench.refused(CLIENT) is errors.AUDIT_UNAVAILABLE
    assert bench.counted == []


async def test_an_answer_shows_no_token(bench: Desktop) -> None:
    assert "gwb_" not in repr(await bench.post(CLIENT))


@pytest.mark.parametrize(
    ("form", "authorization", "reason"),
    [
        ({}, HEADER, errors.OAUTH_REQUEST),
        ({"grant_type": "password"}, HEADER, errors.GRANT_UNSUPPORTED),
        ({"grant_type": "implicit"}, None, errors.GRANT_UNSUPPORTED),
        (CLIENT, None, errors.CLIENT_INVALID),
        (CLIENT, HEADER.replace("Basic", "Bearer"), errors.CLIENT_INVALID),
        (CLIENT, "Basic " + base64.b64encode(b"servicenow-id:wrong").decode(), errors.BACKEND_INVALID),
        (CLIENT | {"client_secret": KEY}, HEADER, errors.OAUTH_REQUEST),
        (EXCHANGE, "Basic " + base64.b64encode(b"servicenow-id:wrong").decode(), errors.BACKEND_INVALID),
        (EXCHANGE | {"subject_token_type": TYPE_ACCESS}, HEADER, errors.OAUTH_REQUEST),
        (EXCHANGE | {"requested_token_type": TYPE_JWT}, HEADER, errors.OAUTH_REQUEST),
        (EXCHANGE | {"actor_token": "x"}, HEADER, errors.OAUTH_REQUEST),
        (EXCHANGE | {"subject_token": ""}, HEADER, errors.OAUTH_REQUEST),
        (EXCHANGE | {"resource": "https://x"}, HEADER, errors.TARGET_INVALID),
        (EXCHANGE | {"audience": "blog"}, HEADER, errors.TARGET_INVALID),
        (EXCHANGE, "Basic " + base64.b64encode(b"crm-id:crm-key").decode(), errors.TARGET_INVALID),
    ],
)
async def test_each_mistake_has_its_reason(
    bench: Desktop, form: dict[str, str], authorization: str | None, reason: Reason
) -> None:
    assert await bench.refused(form, authorization) is reason
    assert bench.trail.records == []
    assert bench.desk.asked == []


async def test_the_client_proves_itself_before_anything_else_is_looked_at(bench: Desktop) -> None:
    wrong = "Basic " + base64.b64encode(b"servicenow-id:wrong").decode()
    assert await bench.refused({"grant_type": TOKEN_EXCHANGE}, wrong) is errors.BACKEND_INVALID


async def test_a_visitor_token_is_exchanged_for_a_guest_handle(bench: Desktop) -> None:
    answer = await bench.post(EXCHANGE)
    assert answer.body == {
        "access_token": "gws_handle",
        "issued_token_type": TYPE_ACCESS,
        "token_type": "Bearer",
        "expires_in": 900,
        "organization_id": "org-id",
        "region": "eu-west-1",
        "deployment_id": "deployment-id",
        "guest": {"id": ANNA.sub, "verified": True},
    }
    assert bench.desk.asked == [("shop", "visitor.jwt.token")]


async def test_audience_chooses_among_the_backends_sites(bench: Desktop) -> None:
    crm = "Basic " + base64.b64encode(b"crm-id:crm-key").decode()
    await bench.post(EXCHANGE | {"audience": "blog"}, crm)
    assert bench.desk.asked == [("blog", "visitor.jwt.token")]


async def test_a_refused_visitor_token_is_refused_as_such(bench: Desktop) -> None:
    bench.desk.refusal = Refusal(errors.VISITOR_EXPIRED)
    assert await bench.refused(EXCHANGE) is errors.VISITOR_EXPIRED


async def test_further_grants_are_entered_by_name(bench: Desktop) -> None:
    assert (await bench.post({"grant_type": "password_like"})).body == {"client": "servicenow-id"}
