"""The admin listener of a node with several workers: asks each of them, and answers for the node.

Readiness and metrics are joined, the audit tail is that of all writers, and every other call is passed on to a worker.
The rule: a worker that does not answer within a second is left out and counted; no probe or scrape fails by it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from gateway.app.worker_process import Answered, Worker, WorkerFailed
from gateway.observe.merge import MergeError, merge_expositions
from gateway.observe.supervisor_metrics import SUPERVISOR, SupervisorMetrics
from gateway.web.admin import Admin, AdminParts
from gateway.web.console import ConsoleParts

log = structlog.get_logger(__name__)
ANSWER_S: Final = 1.0
_CHECK: Final = re.compile(r"\[(?P<sign>[+-])\] (?P<name>\S+) (?P<why>.*)")
_PASSED_HEADERS: Final = ("Accept", "Content-Type", "Last-Event-ID")
_OF_THE_HOP: Final = frozenset({"Connection", "Content-Length", "Date", "Keep-Alive", "Transfer-Encoding"})


class NodeAdmin(Admin):
    """The handlers of the supervisor's admin listener."""

    def __init__(
        self,
        serving: Callable[[], Sequence[Worker]],
        wanted: Callable[[], int],
        metrics: SupervisorMetrics,
        is_draining: Callable[[], bool],
        token: str | None,
    ) -> None:
        """`serving`: the workers that take traffic; `token`: what operators show here, and we to the workers."""
        console = ConsoleParts(self._states, self._records)
        super().__init__(AdminParts({}, self._exposition, lambda _count: (), is_draining, token, console=console))
        self._serving, self._wanted, self._metrics = serving, wanted, metrics
        self._authorization = {} if token is None else {"Authorization": f"Bearer {token}"}

    def application(self) -> web.Application:
        """The application of this listener; what is not joined here is passed on to a worker."""
        app = super().application()
        app.router.add_route("*", "/{path:.*}", self.pass_on)
        return app

    async def readiness(self) -> dict[str, str | None]:
        """What the workers say of themselves. Those that do not answer do not count, as long as one does."""
        answers = await self._ask_all("/readyz?verbose", {}, statuses=(200, 503))
        found: dict[str, str | None] = {}
        for slot, answer in answers.items():
            for line in answer.body.decode().splitlines():
                if (match := _CHECK.fullmatch(line)) is not None:
                    found[f"worker-{slot}/{match['name']}"] = None if match["sign"] == "+" else match["why"]
        told = f"{len(answers)} of {self._wanted()} answer"
        return {f"workers ({told})" if answers else "workers": None if answers else "none answers", **found}

    async def newest(self, count: int) -> Sequence[Mapping[str, object]]:
        """The newest audit records of all writers, oldest first."""
        answers = await self._ask_all(f"/audit?format=jsonl&n={count}", {})
        found = [orjson.loads(line) for answer in answers.values() for line in answer.body.splitlines()]
        return sorted(found, key=lambda record: str(record.get("@timestamp", "")))[-count:] if count else []

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Have one worker answer; what it does is for the whole node, since the state is in the store."""
        body = await request.read()
        headers = {name: request.headers[name] for name in _PASSED_HEADERS if name in request.headers}
        worker = next(iter(self._serving()), None)
        if worker is None:
            return web.Response(status=503, text="No worker serves.\n")
        answer = None
        try:
            async with worker.opened(
                request.method, request.rel_url.raw_path_qs, headers={**headers, **self._authorization}, body=body
            ) as found:
                answer = web.StreamResponse(status=found.status)
                answer.headers.extend((name, value) for name, value in found.headers.items() if name not in _OF_THE_HOP)
                await answer.prepare(request)
                async for chunk in found.content.iter_any():
                    await answer.write(chunk)
        except WorkerFailed as fault:  # not asked of another one: it may have been done
            log.error("worker.call_failed", worker=worker.slot, reason=str(fault))
            if answer is None:
                return web.Response(status=503, text="The worker did not answer.\n")
            if request.transport is not None:
                request.transport.abort()  # what was sent so far must not look whole
        return answer

    async def _states(self) -> Sequence[Mapping[str, Any]]:
        """What the console shows of each worker."""
        answers = await self._ask_all("/console/state", {})
        return [{**state, "worker": slot} for slot, one in answers.items() for state in orjson.loads(one.body)]

    async def _records(self, request_id: str) -> Sequence[Mapping[str, Any]]:
        """The newest records of one request, whichever worker had it."""
        answers = await self._ask_all(f"/console/request?id={request_id}", {})
        return [record for one in answers.values() for record in orjson.loads(one.body)]

    async def _exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics of all workers, and our own as worker="supervisor"."""
        answers = await self._ask_all("/metrics", {"Accept": accept})
        self._metrics.unanswered.inc(max(0, len(self._serving()) - len(answers)))
        own, content_type = self._metrics.exposition(accept)
        parts = {SUPERVISOR: own, **{str(slot): answer.body for slot, answer in answers.items()}}
        try:
            return merge_expositions(parts), content_type
        except MergeError:
            return merge_expositions(self._readable(own, parts)), content_type

    def _readable(self, own: bytes, parts: Mapping[str, bytes]) -> dict[str, bytes]:
        """Those parts that can be joined with each other: while versions change, workers may disagree for a moment."""
        found = {SUPERVISOR: own}
        for slot, body in parts.items():
            try:
                merge_expositions({**found, slot: body})
            except MergeError as fault:
                log.error("worker.exposition_unreadable", worker=slot, reason=str(fault))
                self._metrics.unanswered.inc()
            else:
                found[slot] = body
        return found

    async def _ask_all(
        self, path: str, headers: Mapping[str, str], *, statuses: Sequence[int] = (200,)
    ) -> dict[int, Answered]:
        """What each worker answers in time, by slot."""

        async def ask(worker: Worker) -> tuple[int, Answered | None]:
            try:
                return worker.slot, await worker.call(path, {**headers, **self._authorization}, ANSWER_S)
            except WorkerFailed:
                return worker.slot, None

        found = await asyncio.gather(*map(ask, self._serving()))
        return {
            slot: answer
            for slot, answer in sorted(found, key=lambda one: one[0])
            if answer is not None and answer.status in statuses
        }
