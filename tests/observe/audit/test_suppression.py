"""Twenty refusals of a kind and network, then one a second; the rest is counted."""

from gateway.observe.audit.suppression import BURST, MAX_BUCKETS, MAX_CLIENTS, WINDOW_S, Summary, Suppressor


def test_a_burst_then_one_a_second() -> None:
    suppressor = Suppressor()
    assert [suppressor.admits("a", "r", "n", 0.0) for _ in range(25)] == [True] * 20 + [False] * 5
    assert not suppressor.admits("a", "r", "n", 0.5)
    assert suppressor.admits("a", "r", "n", 1.5)
    assert suppressor.summaries(5.0) == []
    assert suppressor.summaries(WINDOW_S) == [Summary("a", "r", 6, 1)]
    assert suppressor.summaries(99.0) == []


def test_kinds_reasons_and_networks_have_their_own_buckets() -> None:
    suppressor = Suppressor()
    for _ in range(int(BURST)):
        assert suppressor.admits("a", "r", "n", 0.0)
    assert not suppressor.admits("a", "r", "n", 0.0)
    assert suppressor.admits("a", "r", "m", 0.0)
    assert suppressor.admits("a", "s", "n", 0.0)
    assert suppressor.admits("b", "r", "n", 0.0)


def test_memory_is_bounded_and_then_networks_share() -> None:
    suppressor = Suppressor()
    admitted = sum(suppressor.admits("a", "r", f"n{number}", 0.0) for number in range(3 * MAX_BUCKETS))
    assert admitted == MAX_BUCKETS + BURST
    assert len(suppressor._buckets) == MAX_BUCKETS + 1
    [summary] = suppressor.summaries(0.0, final=True)
    assert (summary.count, summary.clients) == (2 * MAX_BUCKETS - BURST, MAX_CLIENTS)


def test_full_buckets_are_forgotten_when_room_is_needed() -> None:
    suppressor = Suppressor()
    for number in range(MAX_BUCKETS):
        suppressor.admits("a", "r", f"n{number}", 0.0)
    assert suppressor.admits("a", "r", "new", 60.0)
    assert len(suppressor._buckets) == 1


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    suppressor = Suppressor()
    assert suppressor.admits("a", "r", "n", 100.0)
    assert suppressor.admits("a", "r", "n", 50.0)
