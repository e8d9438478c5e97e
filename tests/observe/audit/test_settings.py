"""Settings say nothing that must not be said."""

from pathlib import Path

import pytest

from gateway.observe.audit.settings import AuditSettings, SinkSettings, node_name


def test_secrets_do_not_show() -> None:
    sink = SinkSettings("siem", "http", "https://siem.example", authorization="Bearer canary")
    assert "canary" not in repr(AuditSettings(Path("x"), key_pem=b"canary", sinks=(sink,)))


@pytest.mark.parametrize(
    ("host", "node"),
    [("web-1.example", "web-1.example"), ("a b\n", "a-b"), ("", "node"), ("..", "node"), ("x" * 99, "x" * 64)],
)
def test_a_host_name_becomes_a_node_name(host: str, node: str) -> None:
    assert node_name(host) == node


def test_directories_are_tried_in_order() -> None:
    assert AuditSettings(Path("a"), fallback_dir=Path("b")).dirs == (Path("a"), Path("b"))
    assert AuditSettings(Path("a"), deployment="d", node="n").key_name == "d/n"
