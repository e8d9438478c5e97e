"""Times as people write them."""

import pytest

from gateway.observe.audit.times import parse_time
from tests.observe.audit.making import START


@pytest.mark.parametrize(
    ("text", "at"),
    [("2026-11-18T11:06:40Z", START), ("2026-11-18T11:06:40", START), ("2026-11-18T12:06:40+01:00", START), ("90m",
        START - 5400),
     ("2d", START - 172_800), ("2026-11-18", START - 40_000)],
)  # fmt: skip
def test_forms_that_are_read(text: str, at: float) -> None:
    assert parse_time(text, START) == at


@pytest.mark.parametrize("text", ["", "yesterday", "5y", "-1d"])
def test_forms_that_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_time(text, START)


def test_ages_need_a_now() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_time("5m")
