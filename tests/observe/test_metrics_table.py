"""The table of metrics refers only to sets that exist."""

from gateway.observe.metrics_table import CONFIGURED, SETS, TABLE


def test_every_label_set_exists() -> None:
    for row in TABLE:
        for name, of in row.labels:
            assert name.isidentifier()
            assert of in SETS or of in CONFIGURED or of in ("metric", "free"), (row.name, of)


def test_names_are_unique_and_values_are_fit_for_labels() -> None:
    assert len({row.name for row in TABLE}) == len(TABLE)
    for values in SETS.values():
        assert len(set(values)) == len(values)


def test_pre_created_sets_fit_their_bound() -> None:
    for row in TABLE:
        if row.create_all:
            size = 1
            for _, of in row.labels:
                size *= len(SETS.get(of, ("a", "b", "c")))
            assert size <= row.max_series, row.name
