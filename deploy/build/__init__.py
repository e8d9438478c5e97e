"""Builders of the dashboards, alerts, recording rules and runbook. `python -m deploy.build` writes them."""
