"""The filter of JSON answers: only what is listed passes."""

from __future__ import annotations

import pytest

from gateway.policy.answer_filter import compile_ways, picked

ANSWER = {"id": "1", "name": "n", "results": [{"intent": "ALL", "wait": 4}, {"intent": "X", "deep": {"a": 1, "b": 2}}]}


@pytest.mark.parametrize(
    ("ways", "passes"),
    [
        ([("id",)], {"id": "1"}),
        ([("results", "intent")], {"results": [{"intent": "ALL"}, {"intent": "X"}]}),
        ([("results", "deep", "b"), ("id",)], {"results": [{}, {"deep": {"b": 2}}], "id": "1"}),
        ([("results",), ("results", "intent")], {"results": ANSWER["results"]}),
        ([("results", "intent"), ("results",)], {"results": ANSWER["results"]}),
        ([("name", "first")], {"name": None}),
        ([("absent",)], {}),
    ],
)
def test_only_listed_members_pass(ways: list[tuple[str, ...]], passes: object) -> None:
    assert picked(ANSWER, compile_ways(ways)) == passes


def test_a_list_at_the_top_is_filtered_element_by_element() -> None:
    assert picked([{"id": 1, "x": 2}, 3], compile_ways([("id",)])) == [{"id": 1}, None]
