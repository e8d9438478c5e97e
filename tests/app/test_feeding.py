"""What parts know becomes metrics: the store's steps and failures, the sockets' traffic, the ends of secrets."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from redis import exceptions as redis_errors

from gateway.app import feeding
from gateway.app.feeding import OPERATION, StoreMetrics, feed_secrets, feed_sockets, probe_store
from gateway.observe.metrics import Metrics
from gateway.observe.metrics_table import Scope
from gateway.store.base import ON_FAILURE
from gateway.upstream.ws_types import SocketTraffic
from tests.stack import compiled


def test_every_use_of_the_store_has_its_word() -> None:
    assert set(OPERATION) == set(ON_FAILURE)
    metrics = Metrics()
    watch = StoreMetrics(metrics)
    for use in (*ON_FAILURE, "ready"):
        watch(use, 0.001, None)
    assert metrics.label_overflow.child("gateway_state_operation_duration_seconds").value == 0
    assert metrics.state_up.child().value == 1


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (redis_errors.TimeoutError(), "timeout"),
        (TimeoutError(), "timeout"),
        (redis_errors.ConnectionError(), "connect"),
        (ConnectionRefusedError(), "connect"),
        (redis_errors.ReadOnlyError(), "readonly"),
        (redis_errors.OutOfMemoryError(), "out_of_memory"),
        (redis_errors.ResponseError(), "other"),
    ],
)
def test_every_failure_of_the_store_has_its_word(failure: BaseException, word: str) -> None:
    metrics = Metrics()
    StoreMetrics(metrics)("get", 0.3, failure)
    assert metrics.state_errors.child(word).value == 1
    assert metrics.state_up.child().value == 0


def test_the_traffic_of_sockets_is_shown_as_it_stands() -> None:
    metrics, traffic = Metrics(), SocketTraffic()
    feed_sockets(metrics, traffic)
    traffic.up(100)
    traffic.down(7)
    traffic.down(8)
    text = metrics.exposition()[0].decode()
    assert 'gateway_websocket_messages_total{direction="in"} 1.0' in text
    assert 'gateway_websocket_messages_total{direction="out"} 2.0' in text
    assert 'gateway_websocket_bytes_total{direction="out"} 15.0' in text


def test_the_end_of_a_secret_is_shown() -> None:
    name = "orgs.acme.clients.reader.secret"
    metrics = Metrics(Scope(secrets=(name,)))
    feed_secrets(metrics, compiled({"keys.ends": {name: "2027-06-30"}}), Path())
    assert metrics.secret_not_after.child(name).value == 1_814_313_600


async def test_a_store_that_nobody_asks_is_still_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "STORE_EVERY_S", 0.0)
    metrics, asked = Metrics(), asyncio.Event()
    answers: list[str | None] = [None, "the store does not answer"]
    seen: list[float] = []

    async def ready() -> str | None:
        seen.append(metrics.state_up.child().value)
        if not answers:
            asked.set()
            await asyncio.Event().wait()
        return answers.pop(0)

    task = asyncio.create_task(probe_store(metrics, ready))
    await asyncio.wait_for(asked.wait(), 30)
    assert seen == [0.0, 1.0, 0.0]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
