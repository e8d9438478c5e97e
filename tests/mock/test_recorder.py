"""What is shown of received requests."""

import json

from gateway.mock.recorder import Recorder, fingerprint, masked

OWNER = {"Bearer secret-bearer": "client reader"}


def recorder() -> Recorder:
    return Recorder(lambda: 5.0, OWNER.get, capacity=3)


def test_an_authorization_is_shown_as_scheme_fingerprint_and_owner() -> None:
    entry = recorder().request("api", "GET", "/x", {}, {"authorization": "Bearer secret-bearer"}, b"")
    assert entry.headers["authorization"] == f"Bearer {fingerprint('secret-bearer')} (client reader)"
    assert entry.bearer_of == "client reader"
    unknown = recorder().request("api", "GET", "/x", {}, {"Authorization": "Bearer other"}, b"")
    assert unknown.headers["Authorization"].endswith("(nobody known)")


def test_no_secret_is_in_the_view_or_the_repr() -> None:
    headers = {"Authorization": "Bearer secret-1", "Cookie": "secret-2", "Content-Type": "application/json"}
    body = json.dumps({"oauth": {"code": "secret-3"}, "list": [{"refreshToken": "secret-4"}], "plain": "shown"})
    entry = recorder().request("api", "POST", "/x", {"signature": "secret-5", "page": "1"}, headers, body.encode())
    assert "secret" not in repr(entry) + json.dumps(entry.view())
    assert entry.view()["body"]["plain"] == "shown"
    assert entry.raw_headers["Authorization"] == "Bearer secret-1"


def test_bodies_are_shown_as_what_they_are() -> None:
    one = recorder()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    entry = one.request("login", "POST", "/oauth/token", {}, form, b"grant_type=x&client_secret=secret")
    assert entry.body == {"grant_type": "x", "client_secret": fingerprint("secret")}
    assert one.request("upload", "PUT", "/x", {}, {}, b"12345").body == {"bytes": 5}
    broken = one.request("api", "PUT", "/x", {}, {"Content-Type": "application/json"}, b"{")
    assert broken.body == {"unreadable_bytes": 1}


def test_only_the_last_requests_are_kept() -> None:
    one = recorder()
    for number in range(5):
        one.request("api", "GET", f"/{number}", {}, {}, b"")
    assert [entry.number for entry in one.entries] == [3, 4, 5]


def test_equal_secrets_have_equal_fingerprints() -> None:
    assert masked({"token": "a"}) == masked({"token": "a"}) != masked({"token": "b"})


def test_a_frame_that_is_no_object_is_recorded_too() -> None:
    assert recorder().frame("c", [1], "[1]").path == "None"
