"""What operators see of a node with several workers, whatever the workers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
import yarl
from aiohttp import web

from gateway.app.node_admin import NodeAdmin
from gateway.app.worker_process import WorkerFailed
from gateway.observe.metrics import Metrics
from gateway.observe.supervisor_metrics import SupervisorMetrics
from tests.app.hands import Hand

READY = b"[+] store ok\n[+] audit ok\nready\n"


class Room:
    """The admin listener of a node, its workers, and a client."""

    def __init__(self, count: int) -> None:
        self.hands = [Hand(slot, slot) for slot in range(count)]
        self.metrics = SupervisorMetrics()
        self.is_draining = False
        self.client: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(path, headers=headers) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def opened(count: int = 2, token: str | None = None) -> AsyncIterator[Room]:
    """Serve for the length of the block."""
    room = Room(count)
    admin = NodeAdmin(lambda: room.hands, lambda: count, room.metrics, lambda: room.is_draining, token)
    runner = web.AppRunner(admin.application(), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as room.client:
            yield room
    finally:
        await runner.cleanup()


async def test_a_node_is_ready_as_its_workers_are() -> None:
    async with opened() as room:
        for hand in room.hands:
            hand.shows["/readyz?verbose"] = READY
        assert await room.get("/readyz") == (200, "ready\n")
        status, text = await room.get("/readyz?verbose")
        assert (status, text.splitlines()) == (
            200,
            [
                "[+] workers (2 of 2 answer) ok",
                "[+] worker-0/store ok",
                "[+] worker-0/audit ok",
                "[+] worker-1/store ok",
                "[+] worker-1/audit ok",
                "ready",
            ],
        )
        room.hands[1].shows["/readyz?verbose"] = b"[+] store ok\n[-] audit nothing was durable for 11 s\nnot ready\n"
        status, text = await room.get("/readyz?verbose")
        assert status == 503
        assert "[-] worker-1/audit nothing was durable for 11 s" in text


async def test_a_worker_that_does_not_answer_makes_the_node_not_unready_while_another_does() -> None:
    async with opened() as room:
        room.hands[0].shows["/readyz?verbose"] = READY
        status, text = await room.get("/readyz?verbose")
        assert (status, text.splitlines()[0]) == (200, "[+] workers (1 of 2 answer) ok")
        room.hands[0].shows["/readyz?verbose"] = None
        assert await room.get("/readyz?verbose") == (503, "[-] workers none answers\nnot ready\n")
        room.hands.clear()
        assert (await room.get("/readyz"))[0] == 503
        assert await room.get("/healthz") == (200, "ok\n")


async def test_a_node_that_drains_is_not_ready() -> None:
    async with opened() as room:
        room.hands[0].shows["/readyz?verbose"] = READY
        room.is_draining = True
        assert (await room.get("/readyz"))[0] == 503


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
async def test_metrics_are_joined_in_the_format_that_was_asked_for(accept: str) -> None:
    async with opened() as room:
        for hand in room.hands:
            hand.shows["/metrics"] = Metrics().exposition(accept)[0]
        async with room.client.get("/metrics", headers={"Accept": accept}) as answer:
            text = await answer.text()
            assert ("openmetrics" in answer.headers["Content-Type"]) is bool(accept)
        for worker in ("0", "1"):
            assert f'gateway_state_up{{worker="{worker}"}} 0.0' in text
        assert 'gateway_worker_unanswered_total{worker="supervisor"} 0.0' in text
        assert room.hands[0].called == [("/metrics", {"Accept": accept})]


async def test_a_worker_without_an_answer_is_left_out_and_counted() -> None:
    async with opened() as room:
        room.hands[1].shows["/metrics"] = Metrics().exposition()[0]
        _, text = await room.get("/metrics")
        assert 'worker="0"' not in text
        assert 'gateway_state_up{worker="1"} 0.0' in text
        assert 'gateway_worker_unanswered_total{worker="supervisor"} 1.0' in text


async def test_an_exposition_that_does_not_fit_the_others_is_left_out_and_counted() -> None:
    async with opened() as room:
        room.hands[0].shows["/metrics"] = b"# TYPE gateway_state_up counter\ngateway_state_up_total 1\n"
        room.hands[1].shows["/metrics"] = Metrics().exposition()[0]
        await room.get("/metrics")
        _, text = await room.get("/metrics")
        assert 'worker="supervisor"' in text
        assert ('worker="0"' in text) is not ('worker="1"' in text)
        assert room.metrics.unanswered.value == 2


async def test_the_audit_tail_is_that_of_all_writers_by_time() -> None:
    def lines(*seconds: int) -> bytes:
        return b"".join(orjson.dumps({"@timestamp": f"2026-11-20T00:00:{at:02}Z"}) + b"\n" for at in seconds)

    async with opened() as room:
        room.hands[0].shows["/audit?format=jsonl&n=3"] = lines(1, 4, 5)
        room.hands[1].shows["/audit?format=jsonl&n=3"] = lines(2, 3, 6)
        _, text = await room.get("/audit?format=jsonl&n=3")
        assert [line["@timestamp"][17:19] for line in map(orjson.loads, text.splitlines())] == ["04", "05", "06"]
        room.hands[0].shows["/audit?format=jsonl&n=0"] = b""
        room.hands[1].status = 500
        room.hands[1].shows["/audit?format=jsonl&n=0"] = b"what went wrong"
        assert await room.get("/audit?format=jsonl&n=0") == (200, "")


async def test_the_token_guards_the_node_and_is_shown_to_the_workers() -> None:
    async with opened(token="t0ken") as room:
        for hand in room.hands:
            hand.shows["/metrics"] = Metrics().exposition()[0]
        assert (await room.get("/metrics"))[0] == 401
        assert (await room.get("/anything-else"))[0] == 401
        assert room.hands[0].called == []
        assert (await room.get("/metrics", Authorization="Bearer t0ken"))[0] == 200
        assert room.hands[0].called[0][1]["Authorization"] == "Bearer t0ken"


class Passing(Hand):
    """A worker with a real admin listener behind it."""

    url = ""

    @asynccontextmanager
    async def opened(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the listener."""
        async with (
            aiohttp.ClientSession() as client,
            client.request(
                method, yarl.URL(self.url + path, encoded=True), headers=headers, data=body or None
            ) as answer,
        ):
            yield answer


