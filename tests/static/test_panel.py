"""The panel as a visitor meets it: by mouse, by keyboard, by ear, on a phone, in other languages and contrasts."""

import pytest

from tests.static.conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_message_goes_there_and_an_answer_comes_back(visit: Visit) -> None:
    await visit.chat()
    await visit.write("Do you ship to Turin?")
    await visit.gateway.until(lambda: visit.gateway.sent() == ["Do you ship to Turin?"])
    await visit.gateway.say("We do.")
    await visit.log.get_by_text("We do.").wait_for()
