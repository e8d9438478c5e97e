"""The thread as plain data: order, no repetition, and what is known of the visitor's own messages."""

from typing import Any

import pytest

from tests.static.conftest import Visit

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(45)]

HEARD = (
    "const heard = (id, time, more = {}) =>"
    " ({ id, type: 'Text', direction: 'Outbound', text: id, channel: { time }, ...more });"
)
SHOWN = "return thread.messages.map(({ text, state }) => `${text} ${state}`);"


async def play(visit: Visit, statements: str) -> Any:
    """Run statements over a fresh thread."""
    await visit.page.goto(visit.site.url)
    module = f"{visit.gateway.url}/static/thread.js"
    imported = f"const {{ Thread, Pace }} = await import('{module}'); const thread = new Thread();"
    return await visit.run(f"{imported} {HEARD} {statements}")


async def test_unconfirmed_messages_stand_last_whatever_the_clocks_say(visit: Visit) -> None:
    script = "thread.write('w', { type: 'Text', text: 'mine' }); thread.absorb(heard('far', '2099-01-01T00:00:00Z'));"
    assert await play(visit, script + SHOWN) == ["far sent", "mine waiting"]


@pytest.mark.parametrize(
    "mark",
    ["{ metadata: { id: 'w' } }", "{ metadata: { correlationId: 'w' } }", "{}, 'w'"],
    ids=["metadata", "correlation", "tracing"],
)
async def test_a_confirmation_is_known_by_any_of_its_marks(visit: Visit, mark: str) -> None:
    more, _, tracing = mark.partition("}, ")
    more = more + "}" if tracing else more
    echo = f"heard('g', '2026-01-01T00:00:00Z', {{ direction: 'Inbound', ...{more} }})"
    script = (
        f"thread.write('w', {{ type: 'Text', text: 'mine' }}); thread.sent(thread.next(), 1);"
        f" thread.absorb({echo}, {tracing or 'undefined'});"
        " return thread.messages.map(({ id, key, state }) => [id, key, state]);"
    )
    assert await play(visit, script) == [["g", "w", "sent"]]


async def test_the_same_text_of_long_ago_confirms_nothing(visit: Visit) -> None:
    old = "heard('old', '2026-01-01T00:00:00Z', { direction: 'Inbound', text: 'yes' })"
    script = f"thread.absorb({old}); thread.write('w', {{ text: 'yes' }}); thread.sent(thread.next(), 1);"
    script += f"thread.absorb({old});"
    assert await play(visit, script + SHOWN) == ["yes sent", "yes sending"]


async def test_a_message_of_another_tab_with_its_own_mark_confirms_nothing(visit: Visit) -> None:
    other = "heard('o', '2026-01-01T00:00:00Z', { direction: 'Inbound', text: 'yes', metadata: { id: 'elsewhere' } })"
    script = f"thread.write('w', {{ text: 'yes' }}); thread.sent(thread.next(), 1); thread.absorb({other});"
    assert await play(visit, script + SHOWN) == ["yes sent", "yes sending"]


async def test_after_the_history_what_is_unconfirmed_is_sent_again_in_its_place(visit: Visit) -> None:
    script = (
        "thread.write('a', { text: 'a' }); thread.write('b', { text: 'b' }); thread.sent(thread.next(), 1);"
        "thread.settle(); return [thread.next().id, thread.uncertain];"
    )
    assert await play(visit, script) == ["a", False]


async def test_a_message_refused_too_often_has_failed(visit: Visit) -> None:
    script = (
        "thread.write('a', { text: 'a' }); for (let n = 0; n < 4; n += 1) thread.again(thread.find('a'), 3);"
        "return [thread.messages[0].state, thread.next() ?? null];"
    )
    assert await play(visit, script) == ["failed", None]


async def test_a_failed_message_keeps_its_place_among_later_ones(visit: Visit) -> None:
    script = (
        "thread.absorb(heard('before', '2026-01-01T00:00:00Z')); thread.write('w', { text: 'mine' });"
        "thread.fail(thread.find('w'), 'x'); thread.absorb(heard('after', '2026-01-01T00:00:05Z'));"
    )
    assert await play(visit, script + SHOWN) == ["before sent", "mine failed", "after sent"]


async def test_events_are_not_messages(visit: Visit) -> None:
    script = "return [thread.absorb(heard('e', '', { type: 'Event', text: 'x' })), thread.size];"
    assert await play(visit, script) == [None, 0]


async def test_a_pace_lets_through_what_it_may_and_says_how_long_to_wait(visit: Visit) -> None:
    script = (
        "const pace = new Pace(2, 1000); pace.take(0); pace.take(400);"
        "return [pace.waitMs(500), pace.waitMs(1000), pace.waitMs(1001), pace.waitMs(1001, 1)];"
    )
    assert await play(visit, script) == [500, 0, 0, 399]
