"""The records of the world."""

from gateway.mock.model import AccessToken, Client, Deployment, GuestGrant, OidcIntegration, Secret


def test_no_record_shows_its_secret() -> None:
    records = (
        Client("reader", "id", [Secret("hush-1")]),
        AccessToken("hush-2", "id", 0, 1),
        OidcIntegration(client_secret="hush-3"),
        GuestGrant("g", "d", "s", {}, 1.0, refresh_token="hush-4", idp_refresh_token="hush-5"),
    )
    assert "hush" not in repr(records)


def test_a_client_covers_all_divisions_unless_told() -> None:
    assert Client("x", "id", []).divisions == {"*"}


def test_guests_must_sign_in_where_authentication_is_on_without_step_up() -> None:
    assert Deployment("d", auth_enabled=True, allow_session_upgrade=False).auth_required
    assert not Deployment("d", auth_enabled=True, allow_session_upgrade=True).auth_required
    assert not Deployment("d", auth_enabled=False, allow_session_upgrade=False).auth_required
