"""A bounded memory: by time, by number, by bytes."""

from __future__ import annotations

from gateway.upstream.answer_cache import AnswerCache, KeptAnswer

SMALL = KeptAnswer(200, b"content-type: application/json\r\n", False, b"x" * 10)


def test_answer_is_kept_for_its_life_and_not_longer() -> None:
    now = [0.0]
    cache = AnswerCache(clock=lambda: now[0])
    cache.put(("a",), SMALL, 5)
    now[0] = 4.9
    assert cache.get(("a",)) == SMALL
    now[0] = 5.0
    assert cache.get(("a",)) is None
    assert len(cache) == 0


def test_oldest_goes_first_when_there_are_too_many() -> None:
    cache = AnswerCache(max_entries=2)
    for name in "abc":
        cache.put((name,), SMALL, 5)
    assert [cache.get((name,)) is None for name in "abc"] == [True, False, False]


def test_oldest_goes_first_when_there_are_too_many_bytes() -> None:
    cache = AnswerCache(max_bytes=100)
    for number in range(12):
        cache.put((str(number),), SMALL, 5)
    assert len(cache) == 10
    assert cache.get(("1",)) is None


def test_same_key_replaces_and_its_bytes_count_once() -> None:
    cache = AnswerCache(max_bytes=100)
    for _ in range(50):
        cache.put(("a",), SMALL, 5)
    cache.put(("b",), SMALL, 5)
    assert cache.get(("a",)) is not None


def test_answer_too_large_for_the_room_is_not_kept() -> None:
    cache = AnswerCache(max_bytes=99)
    cache.put(("a",), SMALL, 5)
    assert len(cache) == 0


def test_cleared_cache_is_empty_and_has_its_room_back() -> None:
    cache = AnswerCache(max_bytes=100)
    for number in range(10):
        cache.put((str(number),), SMALL, 5)
    cache.clear()
    cache.put(("a",), SMALL, 5)
    assert len(cache) == 1
