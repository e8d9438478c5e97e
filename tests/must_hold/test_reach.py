"""Ten thousand random attempts to reach another guest's conversation or an unlisted operation: none gets through."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.config import genesys
from gateway.mock.recorder import Received
from gateway.mock.world import World
from tests.conversations import put_conversation
from tests.stack import BACKEND_KEY, PAGE, QUEUE, Stack, whole_stack

ATTEMPTS = 10_000
WORKERS = 20
MOST = 10_000_000
FLAGS: dict[str, object] = {
    "routes.1.callers": ["guest", "backend"],
    **{f"limits.requests_per_{who}_per_min": MOST for who in ("address", "origin", "guest", "site")},
}
METHODS = ("GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get")
OPERATIONS = list(genesys.catalogue())


def split_by_dots(path: str, own: str, chance: random.Random) -> str:
    """A way through one's own conversation and back out of it."""
    dots = chance.choice(["..", "%2e%2e", "%2E%2E", ".%2e", "..;", "..%2f", "..%5c"])
    return f"/api/v2/conversations/{own}/{dots}/{path.rpartition('/')[2]}"


def doubled_slash(path: str, own: str, chance: random.Random) -> str:
    """An empty segment somewhere."""
    at = chance.choice([i for i, c in enumerate(path) if c == "/"])
    return path[:at] + "/" + path[at:]


def encoded_somewhere(path: str, own: str, chance: random.Random) -> str:
    """One character percent-encoded, in either case."""
    at = chance.randrange(1, len(path))
    code = f"%{ord(path[at]):02x}"
    return path[:at] + chance.choice([code, code.upper()]) + path[at + 1 :]


def with_tail(path: str, own: str, chance: random.Random) -> str:
    """Something after the path that a careless parser cuts off."""
    return path + chance.choice(["/", "/.", "/..", ";a=b", "%00", "%20", "%09", ".json", "#x", "?", "%23", "%3f", "\\"])


def with_query(path: str, own: str, chance: random.Random) -> str:
    """A query that names one's own conversation, or overrides the method."""
    return path + chance.choice(["?conversationId=", "?_method=GET&id=", "?a=1&a=", "?x;y="]) + own


def other_case(path: str, own: str, chance: random.Random) -> str:
    """Letters in another case."""
    return "".join(c.upper() if chance.random() < 0.3 else c for c in path)


def absolute(path: str, own: str, chance: random.Random) -> str:
    """The absolute form, towards another host."""
    return chance.choice(["http://api.mypurecloud.ie", "http://127.0.0.1:1", "//api.mypurecloud.ie"]) + path


def below_a_site(path: str, own: str, chance: random.Random) -> str:
    """The prefix of a site, or of none."""
    return chance.choice(["/sites/shop", "/sites/club", "/sites/shop/..", "/sites//shop"]) + path


def plain(path: str, own: str, chance: random.Random) -> str:
    """As it is."""
    return path


Trick = Callable[[str, str, random.Random], str]
TRICKS: tuple[Trick, ...] = (
    plain, split_by_dots, doubled_slash, encoded_somewhere, with_tail, with_query, other_case, absolute, below_a_site,
)  # fmt: skip


