"""The store's interface: every use names its rule, and results hide what they hold."""

from __future__ import annotations

from gateway.store.base import ON_FAILURE, OnceResult, OnceState, OnFailure, Store
from gateway.store.memory import MemoryStore
from gateway.store.redis import RedisStore

LIFE = {"start", "close", "ready", "subscribe"}


def test_every_use_of_the_store_names_its_rule() -> None:
    uses = {name for name in vars(Store) if not name.startswith("_")} - LIFE
    assert uses == set(ON_FAILURE)


def test_only_limits_go_on_without_the_store() -> None:
    assert {use for use, rule in ON_FAILURE.items() if rule is OnFailure.LOCAL} == {"take_limits"}


def test_both_stores_have_every_method_of_the_interface() -> None:
    for made in (MemoryStore, RedisStore):
        for name in (*ON_FAILURE, *LIFE):
            assert callable(getattr(made, name))


def test_a_taken_value_does_not_show() -> None:
    assert repr(OnceResult(OnceState.TAKEN, b"secret")) == "OnceResult(taken)"
