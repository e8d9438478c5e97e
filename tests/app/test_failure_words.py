"""Every failure that stands on record can be understood by who reads the console."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.app.console_state import Console
from gateway.app.failure_words import WORDS, explained
from gateway.app.running import reload
from gateway.upstream.token_state import FetchFailure
from tests.stack import compiled, whole_stack
from tests.telemetry import drive


@pytest.mark.parametrize("code", [*FetchFailure, "token.rejected"])
def test_every_way_in_which_no_token_comes_is_explained(code: str) -> None:
    found = explained({"event.action": "token.refused", "event.reason": str(code)})
    assert (found["code"], found["means"], found["remedy"]) == (code, *WORDS[code])


def test_a_refusal_is_explained_as_in_its_answer_and_what_needs_no_words_has_none() -> None:
    assert "origin" in str(explained({"event.reason": "origin.not_allowed"})["means"])
    assert explained({"event.action": "ws.closed", "event.reason": "drained"}) == {
        "code": "drained", "means": None, "remedy": None,
    }  # fmt: skip


def test_a_gap_of_the_log_is_explained() -> None:
    found = explained({"event.action": "audit.gap", "event.reason": "queue_full", "gateway.gap.count": 7})
    assert str(found["means"]).startswith("7 records could not be written")


async def test_the_console_explains_every_failure_of_a_driven_gateway(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack:
        await drive.everything(stack)
        await reload(stack.gateway, lambda: compiled({"sites.shop.origins": ["https://shop.example/path"]}), time.time)
        await stack.records()
        shown = Console(stack.gateway).state()["refusals"]
    assert {"origin.denied", "proxy.denied", "proxy.upstream_error", "config.rejected"} <= {
        one["action"] for one in shown
    }
    assert [one for one in shown if not one["means"] or not one["remedy"]] == []
    assert "sites.shop.origins[0]" in next(one for one in shown if one["action"] == "config.rejected")["means"]
