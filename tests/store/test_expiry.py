"""The bounded, expiring mapping under the memory store and the near-caches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.expiry import ExpiryMap


def test_a_full_store_refuses_and_a_full_cache_drops_what_ends_first() -> None:
    kept: ExpiryMap[str, int] = ExpiryMap(2, evict=False)
    cache: ExpiryMap[str, int] = ExpiryMap(2, evict=True)
    for entries in (kept, cache):
        assert entries.put("late", 1, 900.0, 0.0)
        assert entries.put("soon", 2, 100.0, 0.0)
    assert not kept.put("new", 3, 500.0, 0.0)
    assert cache.put("new", 3, 500.0, 0.0)
    assert cache.get("soon", 0.0) is None
    assert (cache.get("late", 0.0), cache.get("new", 0.0)) == (1, 3)


def test_an_expired_entry_makes_room_in_a_full_store() -> None:
    kept: ExpiryMap[str, int] = ExpiryMap(1, evict=False)
    kept.put("old", 1, 10.0, 0.0)
    assert kept.put("new", 2, 50.0, 12.0)
    assert len(kept) == 1


def test_renewing_an_entry_piles_nothing_up() -> None:
    entries: ExpiryMap[str, int] = ExpiryMap(10, evict=False)
    for second in range(10_000):
        entries.put("one", second, second + 60.0, float(second))
    assert len(entries._heap) < 100
    assert len(entries._buckets) == len(entries._heap)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 50), st.sampled_from(["put", "pop", "get"])), max_size=60
    )
)
def test_it_answers_like_a_dictionary_with_expiry_times(steps: list[tuple[str, int, str]]) -> None:
    entries: ExpiryMap[str, int] = ExpiryMap(1000, evict=False)
    model: dict[str, tuple[float, int]] = {}
    for now, (key, life, what) in enumerate(steps):
        if what == "put":
            assert entries.put(key, now, float(now + life), float(now))
            model[key] = (float(now + life), now)
        elif what == "pop":
            entries.pop(key)
            model.pop(key, None)
        expected = model.get(key)
        alive = expected is not None and expected[0] > now
        assert entries.get(key, float(now)) == (expected[1] if alive and expected else None)
