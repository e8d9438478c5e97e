"""The files of Grafana: five dashboards, and the provisioning that loads them.

What they show is in the tables beside this one.
"""

from __future__ import annotations

import json

from deploy.build.dashboards_guard import AUDIT, RUNTIME, SECURITY
from deploy.build.dashboards_service import OVERVIEW, UPSTREAM
from deploy.build.panels import Dashboard, dashboard_json
from deploy.build.prometheus import HEAD
from deploy.build.yaml_text import yaml_text

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, UPSTREAM, SECURITY, AUDIT, RUNTIME)
FOLDER = "deploy/grafana"
MOUNTED = "/etc/grafana/dashboards/gateway"


def files() -> dict[str, str]:
    """Every file by its path in the repository."""
    found = {
        f"{FOLDER}/dashboards/{board.uid}.json": json.dumps(dashboard_json(board), indent=2) + "\n"
        for board in DASHBOARDS
    }
    provider = {
        "name": "gateway",
        "type": "file",
        "folder": "Gateway",
        "folderUid": "gateway",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 60,
        "options": {"path": MOUNTED, "foldersFromFilesStructure": False},
    }
    source = {
        "name": "Prometheus",
        "uid": "gateway-prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": "http://127.0.0.1:9095",
        "isDefault": True,
        "editable": False,
        "jsonData": {"httpMethod": "POST", "timeInterval": "15s"},
    }
    return found | {
        f"{FOLDER}/provisioning/dashboards/gateway.yaml": HEAD + yaml_text({"apiVersion": 1, "providers": [provider]}),
        f"{FOLDER}/provisioning/datasources/gateway.yaml": HEAD + yaml_text({"apiVersion": 1, "datasources": [source]}),
    }