async def test_every_other_call_is_a_workers_with_its_body_and_headers() -> None:
    released = asyncio.Event()

    async def echo(request: web.Request) -> web.StreamResponse:
        seen = {"path": request.path_qs, "body": await request.text(), "cookie": request.headers.get("Cookie")}
        return web.json_response(seen, status=418, headers={"Content-Security-Policy": "default-src 'none'"})

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: first\n\n")
        await released.wait()
        await answer.write(b"data: second\n\n")
        return answer

    app = web.Application()
    app.router.add_post("/guests/end", echo)
    app.router.add_get("/other/events", events)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with opened() as room:
        passing = Passing(0, 0)
        passing.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        room.hands[0] = passing
        async with room.client.post("/guests/end?x=1%202&y=%26", data="{}", headers={"Cookie": "a=b"}) as answer:
            assert answer.status == 418
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
            assert await answer.json() == {"path": "/guests/end?x=1%202&y=%26", "body": "{}", "cookie": None}
        async with room.client.get("/other/events") as answer:
            assert await answer.content.readline() == b"data: first\n"  # before the worker has finished
            released.set()
            assert b"second" in await answer.read()
    await runner.cleanup()


async def test_an_answer_that_is_cut_off_never_looks_whole() -> None:
    class Cut(Hand):
        @asynccontextmanager
        async def opened(
            self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
        ) -> AsyncIterator[aiohttp.ClientResponse]:
            async with aiohttp.ClientSession() as client, client.get(url) as answer:
                yield answer
                raise WorkerFailed("gone")

    async def part(_request: web.Request) -> web.Response:
        return web.Response(text="part")

    app = web.Application()
    app.router.add_get("/", part)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with opened() as room:
        room.hands[0] = Cut(0, 0)
        with pytest.raises(aiohttp.ClientError):
            await room.get("/other")
    await runner.cleanup()


async def test_without_a_worker_calls_are_refused() -> None:
    async with opened() as room:
        assert (await room.get("/other"))[0] == 503
        room.hands.clear()
        assert (await room.get("/other"))[0] == 503


async def test_the_console_shows_every_worker_and_finds_requests_of_any() -> None:
    async with opened() as room:
        for slot, hand in enumerate(room.hands):
            hand.shows["/console/state"] = orjson.dumps([{"node": "a", "sessions": slot}])
        room.hands[1].shows["/console/request?id=r-1"] = orjson.dumps([{"http.request.id": "r-1"}])
        status, text = await room.get("/console/state")
        assert status == 200
        assert [(one["worker"], one["sessions"]) for one in orjson.loads(text)] == [(0, 0), (1, 1)]
        assert orjson.loads((await room.get("/console/request?id=r-1"))[1]) == [{"http.request.id": "r-1"}]
        assert (await room.get("/console"))[0] == 200
