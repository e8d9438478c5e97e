"""Exit codes are those of the design, each with a meaning."""

from __future__ import annotations

from gateway.cli.exits import EXIT_MEANINGS, CommandFault, Exit


def test_the_codes_are_the_contract() -> None:
    assert [code.value for code in Exit] == [0, 1, 2, 3, 4, 5, 6, 130]
    assert set(EXIT_MEANINGS) == set(Exit)


def test_a_fault_reads_as_one_line_of_code_cause_and_remedy() -> None:
    fault = CommandFault(Exit.VERIFICATION, "audit.broken", "Record 7 does not fit.", "Keep the file.")
    assert str(fault) == "audit.broken: Record 7 does not fit. Keep the file."
    assert fault.exit_code == 5
