"""The self-check runs in a process of its own."""

from pathlib import Path

import pytest

from gateway.observe.audit.selfcheck import check_own_log, main
from tests.observe.audit.making import Made, key, settings_for


async def test_it_counts_and_names_what_it_finds(tmp_path: Path) -> None:
    made = Made(tmp_path).add(3).close()
    assert await check_own_log(settings_for(tmp_path)) == (6, [])
    made.path.write_bytes(made.path.read_bytes().replace(b"POST", b"PUTT"))
    count, kinds = await check_own_log(settings_for(tmp_path))
    assert kinds == ["EDITED"]
    assert count < 6


async def test_without_a_key_it_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="key"):
        await check_own_log(settings_for(tmp_path, key_pem=None))


def test_its_answer_is_one_json_object(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Made(tmp_path).add(1).close()
    assert main([key().vkey, "", str(tmp_path), str(tmp_path / "none")]) == 0
    assert capfdbinary.readouterr().out == b'{"records":4,"tampered":[]}'
    assert main(["no key", "", str(tmp_path)]) == 1
