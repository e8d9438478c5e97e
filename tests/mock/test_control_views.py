"""The control port's views."""

from gateway.mock import control_views
from gateway.mock.default_world import default_world
from gateway.mock.model import Client, Secret


def test_a_client_shows_fingerprints_for_secrets() -> None:
    view = control_views.client(Client("x", "id", [Secret("hush", 5.0)]))
    assert "hush" not in str(view)
    assert view["secrets"][0]["valid_until"] == 5.0


def test_a_line_names_the_agent_and_shows_events() -> None:
    message = {
        "id": "m",
        "direction": "Outbound",
        "type": "Event",
        "channel": {"time": "t", "from": {"nickname": "Ada"}},
        "events": [{"eventType": "Presence", "presence": {"type": "Disconnect"}}],
    }
    line = control_views.transcript_line(message)
    assert (line["from"], line["event"], line["text"]) == ("Ada", "Disconnect", None)


def test_the_whole_world_counts_what_it_holds() -> None:
    view = control_views.whole(default_world())
    assert view["mock"] == "not Genesys Cloud"
    assert view["counts"]["conversations"] == 0
    assert view["rates"]["messages_per_session"] == {"count": 5, "window_s": 1}
