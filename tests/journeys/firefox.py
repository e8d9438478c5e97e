"""Debian's Firefox, driven by the WebDriver BiDi that it has built in: no driver and no package beside it.

Leaves the stage to `stage.py` and the journeys to `test_firefox.py`. Rule kept: a profile and a process group of its
own; every wait is on an event or in the page, and bounded; clicks and keys are the browser's own, as a visitor's are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson

FIREFOX = "/usr/bin/firefox-esr"
PATIENCE_S = 30.0
VIEWPORT = {"width": 1100, "height": 760}  # as in Chromium: the shop's own button is not below the open panel
PREFERENCES = """user_pref("services.settings.server", "data:,none");
user_pref("app.normandy.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
"""
HEARD = ["log.entryAdded", "network.responseCompleted", "script.message"]
REPORTS_VIOLATIONS = """(tell) => addEventListener("securitypolicyviolation",
  (event) => tell(`${event.effectiveDirective} ${event.blockedURI}`))"""
# Looks through open shadow roots; waits until the element is shown, says `text`, stands still and nothing covers it.
PLACE = """async (selector, text) => {
  const all = (root) => [...root.querySelectorAll("*")].flatMap((e) => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
  for (let before, i = 0; i < 375; i++, await new Promise((done) => setTimeout(done, 40))) {
    const fits = (e) => e.matches(selector) && e.checkVisibility() && (text === null || e.textContent.trim() === text);
    const found = all(document).find(fits);
    found?.scrollIntoView({ block: "nearest" });
    const box = found?.getBoundingClientRect();
    const place = box && [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
    const free = place && found.contains(found.getRootNode().elementFromPoint(...place));
    if (free && String(place) === before) return place;
    before = place && String(place);
  }
  throw new Error(`never seen: ${selector} ${text ?? ""}`);
}"""


class Refused(Exception):
    """Firefox answered a command with an error."""


class Bidi:
    """One WebDriver BiDi session: https://w3c.github.io/webdriver-bidi/."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.listeners: dict[str, Callable[[str, Any], None]] = {}  # by browsing context
        self.reader = asyncio.create_task(self._read())

    async def send(self, method: str, **parameters: object) -> Any:
        """The result of a command. Raises Refused when Firefox says no, TimeoutError or ConnectionError if nothing."""
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._answers[number]
        if answer["type"] == "error":
            raise Refused(f"{method}: {answer['error']}: {answer['message']}")
        return answer["result"]

    async def _read(self) -> None:
        async for frame in self._socket:
            said = orjson.loads(frame.data)
            if said["type"] == "event":
                context = said["params"].get("context") or said["params"].get("source", {}).get("context")
                if listener := self.listeners.get(context):
                    listener(said["method"], said["params"])
            elif not (answer := self._answers.pop(said["id"])).done():
                answer.set_result(said)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("Firefox ended"))


class Tab:
    """A tab with what its console said, what was answered to it, and which content security policy was violated."""

    def __init__(self, bidi: Bidi, context: str) -> None:
        self._bidi, self._context = bidi, context
        self.console: list[str] = []
        self.answers: list[str] = []
        self.violations: list[str] = []
        self._changed = asyncio.Event()
        bidi.listeners[context] = self._hear

    def _hear(self, method: str, said: Any) -> None:
        if method == "log.entryAdded":
            self.console.append(said["text"])
        elif method == "script.message":
            self.violations.append(said["data"]["value"])
        else:
            self.answers.append(f"{said['request']['method']} {said['request']['url']} {said['response']['status']}")
        self._changed.set()

    @property
    def ours(self) -> list[str]:
        """The console lines of the gateway's own scripts."""
        return [line for line in self.console if line.startswith("gateway:")]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true of what the tab heard."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def goto(self, url: str) -> None:
        """Go there, and wait for the page's load event."""
        await self._bidi.send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def reload(self) -> None:
        """As the button of that name does."""
        await self._bidi.send("browsingContext.reload", context=self._context, wait="complete")

    async def run(self, function: str, *arguments: object) -> Any:
        """What a function of the page's own world returns, by way of JSON. Raises Refused with what it throws."""
        given = {"type": "string", "value": orjson.dumps(arguments).decode()}
        answer = await self._bidi.send(
            "script.callFunction",
            functionDeclaration=f"async (given) => JSON.stringify((await ({function})(...JSON.parse(given))) ?? null)",
            arguments=[given],
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise Refused(answer["exceptionDetails"]["text"])
        return orjson.loads(answer["result"]["value"])

    async def sees(self, selector: str, text: str | None = None) -> tuple[int, int]:
        """Wait for an element that is shown and says exactly `text`; where its middle is."""
        x, y = await self.run(PLACE, selector, text)
        return x, y

    async def click(self, selector: str) -> None:
        """With the pointer, in the middle of what is seen."""
        x, y = await self.sees(selector)
        button = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        await self._act("pointer", [{"type": "pointerMove", "x": x, "y": y}, *button])

    async def type(self, keys: str) -> None:
        """Key by key, to what has the focus."""
        await self._act("key", [{"type": way, "value": key} for key in keys for way in ("keyDown", "keyUp")])

    async def _act(self, device: str, actions: list[dict[str, Any]]) -> None:
        source = {"type": device, "id": device, "actions": actions}
        await self._bidi.send("input.performActions", context=self._context, actions=[source])


@asynccontextmanager
async def running_firefox(profile: Path) -> AsyncIterator[Bidi]:
    """Firefox without a screen on a port of its own choice, with this directory as home and profile."""
    (profile / "user.js").write_text(PREFERENCES)
    flags = ("--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0")
    process = await create_subprocess_exec(
        FIREFOX, *flags, env={**os.environ, "HOME": str(profile)}, start_new_session=True, stdout=DEVNULL, stderr=PIPE
    )
    assert process.stderr is not None
    try:
        address = await _address(process.stderr)
        drain = asyncio.create_task(process.stderr.read())  # what nobody reads would fill the pipe
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{address}/session", max_msg_size=0) as socket:
            bidi = Bidi(socket)
            await bidi.send("session.new", capabilities={})
            await bidi.send("session.subscribe", events=HEARD)
            yield bidi
            await bidi.send("browser.close")
        await asyncio.gather(bidi.reader, drain)
    finally:
        await _end(process)


async def _address(lines: asyncio.StreamReader) -> str:
    """Where it listens, which it says once. Raises TimeoutError, or EOFError when it ends before."""
    async with asyncio.timeout(60):
        while line := await lines.readline():
            if said := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
                return said[1].decode()
    raise EOFError("Firefox ended before it listened")


async def _end(process: Process) -> None:
    """The process and what it started, which are a group of their own."""
    with suppress(TimeoutError):
        async with asyncio.timeout(30):
            await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def tab_of(bidi: Bidi) -> AsyncIterator[Tab]:
    """A tab with storage of its own, as in a new profile."""
    user = (await bidi.send("browser.createUserContext"))["userContext"]
    tell = {"type": "channel", "value": {"channel": "violations"}}
    await bidi.send(
        "script.addPreloadScript", functionDeclaration=REPORTS_VIOLATIONS, arguments=[tell], userContexts=[user]
    )
    context = (await bidi.send("browsingContext.create", type="tab", userContext=user))["context"]
    await bidi.send("browsingContext.setViewport", context=context, viewport=VIEWPORT)
    try:
        yield Tab(bidi, context)
    finally:
        await bidi.send("browser.removeUserContext", userContext=user)
