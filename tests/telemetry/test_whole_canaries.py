"""What must never be shown is put wherever a caller can put it; then everything that the gateway says is searched.

Searched for are the words themselves, in base64 and URL-encoded, and any sixteen characters of them.
"""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.app import gateway as gateway_module
from gateway.config.compile import Compiled
from gateway.observe import log as app_log
from gateway.observe.spans import OtelSpans
from tests.journeys.guest_client import connected
from tests.login_stack import PARTY_ID, PARTY_SECRET, REDIRECT, login_stack
from tests.stack import BACKEND_KEY, DEPLOYMENT, PAGE, VISITOR_SECRET, Stack, basic, whole_stack
from tests.telemetry import drive

PIECE = 16
RANDOM_KEY_BYTES = 32
TEXT = "The visitor's own words, which nobody but Genesys may read: 4111 1111 1111 1111"
ADDRESS = "198.51.100.237"
WORDS = {
    "cookie": "canary-cookie-value-q7Lw2ZkP9vXr4TnB",
    "query": "canary-query-value-mE5uYc8HdJ3sGfA6",
    "header": "canary-header-value-Wb1oNx7RtKi0VqDz",
    "path": "canary-path-word-hg4jsl9cype2muza",
    "body": "canary-body-word-Tf6aBv3XwQo8LrIk",
    "e-mail": "cara.long.name.canary@visitors.canary.example",
    "name": "Cara Canary-Longname of Canaryshire",
    "subject": "visitor-canary-4711-zu8eK3",
    "address": ADDRESS,
    "text": TEXT,
}
ORIGIN = "https://stranger.example"
"""Not searched for: records and the refusal itself name the origin, so that an operator can list it."""
FLAGS = {
    "tracing.sample_ratio": 1.0,
    "tracing.debug_key": "canary-debug-key-Vn3xQz7LpTk1RdWs8YbG",
    "admin.token": "canary-admin-token-Jc5mHf9UaEo2SiNg6KvX",
    "server.trusted_proxies": ["127.0.0.1/32"],
}


def pieces_of(words: Iterator[str]) -> dict[str, str]:
    """Every sixteen characters of every word, raw and encoded, and the word that they come from; short ones whole."""
    found: dict[str, str] = {}
    for word in words:
        shifted = (
            base64.b64encode(b"\0" * shift + word.encode()).decode().rstrip("=")[2 * shift : -2] for shift in range(3)
        )
        for text in (word, quote(word, safe=""), *shifted):
            for start in range(max(1, len(text) - PIECE + 1)):
                found[text[start : start + PIECE]] = word
    return found


def hits(place: str, pieces: dict[str, str]) -> set[str]:
    """The words of which a piece stands in the place."""
    short = {word for piece, word in pieces.items() if len(piece) < PIECE and piece in place}
    windows = {place[at : at + PIECE] for at in range(len(place) - PIECE + 1)}
    return short | {pieces[window] for window in windows & pieces.keys()}


