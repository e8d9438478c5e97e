"""What dashboards are made of: panels, rows and variables as Grafana's classic JSON knows them (schemaVersion 36).

Leaves what is shown to the tables of `dashboards_*.py`. The rule: every query is limited to the chosen jobs and
instances, and every panel has a title, a description and a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

SOURCE = {"type": "prometheus", "uid": "$datasource"}
CHOSEN = 'job=~"$job",instance=~"$instance"'
WIDTH = 24
Kind = Literal["timeseries", "stat"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query and how its lines are called. `$m` is for the chosen jobs and instances, `$i` for the rate interval."""

    expr: str
    legend: str

    @property
    def text(self) -> str:
        """The expression as Grafana sends it, its own variables still in it."""
        return self.expr.replace("[$i]", "[$__rate_interval]").replace("$m", CHOSEN)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `steps`: colour by value, where a value is good or bad."""

    title: str
    says: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 7
    steps: tuple[tuple[str, float | None], ...] = (("green", None),)
    decimals: int | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels under headings."""

    uid: str
    title: str
    says: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


def dashboard_json(board: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.says,
        "tags": ["gateway"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": 36,
        "version": 1,
        "timezone": "browser",
        "style": "dark",
        "fiscalYearStartMonth": 0,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "annotations": {"list": _annotations()},
        "links": [],
        "panels": _panels(board),
    }


def _panels(board: Dashboard) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for heading, panels in board.rows:
        grid = {"h": 1, "w": WIDTH, "x": 0, "y": top}
        found.append(
            {"id": len(found) + 1, "type": "row", "title": heading, "gridPos": grid, "collapsed": False, "panels": []}
        )
        top, left, tallest = top + 1, 0, 0
        for panel in panels:
            if left + panel.width > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            found.append(_panel(panel, len(found) + 1, place))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return found


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in panel.steps]},
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        custom: dict[str, Any] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        if panel.stacked:
            custom["stacking"] = {"mode": "normal", "group": "A"}
        defaults["custom"] = custom
    else:
        defaults["color"] = {"mode": "thresholds"}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "transparent": False,
        "repeatDirection": "h",
        "transformations": [],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(panel.kind),
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query.text, "legendFormat": query.legend, "datasource": SOURCE}
            for index, query in enumerate(panel.queries)
        ],
    }


def _options(kind: Kind) -> dict[str, Any]:
    if kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
            "textMode": "auto",
        }
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


_UNUSED = {
    "id": "00000000-0000-0000-0000-000000000000",
    "auto": False,
    "auto_count": 30,
    "auto_min": "10s",
    "skipUrlSync": False,
}
"""What Grafana's types write of a variable in any case."""


def _variables() -> list[dict[str, Any]]:
    def asked(name: str, label: str, query: str) -> dict[str, Any]:
        return {
            "name": name, "label": label, "type": "query", "datasource": SOURCE, "query": query,
            "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".+", "hide": 0,
            "current": {"selected": True, "text": "All", "value": "$__all"}, **_UNUSED,
        }  # fmt: skip

    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
            "multi": False,
            "includeAll": False,
            **_UNUSED,
        },
        asked("job", "Job", "label_values(gateway_build_info, job)"),
        asked("instance", "Instance", 'label_values(gateway_build_info{job=~"$job"}, instance)'),
        asked("region", "Region", 'label_values(gateway_upstream_errors_total{job=~"$job"}, region)'),
    ]


def _annotations() -> list[dict[str, Any]]:
    def marked(name: str, color: str, moment: str) -> dict[str, Any]:
        return {
            "name": name, "enable": True, "hide": False, "iconColor": color, "datasource": SOURCE,
            "expr": f"changes({moment}{{{CHOSEN}}}[1m]) > 0",
        }  # fmt: skip

    return [
        marked("Configuration reloaded", "blue", "gateway_config_last_reload_success_timestamp_seconds"),
        marked("Started", "green", "process_start_time_seconds"),
        marked("Secret rotated", "purple", "gateway_secret_last_rotation_timestamp_seconds"),
    ]
