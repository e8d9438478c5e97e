"""Exit codes of the command line, and the one way in which a command says that it failed.

Leaves turning faults into codes to `gateway.cli.main`. The rule: an error is one line with code, cause and remedy.
"""

from __future__ import annotations

from enum import IntEnum

from gateway.errors import GatewayError


class Exit(IntEnum):
    """Exit codes; the table in docs/configuration.md says the same."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    VERIFICATION = 5
    UNPROVED = 6
    INTERRUPTED = 130


EXIT_MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.FAILED: "failure at run time",
    Exit.USAGE: "the command was called wrongly",
    Exit.CONFIG: "the configuration is invalid",
    Exit.UNREACHABLE: "something that the gateway depends on cannot be reached",
    Exit.VERIFICATION: "a verification failed: tampering, drift",
    Exit.UNPROVED: "it cannot be proved either way",
    Exit.INTERRUPTED: "interrupted from the keyboard",
}


class CommandFault(GatewayError):
    """A command that did not do its work. `code` is dotted and stable, like those of refusals."""

    def __init__(self, exit_code: Exit, code: str, cause: str, remedy: str) -> None:
        super().__init__(f"{code}: {cause} {remedy}")
        self.exit_code = exit_code
        self.code = code
        self.cause = cause
        self.remedy = remedy
