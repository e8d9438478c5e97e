"""The counters behind the limits."""

from gateway.mock.limits import RATES, Meter, Rate


def test_hits_within_the_window_count_up_until_over() -> None:
    meter = Meter({"x": Rate(2, 10)})
    readings = [meter.hit("x", "k", 100.0) for _ in range(3)]
    assert [reading.over for reading in readings] == [False, False, True]
    assert readings[-1].reset_s == 10


def test_a_new_window_starts_from_one() -> None:
    meter = Meter({"x": Rate(1, 10)})
    meter.hit("x", "k", 100.0)
    assert meter.hit("x", "k", 109.9).over
    assert not meter.hit("x", "k", 110.0).over


def test_keys_are_counted_apart() -> None:
    meter = Meter({"x": Rate(1, 10)})
    meter.hit("x", "a", 0.0)
    assert not meter.hit("x", "b", 0.0).over


def test_finished_windows_are_forgotten_when_many() -> None:
    meter = Meter({"x": Rate(1, 1)})
    for number in range(20_001):
        meter.hit("x", str(number), 0.0)
    meter.hit("x", "late", 5.0)
    assert len(meter._windows) == 1


def test_the_documented_rates_stand_in_the_table() -> None:
    assert RATES["messages_per_session"] == Rate(5, 1)
    assert RATES["requests_per_connection"] == Rate(60, 60)
    assert RATES["connections_per_deployment"] == Rate(1000, 60)
    assert RATES["echo_per_connection"] == Rate(2, 60)
    assert RATES["history_per_session"] == Rate(10, 60)
    assert RATES["client.credentials.token.rate.per.minute"] == Rate(300, 60)