def target_of(victims: list[str], chance: random.Random) -> str:
    """Another guest's conversation, or an operation that no route lists."""
    victim = chance.choice(victims)
    if chance.random() < 0.5:
        return chance.choice([
            f"/api/v2/conversations/{victim}", f"/api/v2/conversations/messages/{victim}",
            f"/api/v2/conversations/messaging/{victim}/close", f"/api/v2/conversations/{victim}/disconnect",
        ])  # fmt: skip
    operation = chance.choice(OPERATIONS)
    parts = operation.template.split("/")
    return "/".join(chance.choice([victim, QUEUE]) if part.startswith("{") else part for part in parts)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Send bytes as they are; the status of the answer, whose connection is then closed by us."""
    writer.write(request)
    async with asyncio.timeout(30):
        line = await reader.readline()
    writer.close()
    return int(line.split(b" ")[1]) if line else 0


@pytest.mark.timeout(300)
async def test_none_of_ten_thousand_attempts_gets_through(tmp_path: Path) -> None:
    async with whole_stack(tmp_path, FLAGS) as stack:
        world = stack.mock.world
        world.recorder.entries = deque(maxlen=4 * ATTEMPTS)
        session = await stack.session()
        own = put_conversation(world, "shop", session["guest"]["id"])
        victims = [put_conversation(world, "shop", f"guest-{n}").id for n in range(3)]
        victims += [put_conversation(world, "club", session["guest"]["id"]).id]
        async with stack.call("GET", f"/api/v2/conversations/{own.id}", bearer=session["session_token"]) as answer:
            assert answer.status == 200, "the door is not merely shut: its own conversation is reached"
        assert [e.path for e in carried_by(world)] == [f"/api/v2/conversations/{own.id}"], "and that is seen here"
        before = len(world.recorder.entries)
        statuses = await _attempts(stack, own.id, victims, session["session_token"])
        assert sum(statuses.values()) == ATTEMPTS
        assert {400, 401, 403, 404, 405} <= statuses.keys(), "each rule of the decision has had its say"
        assert not any(200 <= status < 300 and status != 204 for status in statuses), statuses
        carried = carried_by(world, before)
        assert carried == [], carried[:3]
        assert all(world.conversations[victim].active for victim in victims)


def carried_by(world: World, since: int = 0) -> list[Received]:
    """What reached Genesys of what callers asked; what the gateway asks for itself has no request id."""
    entries = list(world.recorder.entries)[since:]
    return [e for e in entries if any(name.lower() == "x-request-id" for name in e.headers)]


async def _attempts(stack: Stack, own: str, victims: list[str], handle: str) -> Counter[int]:
    address = urlsplit(stack.url)
    statuses: Counter[int] = Counter()
    credentials = (handle, handle, handle, None, handle[:-1] + "A", "gwb_" + "A" * 43)

    async def worker(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ATTEMPTS // WORKERS):
            path = chance.choice(TRICKS)(target_of(victims, chance), own, chance)
            if chance.random() < 0.2:
                path = chance.choice(TRICKS)(path, own, chance)
            credential = chance.choice(credentials)
            lines = [f"{chance.choice(METHODS)} {path} HTTP/1.1", f"Host: {address.netloc}", f"Origin: {PAGE}"]
            lines += [f"Authorization: Bearer {credential}"] if credential else []
            if chance.random() < 0.2:
                lines += [chance.choice([
                    "X-HTTP-Method-Override: DELETE", f"X-Original-URL: /api/v2/conversations/{own}",
                    f"X-Rewrite-URL: /api/v2/conversations/{own}", "X-Forwarded-Host: api.mypurecloud.ie",
                    "X-Forwarded-Prefix: /api/v2/conversations", "Content-Length: 0",
                ])]  # fmt: skip
            request = ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1")
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            statuses[await ask(reader, writer, request)] += 1

    await asyncio.gather(*(worker(seed) for seed in range(WORKERS)))
    return statuses


async def test_a_backend_reaches_no_operation_that_it_does_not_list(tmp_path: Path) -> None:
    """Every tenth operation of the catalogue, with the backend's own key."""
    async with whole_stack(tmp_path, FLAGS) as stack:
        listed = {str(route.match) for route in stack.gateway.compiled.sites["shop"].rules.routes.routes}
        before = len(stack.mock.world.recorder.entries)
        for operation in OPERATIONS[::10]:
            if operation.key in listed:
                continue
            path = "/".join(QUEUE if part.startswith("{") else part for part in operation.template.split("/"))
            async with stack.call(operation.method, path, bearer=BACKEND_KEY, origin=None) as answer:
                assert answer.status in {400, 404, 405, 410}, operation.key
        assert len(stack.mock.world.recorder.entries) == before