@contextmanager
def talkative_log() -> Iterator[io.StringIO]:
    """The application log at its most talkative, into a buffer; undone at the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    app_log.configure(level="DEBUG", stream=stream, pretty=False)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


async def provoke(stack: Stack, secrets: list[str]) -> list[str]:
    """Requests with canaries everywhere, most of them refused; the bodies and headers of the refusals."""
    said: list[str] = []
    token = drive.visitor_token(
        external_id=WORDS["subject"], email=WORDS["e-mail"], name=WORDS["name"], email_verified=True
    )
    broken = token[:-6] + "AAAAAA"
    secrets += [token.partition(".")[2], broken.partition(".")[2]]
    headers = {
        "Cookie": f"sid={WORDS['cookie']}", "X-Custom": WORDS["header"], "X-Forwarded-For": ADDRESS,
        "Referer": f"https://shop.example/?q={WORDS['query']}", "User-Agent": WORDS["header"],
    }  # fmt: skip
    session = await stack.session(token)
    secrets.append(session["session_token"])
    async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        secrets.append((await answer.json())["ticket"])
    for method, path, bearer, body in (
        ("POST", "/session", None, {"visitor_token": broken}),
        ("POST", "/session", None, {WORDS["body"]: WORDS["body"]}),
        ("POST", f"/session?x={WORDS['query']}", session["session_token"], {"visitor_token": token}),
        ("POST", "/ticket", session["session_token"] + "x", {}),
        ("POST", "/beacon", None, {"kind": WORDS["body"]}),
        ("GET", f"/api/v2/{WORDS['path']}?q={WORDS['query']}", session["session_token"], None),
        ("GET", f"{drive.WAIT}?q={WORDS['query']}", BACKEND_KEY, None),
        ("GET", drive.WAIT, WORDS["header"], None),
        ("GET", drive.WAIT, broken, None),
        ("GET", f"/{WORDS['path']}", None, None),
        ("BREW", f"/{WORDS['path']}", None, None),
    ):
        async with stack.call(method, path, bearer=bearer, headers=headers, json=body) as answer:
            said.append(str(dict(answer.headers)) + (await answer.text() if answer.status >= 400 else ""))
    async with stack.call("POST", "/session", headers=headers, data=WORDS["body"].encode()) as answer:
        said.append(await answer.text())
    async with stack.call("POST", "/session", origin=ORIGIN, json={}) as answer:
        said.append(await answer.text())
    return said


async def chat(stack: Stack, said: list[str], secrets: list[str]) -> None:
    """A conversation whose words are a canary, with a frame that is refused; and calls that Genesys answers oddly."""
    headers = {"X-Forwarded-For": ADDRESS}
    async with connected(stack.client, stack.base, DEPLOYMENT, PAGE) as guest:
        await guest.configure()
        await guest.say(TEXT)
        said.append(json.dumps(await guest.refusal("resumeToken")))
        await guest.history(stack.client, stack.base, PAGE)
        (told,) = (frame["body"] for frame in guest.frames if frame["class"] == "JwtResponse")
        secrets += [told["jwt"], guest.token]
    for kind in ("hostile_echo", "expired_token", "reset", "garbage", "html", "503"):
        stack.mock.world.faults.add("api", kind, match="*estimatedwaittime", count=2)
        async with stack.call("GET", drive.WAIT, bearer=BACKEND_KEY, origin=None, headers=headers) as answer:
            said.append(await answer.text() if answer.status >= 400 else "")
        stack.mock.world.faults.clear()


async def sign_in(stack: Stack, said: list[str], secrets: list[str]) -> None:
    """The OpenID provider: a code redeemed, used, refreshed, replayed; and a guest who is signed in at Genesys."""
    token = drive.visitor_token(external_id=WORDS["subject"], email=WORDS["e-mail"], name=WORDS["name"])
    async with stack.call("POST", "/auth-code", json={"visitor_token": token, "nonce": WORDS["body"]}) as answer:
        code = (await answer.json())["authCode"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    party = basic(PARTY_ID, PARTY_SECRET)
    async with stack.client.post(f"{stack.url}/oauth/token", data=form, headers=party) as answer:
        tokens = await answer.json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with stack.client.get(f"{stack.url}/oauth/userinfo", headers=bearer) as answer:
        assert answer.status == 200
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for data in (again, form, {**again, "refresh_token": tokens["refresh_token"][:-3] + "AAA"}):
        async with stack.client.post(f"{stack.url}/oauth/token", data=data, headers=party) as answer:
            told = await answer.json()
            said.append(str(told) if answer.status >= 400 else "")
            secrets += [told[name] for name in ("access_token", "refresh_token") if name in told]
    secrets += [code, PARTY_SECRET, *tokens["id_token"].split(".")[1:], tokens["access_token"], tokens["refresh_token"]]
    session = await stack.session(token)
    async with stack.call("POST", "/ticket", bearer=session["session_token"], json={}) as answer:
        ticket = (await answer.json())["ticket"]
    protocols = ("gateway.v1", f"ticket.{ticket}")
    async with connected(stack.client, stack.base, DEPLOYMENT, PAGE, protocols=protocols) as guest:
        await guest.configure()
        await guest.say(TEXT)
    secrets += [session["session_token"], ticket]


def keys_on_disk(directory: Path) -> Iterator[str]:
    """What the gateway made for itself: signing keys as they are written, random keys in hexadecimal and base64."""
    for path in sorted(directory.rglob("keys/**/*")) + sorted(directory.rglob("*.pem")):
        if path.is_file():
            data = path.read_bytes()
            text = data.decode("ascii", "ignore")
            yield from (line for line in text.splitlines() if len(line) >= PIECE and not line.startswith("-----"))
            if len(data) == RANDOM_KEY_BYTES:
                yield data.hex()
                yield base64.b64encode(data).decode()


async def admin_pages(stack: Stack) -> dict[str, str]:
    """What operators see."""
    found = {}
    bearer = {"Authorization": f"Bearer {FLAGS['admin.token']}"}
    for path in ("/metrics", "/audit?n=500", "/console", "/console/state", "/readyz?verbose", "/version"):
        headers = {**bearer, "Accept": "application/openmetrics-text; version=1.0.0"}
        async with stack.client.get(stack.admin_url + path, headers=headers) as answer:
            assert answer.status == 200, path
            found[path] = await answer.text()
    async with stack.client.get(stack.admin_url + "/metrics") as answer:
        found["refusal"] = await answer.text()
    return found


@pytest.mark.timeout(90)
async def test_nothing_that_is_secret_or_personal_is_shown_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()

    def kept_spans(_compiled: Compiled, node: str) -> OtelSpans:
        return OtelSpans(node, SimpleSpanProcessor(exporter))

    monkeypatch.setattr(gateway_module, "make_spans", kept_spans)
    secrets = [*WORDS.values(), BACKEND_KEY, VISITOR_SECRET, str(FLAGS["tracing.debug_key"]), str(FLAGS["admin.token"])]
    with talkative_log() as stream:
        flags = {**FLAGS, "log.level": "debug", "sites.shop.visitors.genesys_login": True}
        async with login_stack(tmp_path, flags) as stack:
            said = await provoke(stack, secrets)
            await chat(stack, said, secrets)
            await sign_in(stack, said, secrets)
            await stack.records()
            places = await admin_pages(stack)
            secrets += [*stack.mock.world.access_tokens, *stack.mock.world.session_by_token]
            sent = [entry.raw_headers.get("Authorization", "") for entry in stack.mock.world.recorder.entries]
            assert any(value.count(".") == 2 for value in sent), "the guest's own JWT at Genesys is among them"
            codes = [e for e in stack.mock.world.recorder.entries if e.path.endswith("oauthcodegrantjwtexchange")]
            assert [e.status for e in codes] == [200], "and Genesys redeemed a code of ours"
            secrets.append(json.loads(codes[0].raw_body)["oauth"]["code"])
            own = list(keys_on_disk(tmp_path))
            assert len(own) > 20, "guest key, signing keys, keys of pseudonyms and references"
            secrets += own
            secrets += [value.partition(" ")[2] for value in sent if value]
            secrets += [one.value for client in stack.mock.world.clients.values() for one in client.secrets]
        places |= {"log": stream.getvalue(), "answers": "\n".join(said)}
    segments = sorted((tmp_path / ".gateway" / "audit").rglob("*.jsonl"))
    places["audit"] = "".join(path.read_text() for path in segments)
    places["spans"] = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert all(places.values()), "everything has something to say"
    assert "origin.denied" in places["audit"]
    assert "198.51.100.0" in places["audit"], "the address was there, and is cut"
    pieces = pieces_of(iter(secrets))
    found = {name: hits(text, pieces) for name, text in places.items()}
    assert {name: one for name, one in found.items() if one} == {}


def test_the_search_finds_pieces_in_every_coding() -> None:
    word = WORDS["subject"]
    pieces = pieces_of(iter([word, ADDRESS]))
    coded = [base64.b64encode(before + word.encode()).decode() for before in (b"", b"x", b"xy")]
    for shown in (word, word[3:19], quote(WORDS["e-mail"], safe="") + word[:16], *coded):
        assert hits(f"... {shown} ...", pieces) == {word}, shown
    assert hits(f"from {ADDRESS}", pieces) == {ADDRESS}
    assert hits("from 198.51.100.0", pieces) == set()
    assert hits(word[:15], pieces) == set()


async def test_lines_of_the_log_name_the_request_that_they_belong_to(tmp_path: Path) -> None:
    with talkative_log() as stream:
        async with whole_stack(tmp_path, {"log.level": "debug"}) as stack:
            stack.mock.world.faults.add("api", "expired_token", match="*estimatedwaittime", count=1)
            async with stack.call("GET", drive.WAIT, bearer=BACKEND_KEY, origin=None) as answer:
                request_id = answer.headers["X-Request-Id"]
            record = (await stack.records())[-1]
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [one for one in lines if one["message"] == "token.rejected"]
    assert (line["http.request.id"], line["trace.id"]) == (request_id, record["trace.id"])
