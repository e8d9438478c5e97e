"""The log of a process: its name, its format, its level."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.app.log_setup import node_name, set_up_log
from tests.stack import compiled


@pytest.fixture
def _log_as_before() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.usefixtures("_log_as_before")
def test_lines_carry_the_name_and_heed_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log(compiled({"log.format": "json", "log.level": "warning"}), "shop-w2")
    log = structlog.get_logger("gateway.test")
    log.info("not.shown")
    log.warning("shown")
    [line] = capsys.readouterr().err.splitlines()
    assert '"message":"shown"' in line
    assert '"service.node.name":"shop-w2"' in line


def test_a_nodes_name_may_stand_in_a_file_name() -> None:
    assert all(c.isalnum() or c == "-" for c in node_name())
