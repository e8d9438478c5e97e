"""client.d.ts says what client.js has: the same members, events and states, and the same of all that is handed out."""

import re
from typing import Any

import pytest

from tests.static.conftest import Visit
from tests.static.stand_in import STATIC_DIR

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

TYPES = (STATIC_DIR / "client.d.ts").read_text()
CLIENT = (STATIC_DIR / "client.js").read_text()
UNTOLD = {"Problem": {"name", "message", "stack"}, "Message": {"order"}}
"""What every Error has, and what is the thread's own."""
# Of an object: its own fields, and what its class says.
MEMBERS = (
    "const members = (one) => [...new Set([...Object.keys(one),"
    " ...Object.getOwnPropertyNames(Object.getPrototypeOf(one))])];"
)
CONNECTED = "client.connect(); await new Promise((done) => client.on('state', (now) => now === 'online' && done()));"
HEARD = (
    "let problem; try { client.send('x'.repeat(5000)); } catch (why) { problem = why; }"
    "return { Client: members(client), Message: Object.keys(client.messages[0]), Problem: members(problem),"
    " Guest: Object.keys(client.guest), FileRules: Object.keys(client.files) };"
)


def declared(name: str) -> set[str]:
    """The members that a class or interface of the file declares."""
    head = re.search(rf"\b(?:class|interface) {name}\b[^{{]*{{(.*?)\n?}}$", TYPES, re.DOTALL | re.MULTILINE)
    assert head is not None, name
    without_comments = re.sub(r"/\*.*?\*/", "", head[1], flags=re.DOTALL)
    lines = without_comments.splitlines() if "\n" in without_comments else without_comments.split(";")
    found = (re.match(r"\s{1,2}(?:readonly )?(\w+)[(<:?]", line) for line in lines)
    return {match[1] for match in found if match} - {"constructor"}


async def test_every_member_is_declared_and_every_declaration_is_there(visit: Visit) -> None:
    visit.site.tag = "data-lazy"
    await visit.page.goto(visit.site.url)
    await visit.run(visit.client_script() + CONNECTED)
    await visit.gateway.say("good day")
    await visit.page.wait_for_function("client.messages.length === 1")
    found: dict[str, Any] = await visit.run(MEMBERS + HEARD)
    for name, members in found.items():
        assert set(members) - {"constructor"} - UNTOLD.get(name, set()) == declared(name), name


async def test_every_event_that_the_client_tells_is_declared() -> None:
    assert set(re.findall(r'#emit\("(\w+)"', CLIENT)) == declared("Events")


async def test_every_state_is_declared() -> None:
    states = set(re.findall(r'"(\w+)"', TYPES.partition("export type State =")[2].partition(";")[0]))
    resting = (STATIC_DIR / "rules.js").read_text().partition("RESTING = new Set(")[2].partition(")")[0]
    finished = re.findall(r'#finish\("(\w+)"\)', CLIENT)
    become = re.findall(r"#become\((.*?)\);", CLIENT)
    reached = {*re.findall(r'"(\w+)"', resting + " ".join(become)), *finished}
    assert reached == states
