"""Drift of one client: what is read is compared, what cannot be read is not proved. The rest: tests/cli."""

from __future__ import annotations

from gateway.app.client_drift import Drift, RoleReader, find_drift
from gateway.config.client_plan import ClientPlan
from gateway.config.secrets import Secret
from gateway.mock.model import Client
from gateway.mock.model import Secret as MockSecret
from gateway.mock.server import MockSettings, running_mock
from gateway.upstream.bearer import ClientCredentials
from gateway.upstream.http import HttpLeg

NEEDED = ("conversation:communication:disconnect",)
CLOSER = "c0ffee00-0000-4000-8000-000000000002"


READER = RoleReader("c0ffee00-0000-4000-8000-0000000000ff", Secret("mock-secret-of-an-auditor"))


async def drift_of(
    *,
    api_fault: str | None = None,
    permissions: set[str] | None = None,
    reader: RoleReader | None = None,
    secrets: tuple[str, str | None] = ("mock-secret-closer", None),
) -> Drift:
    plan = ClientPlan("acme", "closer", CLOSER, (), NEEDED, NEEDED, (), ())
    async with running_mock(MockSettings.free_ports()) as mock:
        client = mock.world.client_named("closer")
        assert client is not None
        client.permissions = permissions or client.permissions
        if api_fault is not None:
            mock.world.faults.add("api", api_fault, match="GET /api/v2/tokens/me", count=None)
        secret = MockSecret(READER.secret.reveal())
        mock.world.add_client(Client("auditor", READER.client_id, [secret], {"authorization:role:view"}))
        legs: dict[str, HttpLeg] = {}
        login, api = mock.endpoints.login, mock.endpoints.api
        credentials = ClientCredentials("acme", "r", login, "closer", CLOSER, *secrets)
        try:
            return await find_drift(credentials, plan, lambda url: legs.setdefault(url, HttpLeg(url)), api, reader)
        finally:
            for leg in legs.values():
                await leg.close()


async def test_a_role_with_just_what_is_needed_is_as_told() -> None:
    assert await drift_of(permissions={*NEEDED}, reader=READER) == Drift("acme", "closer")


async def test_leave_to_read_roles_is_more_than_the_routes_need() -> None:
    found = await drift_of(permissions={*NEEDED, "authorization:role:view"})
    assert found.differs == ("its roles hold more than the routes need: authorization:role:view",)


async def test_a_wildcard_lacks_nothing_and_is_too_much() -> None:
    found = await drift_of(permissions={"conversation:communication:*"}, reader=READER)
    assert found.differs == ("its roles hold more than the routes need: conversation:communication:*",)


async def test_a_reader_that_gets_no_token_proves_nothing() -> None:
    found = await drift_of(reader=RoleReader(READER.client_id, Secret("another")))
    assert (found.differs, found.unproved) == ((), ("the reader of roles got no token: invalid_client",))


async def test_tokens_me_that_does_not_answer_proves_nothing() -> None:
    assert (await drift_of(api_fault="garbage")).unproved == ("tokens/me gave no usable answer",)


async def test_a_secret_that_genesys_does_not_know_yet_is_told_and_the_rest_compared_all_the_same() -> None:
    found = await drift_of(permissions={*NEEDED}, reader=READER, secrets=("the-next-secret", "mock-secret-closer"))
    assert found.differs == ("Genesys takes its previous secret only; the rotation there is not done",)
    neither = await drift_of(secrets=("the-next-secret", "nor-this-one"))
    assert (len(neither.differs), neither.unreachable) == (1, False)
    assert "invalid_client" in neither.differs[0]
