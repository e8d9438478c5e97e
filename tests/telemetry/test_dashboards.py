"""Dashboards keep to the rules of Grafana's own linter, survive its types unchanged, and show every metric.

What they ask is asked of a real Prometheus in `test_prometheus.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.build import grafana
from deploy.build.prometheus import alerts
from gateway.observe.metrics_table import TABLE

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {board.uid: json.loads(grafana.files()[f"{grafana.FOLDER}/dashboards/{board.uid}.json"])
          for board in grafana.DASHBOARDS}  # fmt: skip
COUNTERS = {row.name for row in TABLE if row.kind == "counter"}
OF_THE_PROCESS = ("process_", "python_gc_", "up", "scrape_", "gateway_worker")
NOT_SHOWN = {"gateway_config_last_reload_success_timestamp_seconds": "marks reloads on every dashboard"}
"""Metrics that stand on no dashboard and in no alert, and why."""


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels of a dashboard, without its headings."""
    yield from (panel for panel in board["panels"] if panel["type"] != "row")


ALL = [(uid, panel) for uid, board in BOARDS.items() for panel in panels(board)]
QUERIES = [(uid, panel["title"], target["expr"]) for uid, panel in ALL for target in panel["targets"]]
on_each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
on_each_panel = pytest.mark.parametrize("panel", [panel for _, panel in ALL], ids=[f"{u}-{p['title']}" for u, p in ALL])
on_each_query = pytest.mark.parametrize("expr", [expr for *_, expr in QUERIES], ids=[f"{u}-{t}" for u, t, _ in QUERIES])


def filled(expr: str) -> str:
    """The query with values for Grafana's variables."""
    for name, value in (("$__rate_interval", "4s"), ("$instance", ".+"), ("$job", ".+"), ("$region", ".+")):
        expr = expr.replace(name, value)
    return expr


def selectors(node: Any) -> Iterator[Any]:
    """Every selector of a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vs", "vector_selector", "args", "param"):
        inner = getattr(node, name, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None and not isinstance(one, str | int | float):
                yield from selectors(one)


@pytest.mark.parametrize("path", sorted(grafana.files()))
def test_what_is_committed_is_what_the_tables_say(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == grafana.files()[path], "run: python -m deploy.build"


@on_each_board
def test_grafanas_own_types_read_it_and_lose_nothing(board: dict[str, Any]) -> None:
    read = Dashboard.from_json(board)
    assert json.loads(JSONEncoder().encode(read)) == board


@on_each_board
def test_variables_for_source_job_and_instance_are_offered(board: dict[str, Any]) -> None:
    found = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert found["datasource"]["type"] == "datasource"
    assert found["datasource"]["query"] == "prometheus"
    for name in ("job", "instance"):
        variable = found[name]
        assert variable["label"].lower() == name
        assert variable["datasource"]["uid"] == "$datasource"
        assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")
    for name in ("job", "instance", "region"):
        assert found[name]["refresh"] == 2, "reload when the time range changes"
        metric = re.search(r"label_values\((\w+)", found[name]["query"])
        assert metric is not None
        assert metric[1] in {row.name for row in TABLE}


@on_each_board
def test_a_dashboard_is_provisioned_and_not_edited(board: dict[str, Any]) -> None:
    assert board["editable"] is False
    assert board["schemaVersion"] >= 36
    assert re.fullmatch(r"gateway-[a-z]+", board["uid"])
    assert board["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert {one["datasource"]["uid"] for one in board["annotations"]["list"]} == {"$datasource"}


@on_each_board
def test_panels_do_not_lie_upon_each_other(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@on_each_panel
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert target["legendFormat"]


@on_each_query
def test_a_query_is_valid_and_asks_for_the_chosen_instances(expr: str) -> None:
    found = list(selectors(promql_parser.parse(filled(expr))))
    assert found
    recorded = [one for one in found if one.name.startswith("gateway:slo_")]
    matches = expr.count('job=~"$job"'), expr.count('instance=~"$instance"')
    assert matches == (len(found) - len(recorded),) * 2


@on_each_query
def test_a_rate_has_the_interval_of_the_panel_or_a_named_one(expr: str) -> None:
    for function, window in re.findall(r"\b(rate|increase|irate)\(.*?\[([^\]]+)\]", expr):
        assert window == "$__rate_interval" if function == "rate" else window in {"10m", "1h", "24h"}


@on_each_query
def test_a_counter_is_asked_for_its_rate(expr: str) -> None:
    for name in COUNTERS:
        uses = len(re.findall(rf"\b{name}\{{", expr))
        assert len(re.findall(rf"\b(?:rate|increase)\({name}\{{[^}}]*\}}\[", expr)) == uses


def names_in(text: str) -> set[str]:
    """The metrics of the table that a text names; a histogram by any of its parts."""
    return {row.name for row in TABLE if re.search(rf"\b{row.name}(?:_bucket|_count|_sum)?\b", text)}


def test_every_metric_stands_on_a_dashboard_or_in_an_alert() -> None:
    shown = names_in(" ".join(expr for *_, expr in QUERIES)) | names_in(" ".join(alert.expr for alert in alerts()))
    assert {row.name for row in TABLE} - shown == set(NOT_SHOWN)


def test_every_metric_that_is_asked_for_exists() -> None:
    known = {row.name + part for row in TABLE for part in ("", "_bucket", "_count", "_sum")}
    for uid, title, expr in QUERIES:
        for selector in selectors(promql_parser.parse(filled(expr))):
            name = selector.name
            assert name in known or name.startswith((*OF_THE_PROCESS, "gateway:slo_")), f"{uid} {title}: {name}"


def test_every_alert_leads_to_a_dashboard() -> None:
    assert {alert.dashboard for alert in alerts()} <= set(BOARDS)


def test_provisioning_names_the_folder_and_a_source() -> None:
    boards = grafana.files()[f"{grafana.FOLDER}/provisioning/dashboards/gateway.yaml"]
    assert f'path: "{grafana.MOUNTED}"' in boards
    assert "folder: Gateway" in boards
    source = grafana.files()[f"{grafana.FOLDER}/provisioning/datasources/gateway.yaml"]
    assert "type: prometheus" in source
    assert len(set(BOARDS)) == len(grafana.DASHBOARDS) == 5
