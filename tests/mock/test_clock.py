"""The mock's clock."""

from gateway.mock.clock import Clock, frozen_clock, iso_time


def test_a_frozen_clock_moves_only_when_advanced() -> None:
    clock = frozen_clock(1000.0)
    assert (clock.now(), clock.now()) == (1000.0, 1000.0)
    clock.advance(5)
    assert clock.now() == 1005.0


def test_the_clock_adds_its_offset_to_its_source() -> None:
    ticks = iter([10.0, 11.0])
    clock = Clock(lambda: next(ticks))
    clock.advance(-3)
    assert [clock.now(), clock.now()] == [7.0, 8.0]


def test_instants_are_written_in_utc_with_milliseconds() -> None:
    assert iso_time(0.25) == "1970-01-01T00:00:00.250Z"
