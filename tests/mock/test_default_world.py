"""The documented test values that the shipped configuration and the demo rely on."""

from gateway.mock.default_world import default_world
from gateway.mock.model import DEFAULT_DEPLOYMENT, SUPPORT_QUEUE


def test_the_documented_clients_exist() -> None:
    world = default_world()
    reader, closer = world.client_named("reader"), world.client_named("closer")
    assert reader is not None
    assert closer is not None
    assert (reader.id, reader.permissions) == (
        "c0ffee00-0000-4000-8000-000000000001",
        {"routing:queue:view", "conversation:communication:view"},
    )
    assert world.secret_matches(reader, "mock-secret-reader")
    assert (closer.id, closer.permissions) == (
        "c0ffee00-0000-4000-8000-000000000002",
        {"conversation:communication:disconnect"},
    )
    assert world.secret_matches(closer, "mock-secret-closer")


def test_the_documented_deployment_and_queue_exist() -> None:
    world = default_world()
    assert DEFAULT_DEPLOYMENT == "1f5c2a9e-0d7b-4a57-9b40-2f1f4f6a7c10"
    assert world.deployments[DEFAULT_DEPLOYMENT].allowed_domains == ["localhost", "127.0.0.1", "shop.example"]
    assert SUPPORT_QUEUE == "d0000000-0000-4000-8000-000000000001"
    assert world.queues[SUPPORT_QUEUE].name == "Support"


def test_the_organisation_is_acme_in_ireland() -> None:
    world = default_world()
    assert (world.org_name, world.region, world.domain) == ("acme", "eu-west-1", "mypurecloud.ie")
